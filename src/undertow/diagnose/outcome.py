"""How a training went, by its loss alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.chance import chance_error, chance_loss, least_loss, undecided_loss
from undertow.diagnose.finding import Outcome
from undertow.diagnose.heading import heading
from undertow.diagnose.runaway import chance_of_runaway
from undertow.store import Losses, Run

__all__ = ["ALREADY", "SHORTEST", "SKILL", "jitter", "judge_outcome", "main_losses", "main_site", "undecided"]

SKILL = 0.05
"""A network has learned something when its loss is this much below that of ignoring the input."""

ALREADY = 0.3
"""A network whose loss is this much below chance has learned before, even if it learns no more."""

SHORTEST = 10
"""Losses needed to say anything of a run."""


def main_site(run: Run) -> int | None:
    """The place that starts most backward passes in the last half of the run: what it trains in the end.

    Of several that start as many, the last one of a step with one optimizer: gradients that enter a loss are taken
    before it is. With several optimizers, the first.
    """
    sizes, one = _late_counts(run), len(run.optimizers) == 1
    return max(sizes, key=lambda site: (sizes[site], site if one else -site)) if sizes else None


def main_losses(run: Run) -> Losses | None:
    """The losses of that place; `None` of a run that has none."""
    site = main_site(run)
    return None if site is None else run.losses[site]


def judge_outcome(run: Run) -> Outcome:
    """Whether the loss fell, stood still, rose or ceased to be a number."""
    site = main_site(run)
    if site is None:
        return Outcome("unknown", math.nan, math.nan, math.nan, math.nan, run.steps)
    values = run.losses[site].values
    passes = [p for p in run.passes if p.site == site and p.target is not None]
    targets = [p.target for p in passes if p.target is not None]
    chance, doubt = chance_loss(targets, _kind(run, site)), chance_error(targets, _kind(run, site))
    own = chance_of_runaway(run.losses[site], passes, _kind(run, site))
    chance, doubt = (own, math.nan) if own > 0 else (chance, doubt)
    finite = values[np.isfinite(values)]
    first, last = _start(finite), _end(finite)
    noise = _noise(finite)
    drop = (first - last) / noise if noise > 0 else math.copysign(math.inf, first - last) if first != last else 0.0
    floor = least_loss(targets)
    kind = _kind_of_outcome(values - floor, chance - floor, first - floor, last - floor, noise)
    within = chance - floor + (doubt if doubt > 0 else 0.0)
    if kind == "stalled" and _perhaps_below(finite - floor, within, first - floor, last - floor):
        kind = "falling"
    if kind in {"stalled", "diverged"} and (_adversarial(run) or _in_turn(run)):
        kind = "unknown"
    return Outcome(kind, first, last, chance, drop, run.steps, doubt, floor, own > 0)


def _kind_of_outcome(values: NDArray[np.float64], chance: float, first: float, last: float, noise: float) -> str:
    tail = values[-max(1, len(values) // 20) :]
    if len(values) and not np.isfinite(tail).any():
        return "non-finite"
    if len(values) < SHORTEST:
        return "unknown"
    finite = values[np.isfinite(values)]
    spread = 3 * noise / math.sqrt(max(1, len(finite) // 10))
    if chance > 0:
        if _below(chance, first, last):
            return "learned"
        return "diverged" if last > 2 * max(first, chance) else "stalled"
    return _by_course(finite, first, last, spread)


def _perhaps_below(values: NDArray[np.float64], chance: float, first: float, last: float) -> bool:
    """Whether a loss would have learned in as many steps again, give or take the errors: it is not shown to stand."""
    return chance > 0 and _below(chance, first, min(last, sum(heading(values))))


def _below(chance: float, first: float, last: float) -> bool:
    return last < (1 - SKILL) * chance and (first - last > SKILL * chance or last < (1 - ALREADY) * chance)


def _by_course(values: NDArray[np.float64], first: float, last: float, spread: float) -> str:
    """Where chance is not known, a loss tells only by its course; one below 0 need not fall at all."""
    if last > 10 * abs(first) + spread:
        return "diverged"
    if first - last > max(spread, SKILL * abs(first)):
        return "learned"
    if values.min() < 0:
        return "unknown"
    best = _best(values)
    lost = best < first - spread and last > best + 0.5 * (first - best) + spread
    return "diverged" if lost or last > 2 * first + spread else "stalled"


def _start(values: NDArray[np.float64]) -> float:
    return float(values[: max(1, min(3, len(values) // 10))].mean()) if len(values) else math.nan


def _end(values: NDArray[np.float64]) -> float:
    return float(values[-max(1, len(values) // 10) :].mean()) if len(values) else math.nan


def _best(values: NDArray[np.float64]) -> float:
    """The least mean over a tenth of the run."""
    width = max(1, len(values) // 10)
    return float(np.convolve(values, np.full(width, 1 / width), mode="valid").min())


def jitter(values: NDArray[np.float64]) -> Any:
    """The standard deviation of values about whatever they follow, by the median of steps; `nan` of fewer than two.

    The absolute difference of two normal numbers has a median of 0.954 standard deviations of one. Of several rows, one
    number each.
    """
    with np.errstate(invalid="ignore"):
        steps = np.abs(np.diff(values))
    return np.median(steps, axis=-1) / 0.954 if steps.size else math.nan


def _noise(values: NDArray[np.float64]) -> float:
    """From one batch to the next, over the second half."""
    return float(jitter(values[len(values) // 2 :]))


def _kind(run: Run, site: int) -> str:
    for observed in run.passes:
        if observed.site == site and observed.target is not None:
            return observed.flow.topology.operations[observed.target.operation].name
    return ""


def undecided(run: Run) -> float:
    """What a network loses there whose answers are all 0; `nan` where that is not known."""
    site = main_site(run)
    if site is None:
        return math.nan
    return undecided_loss([p.target for p in run.passes if p.site == site and p.target is not None], _kind(run, site))


def _adversarial(run: Run) -> bool:
    """Whether several optimizers train on several losses at a time, which then need not fall."""
    counts = _late_counts(run).values()
    return len(run.optimizers) > 1 and sum(count > 0.2 * sum(counts) for count in counts) > 1


def _in_turn(run: Run) -> bool:
    """Whether optimizers are made and let go of every few steps, each with a network of its own, as in meta-learning.

    Their losses are no one course: each begins where the last one did.
    """
    leaders = int(run.meta.get("leaders", 1))
    return leaders > 1 and run.steps < SHORTEST * leaders


def _late_counts(run: Run) -> dict[int, int]:
    """Backward passes of each site in the last half of the run."""
    end = max((losses.steps[-1] for losses in run.losses.values()), default=0)
    return {site: int((losses.steps >= end // 2).sum()) for site, losses in run.losses.items()}
