"""What was set differently: what a person changed, as far as a run tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from undertow.compare.difference import Difference
from undertow.store import Run
from undertow.store.records import InputScale, OptimizerState, Parameter

__all__ = ["data", "settings", "structure"]

NONE = "none"
ENVIRONMENT = ("torch", "python", "device", "threads")
LOUDER = 1.5
"""Factor between the scales of two inputs from which on they are told."""


def settings(left: Run, right: Run) -> Iterator[Difference]:
    """Arguments, optimizers and their settings, parameters that are trained or not, versions."""
    yield from _facts("setting", "arguments", *({"": " ".join(run.meta.get("argv", [])[1:])} for run in (left, right)))
    for number, pair in enumerate(zip_longest(left.optimizers, right.optimizers)):
        name = "optimizer" if number == 0 else f"optimizer {number + 1}"
        yield from _facts("setting", name, *map(_optimizer, pair))
    for name, (one, other) in _matched(left.parameters, right.parameters).items():
        yield from _facts("setting", name, _parameter(one), _parameter(other))
    yield from _facts("setting", "", *({key: run.meta.get(key, NONE) for key in ENVIRONMENT} for run in (left, right)))


def _optimizer(state: OptimizerState | None) -> dict[str, Any]:
    return {} if state is None else {"": state.kind} | dict(state.settings)


def _parameter(parameter: Parameter | None) -> dict[str, Any]:
    if parameter is None:
        return {"": "not there"}
    shape = "×".join(map(str, parameter.shape)) or "scalar"
    held = "trained" if parameter.trainable and parameter.optimizer >= 0 else "not trained"
    return {"": f"{shape} {parameter.dtype}, {held}"}


def _matched(left: list[Parameter], right: list[Parameter]) -> dict[str, tuple[Parameter | None, Parameter | None]]:
    ours, theirs = ({p.name: p for p in parameters} for parameters in (left, right))
    return {name: (ours.get(name), theirs.get(name)) for name in [*ours, *(n for n in theirs if n not in ours)]}


def _facts(kind: str, name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Difference]:
    for key in [*left, *(key for key in right if key not in left)]:
        ours, theirs = left.get(key, NONE), right.get(key, NONE)
        if ours != theirs:
            yield Difference(kind, f"{name} {key}".strip(), _words(ours), _words(theirs))


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or NONE


def structure(left: Run, right: Run) -> Iterator[Difference]:
    """Operations that only one of the runs has, or has more of, by module."""
    ours, theirs = _operations(left), _operations(right)
    if not ours or not theirs:
        return
    for module, name in [*ours, *(place for place in theirs if place not in ours)]:
        one, other = ours[module, name], theirs[module, name]
        if one != other:
            yield Difference("structure", f"{name} in {module}" if module else name, _times(one), _times(other))


def _operations(run: Run) -> Counter[tuple[str, str]]:
    first = run.passes[0].flow.topology.operations if run.passes else ()
    return Counter((operation.module, operation.name) for operation in first if not operation.leaf)


def _times(count: int) -> str:
    return "not there" if count == 0 else "once" if count == 1 else f"{count} times"


def data(left: Run, right: Run) -> Iterator[Difference]:
    """Size of the batch and scale of what enters, at the first pass where they were looked at."""
    for number, (one, other) in enumerate(zip(_inputs(left), _inputs(right), strict=False)):
        name = "input" if number == 0 else f"input {number + 1}"
        yield from _facts("data", f"{name} shape", {"": one.shape}, {"": other.shape})
        if not 1 / LOUDER < (other.rms + 1e-30) / (one.rms + 1e-30) < LOUDER:
            yield Difference("data", f"{name} root mean square", f"{one.rms:.3g}", f"{other.rms:.3g}")


def _inputs(run: Run) -> list[InputScale]:
    return next((list(seen.inputs) for seen in run.passes if seen.inputs), [])
