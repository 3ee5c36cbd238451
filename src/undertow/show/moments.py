"""Which of the observed passes to show, and the account of the gradient in each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from undertow.diagnose.finding import Finding
from undertow.engine.flow import Attribution, Flow
from undertow.store.records import Pass
from undertow.store.run import Run

__all__ = ["Moment", "moments", "named_weight", "started", "used_at", "weights_of"]

CAUSE = "where the cause was seen"

MOST = 8
ALIKE = 1.0
"""Decades within which two gradients count as alike."""


@dataclass(frozen=True)
class Moment:
    """One observed pass that is shown, why it is, and the parameter whose gradient it accounts for."""

    seen: Pass = field(repr=False)
    why: str
    source: str
    target: str
    account: Attribution | None = field(repr=False)

    @property
    def label(self) -> str:
        """Such as `step 20 (worst) · train.py:41`."""
        return f"step {self.seen.step:,} ({self.why})" + (f" · {self.source}" if self.source else "")


def moments(run: Run, cause: Finding | None) -> list[Moment]:
    """The passes to show: where the cause was seen, then of each site the furthest from the loss, first and last."""
    step = None if cause is None else cause.evidence.get("step")
    found = []
    for site in sorted({seen.site for seen in run.passes}):
        source = run.sites[site].source if len(run.sites) > site else ""
        for why, seen in _chosen([seen for seen in run.passes if seen.site == site], step):
            target = named_weight(seen.flow, cause) or furthest(seen.flow)
            account = seen.flow.attribute(target) if target else None
            found.append(Moment(seen, ", ".join(why), source, target, account))
    found.sort(key=lambda moment: (CAUSE not in moment.why, -_badness(moment.seen.flow)))
    return found[:MOST]


def _chosen(passes: list[Pass], step: object) -> Iterator[tuple[list[str], Pass]]:
    """The passes that have a reason to be shown, with their reasons."""
    worst = max(passes, key=lambda seen: _badness(seen.flow))
    reasons = [("first", passes[0]), ("furthest from the loss", worst), ("last", passes[-1])]
    reasons += [(CAUSE, seen) for seen in passes if seen.step == step][:1]
    for seen in dict.fromkeys(id(seen) for _, seen in reasons):
        yield [why for why, other in reasons if id(other) == seen], next(s for _, s in reasons if id(s) == seen)


def named_weight(flow: Flow, cause: Finding | None) -> str:
    """The parameter that the evidence for a cause names, if any gradient reached it; empty otherwise."""
    words = [word for word in cause.evidence.values() if isinstance(word, str)] if cause is not None else []
    return next((word for word in words if _reached(flow, word)), "")


def started(flow: Flow) -> float:
    """The norm that the pass started with at the loss."""
    return math.hypot(*flow.seeds) / flow.scale if flow.seeds else math.nan


def furthest(flow: Flow) -> str:
    """The weight whose gradient is the most decades away from the loss's; empty where none had any.

    Of weights that are within a decade of that one, the one nearest the input: its account tells most.
    """
    sizes = {name: flow.cotangents[index] for name, index in flow.topology.leaves().items()}
    usable = {name: size for name, size in sizes.items() if size > 0 and math.isfinite(size)}
    leaves = flow.topology.leaves()
    weights = {name: usable[name] for name in weights_of(flow) if name in usable}
    pool = weights or usable
    away = {name: abs(math.log10(size) - _log(started(flow))) for name, size in pool.items()}
    alike = [name for name in pool if away[name] >= max(away.values()) - ALIKE]
    return max(alike, key=lambda name: used_at(flow, leaves[name]), default="")


def weights_of(flow: Flow) -> dict[str, int]:
    """The leaves that are matrices and more, by name; biases and scales say little about depth."""
    operations = flow.topology.operations
    return {name: leaf for name, leaf in flow.topology.leaves().items() if max(map(len, operations[leaf].shapes)) > 1}


def used_at(flow: Flow, leaf: int) -> int:
    """How far from the loss a leaf is used, by the operation nearest the loss that uses it."""
    return min((flow.topology.edges[edge].sender for edge in flow.arriving[leaf]), default=0)


def _reached(flow: Flow, name: str) -> bool:
    return name in flow.topology.leaves() and flow.cotangents[flow.topology.leaves()[name]] > 0


def _badness(flow: Flow) -> float:
    """Decades between the loss and the weight furthest from it; infinite where anything is non-finite."""
    if not all(map(math.isfinite, flow.cotangents)):
        return math.inf
    target = furthest(flow)
    return abs(math.log10(flow.cotangents[flow.topology.leaves()[target]]) - _log(started(flow))) if target else 0.0


def _log(size: float) -> float:
    return math.log10(size) if size > 0 and math.isfinite(size) else 0.0
