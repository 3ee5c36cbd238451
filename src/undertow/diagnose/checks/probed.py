"""The activations that were probed, at the start and later on."""

from __future__ import annotations

from collections.abc import Iterator

from undertow.diagnose.case import Case
from undertow.store import Activation, Pass

__all__ = ["later", "layers", "onsets", "probed"]


def probed(passes: list[Pass]) -> list[Pass]:
    return [p for p in passes if p.activations]


def layers(passes: list[Pass], kinds: frozenset[str]) -> Iterator[tuple[Pass, Activation]]:
    for observed in probed(passes):
        for activation in observed.activations:
            if observed.flow.topology.operations[activation.operation].name in kinds:
                yield observed, activation


def onsets(case: Case) -> Iterator[tuple[str, list[Pass]]]:
    yield "start", probed(case.early)
    yield "later", probed(case.passes)[-3:] if case.late else []


def later(case: Case, observed: Pass, activation: Activation) -> list[Activation]:
    """The same layer in late passes over the same graph."""
    late = [p for p in case.late if p.flow.plan is observed.flow.plan]
    return [a for p in late for a in p.activations if a.operation == activation.operation]
