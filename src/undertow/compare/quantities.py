"""What two runs did, step by step: their loss, their gradients, their updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undertow.compare.course import NOTHING, Parting, part, part_of_losses
from undertow.compare.difference import Difference
from undertow.diagnose.outcome import main_losses
from undertow.store import Run
from undertow.store.updates import Updates

__all__ = ["alike", "flow", "loss", "pace"]

Floats = NDArray[np.float64]
Course = tuple[NDArray[np.int64], Floats]

QUANTITIES: dict[str, Callable[[Updates], Floats]] = {
    "gradient": lambda update: update.gradient,
    "update": lambda update: update.update,
    "weight": lambda update: update.weight,
    "rate": lambda update: update.rate,
}
"""What is compared of each parameter: norms, and the learning rate in force."""

ROUNDING = 1e-6
"""A gradient this small beside that of another parameter of its module is no more than what rounding leaves, as that of
a bias before batch normalisation, which is nothing in exact arithmetic: sixteen units of float32's rounding."""

TOGETHER = 0.5
"""Partings whose first steps are this near, as a part of the run, count as one."""

SLOWER = 1.25
"""Factor between the times of a step from which on they are told."""


def _common(left: Run, right: Run) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The losses of the steps that both runs made; the last one of a step where there are several."""
    ours, theirs = main_losses(left), main_losses(right)
    if ours is None or theirs is None:
        return np.array([], dtype=np.int64), np.array([]), np.array([])
    one, other = (dict(zip(seen.steps.tolist(), seen.values.tolist(), strict=True)) for seen in (ours, theirs))
    steps = sorted(one.keys() & other.keys())
    return np.array(steps, dtype=np.int64), np.array([one[s] for s in steps]), np.array([other[s] for s in steps])


def alike(left: Run, right: Run) -> tuple[int, int]:
    """How many losses both runs have, and how many first ones are the same to the last digit."""
    _, ours, theirs = _common(left, right)
    equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return len(equal), len(equal) if equal.all() else int(np.argmin(equal))


def loss(left: Run, right: Run) -> Iterator[Difference]:
    """The loss, if it parts."""
    parting = part_of_losses(*_common(left, right))
    if parting is not None:
        yield _told("loss", "", parting)


def flow(left: Run, right: Run) -> Iterator[Difference]:
    """What of the parameters parts; those that part alike, at about the same step, are told as one."""
    names = {parameter.name: number for number, parameter in enumerate(right.parameters)}
    matched = [(p, number, names[p.name]) for number, p in enumerate(left.parameters) if p.name in names]
    if not matched or not left.updates or not right.updates:
        return
    for kind in QUANTITIES:
        courses, others = _courses(left, kind), _courses(right, kind)
        parted = [
            _told(kind, parameter.name, parting)
            for parameter, ours, theirs in matched
            if (parting := part(*_aligned(courses(ours), others(theirs)), parameter.size)) is not None
        ]
        yield from _gathered(parted, max(left.steps, right.steps))


def _aligned(ours: Course, theirs: Course) -> tuple[NDArray[np.int64], Floats, Floats]:
    """A parameter's size in both runs, at the sampled steps of the first that lie among those of the second."""
    (steps, sizes), (others, known) = ours, theirs
    if not len(others):
        return others, known, known
    within = (steps >= others[0]) & (steps <= others[-1])
    at = steps[within]
    between = np.interp(np.log1p(at), np.log1p(others), np.log(np.maximum(known, NOTHING)))
    return at, sizes[within], np.exp(between)


def _courses(run: Run, kind: str) -> Callable[[int], Course]:
    """The steps at which a parameter's size is known, and that size, by the parameter's number."""
    steps = np.array([update.step for update in run.updates], dtype=np.int64)
    sizes = np.array([QUANTITIES[kind](update) for update in run.updates])
    if kind == "gradient":
        sizes[sizes <= ROUNDING * _greatest(run, sizes)] = 0.0

    def course(number: int) -> Course:
        known = np.isfinite(sizes[:, number])
        return steps[known], sizes[known, number]

    return course


def _greatest(run: Run, sizes: Floats) -> Floats:
    """For each parameter the greatest size among those of its module."""
    greatest: dict[str, Floats] = {}
    for parameter, course in zip(run.parameters, np.nan_to_num(sizes.T), strict=True):
        greatest[parameter.module] = np.maximum(course, greatest.get(parameter.module, course))
    return np.array([greatest[parameter.module] for parameter in run.parameters]).T


def _told(kind: str, name: str, parting: Parting) -> Difference:
    decades = math.nan
    if parting.left >= 0 and parting.right >= 0:
        decades = math.log10(max(parting.right, NOTHING) / max(parting.left, NOTHING))
    return Difference(kind, name, _size(parting.left), _size(parting.right), parting.since, decades)


def _size(value: float) -> str:
    return "0" if abs(value) < 2 * NOTHING else f"{value:.3g}"


def _gathered(parted: list[Difference], steps: int) -> Iterator[Difference]:
    """The greatest of each bundle of differences in the same direction and from about the same step on."""
    left = sorted(parted, key=lambda difference: -abs(difference.decades))
    while left:
        first = left[0]
        alike = [d for d in left if d.decades * first.decades > 0 and abs(d.since - first.since) <= TOGETHER * steps]
        yield replace(first, others=len(alike) - 1)
        left = [d for d in left if d not in alike]


def pace(left: Run, right: Run) -> Iterator[Difference]:
    """The time that a step takes."""
    ours, theirs = _seconds(left), _seconds(right)
    if ours > 0 and theirs > 0 and not 1 / SLOWER < theirs / ours < SLOWER:
        decades = math.log10(theirs / ours)
        yield Difference("pace", "", f"{ours:.3g} s a step", f"{theirs:.3g} s a step", decades=decades)


def _seconds(run: Run) -> float:
    """The median time of a step."""
    seen = main_losses(run)
    if seen is None or len(seen.steps) < 3:
        return 0.0
    last = np.flatnonzero(np.diff(seen.steps, append=seen.steps[-1] + 1))
    return float(np.median(np.diff(seen.seconds[last]))) if len(last) > 2 else 0.0
