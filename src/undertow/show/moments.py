"""Which of the observed passes to show, and the account of the gradient in each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from undertow.diagnose.finding import Finding
from undertow.engine.flow import Attribution, Flow
from undertow.store.records import Pass
from undertow.store.run import Run

__all__ = ["Moment", "moments", "started"]


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
    """The passes to show, the worst first: for each site the worst, the first and the last."""
    wanted = "" if cause is None else str(cause.evidence.get("parameter", ""))
    found = []
    for site in sorted({seen.site for seen in run.passes}):
        source = run.sites[site].source if len(run.sites) > site else ""
        for why, seen in _chosen([seen for seen in run.passes if seen.site == site]).items():
            target = wanted if _reached(seen.flow, wanted) else furthest(seen.flow)
            account = seen.flow.attribute(target) if target else None
            found.append(Moment(seen, why, source, target, account))
    return sorted(found, key=lambda moment: -_badness(moment.seen.flow))


def _chosen(passes: list[Pass]) -> dict[str, Pass]:
    worst = max(passes, key=lambda seen: _badness(seen.flow))
    reasons: dict[int, list[str]] = {}
    for why, seen in (("first", passes[0]), ("worst", worst), ("last", passes[-1])):
        reasons.setdefault(id(seen), []).append(why)
    by_id = {id(seen): seen for seen in passes}
    return {", ".join(why): by_id[key] for key, why in reasons.items()}


def started(flow: Flow) -> float:
    """The norm that the pass started with at the loss."""
    return math.hypot(*flow.seeds) / flow.scale if flow.seeds else math.nan


def furthest(flow: Flow) -> str:
    """The weight whose gradient is the most decades away from the loss's; empty where none had any."""
    sizes = {name: flow.cotangents[index] for name, index in flow.topology.leaves().items()}
    usable = {name: size for name, size in sizes.items() if size > 0 and math.isfinite(size)}
    operations = flow.topology.operations
    leaves = flow.topology.leaves()
    weights = {name: size for name, size in usable.items() if max(map(len, operations[leaves[name]].shapes)) > 1}
    pool = weights or usable
    return max(pool, key=lambda name: abs(math.log10(pool[name]) - _log(started(flow))), default="")


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
