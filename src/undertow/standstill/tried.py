"""Short trainings onward from where a training stands, and how they end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from undertow.noise import Estimate
from undertow.noise.estimate import total
from undertow.standstill.training import Training
from undertow.standstill.trials import Trial

__all__ = ["Plan", "Tried", "above_zero", "mean", "tried"]

LOOKS = 4
"""How often the loss over all batches is looked at in the second quarter of a trial, and in the last."""


SURE = 0.997
"""How sure it is that a start above this is no loss like those at the end: what three standard deviations are."""


@dataclass(frozen=True)
class Plan:
    """How long trials are, how often they are repeated, and what counts.

    Attributes:
        steps: Of each trial.
        repeats: Of those that depend on the order of the batches.
        worth: The least fall of the loss, over the steps of a trial, that is worth having.
    """

    steps: int
    repeats: int
    worth: float


@dataclass(frozen=True)
class Tried:
    """How a trial went.

    Attributes:
        what: What was done otherwise.
        ends: The mean loss over its last quarter, of each repeat.
        fall: By how much the loss falls over all its steps, at the pace from its second quarter to its last.
        since: By how much a loss of its last quarter lies below the one at the start, of all repeats. The error is that
            of one more such loss against them: the start is one, if nothing has changed since.
        fell: By how much it lies lower at the end than at the start, the mean of all repeats.
        promised: By how much it would if the gradient of the start held all the way. For a convex loss that is never
            less than it fell: where it is, the gradient grew on the way.
    """

    what: str
    ends: Sequence[float]
    fall: Estimate
    since: Estimate
    fell: float
    promised: float

    def falls(self, worth: float) -> bool:
        """Whether the loss still falls by what is worth having: all along, or from the start and then no more."""
        at_once = self.since.value > worth and self.since.interval(SURE)[0] > 0
        return at_once or (self.fall.value > worth and above_zero(self.fall))

    def gain(self, other: Tried) -> Estimate:
        """By how much the loss ends lower than in another trial, whose repeats saw the batches in the same order."""
        return _estimated([theirs - ours for ours, theirs in zip(*_alike(self.ends, other.ends), strict=True)])

    def helps(self, other: Tried, worth: float) -> bool:
        """Whether it ends lower than another by what is worth having, and by more than chance gives."""
        gain = self.gain(other)
        return gain.value > worth and above_zero(gain)


def above_zero(estimate: Estimate) -> bool:
    """Whether it is above 0 for sure, 95 times in 100."""
    return estimate.interval(0.9)[0] > 0  # of which half lies on either side


def tried(training: Training, trial: Trial, plan: Plan, gradient: Sequence[Tensor]) -> Tried:
    """Go onward from where the training stands, as often as is planned, and leave all as it was."""
    repeats = plan.repeats if trial.random(training) else 1
    courses = [_course(training, trial, plan.steps, seed, gradient) for seed in range(repeats)]
    return Tried(
        what=str(trial),
        ends=[mean(course.late) for course in courses],
        fall=_paced(courses),
        since=_one_more([course.start - late for course in courses for late in course.late]),
        fell=mean([course.start - course.late[-1] for course in courses]),
        promised=mean([course.promised for course in courses]),
    )


@dataclass(frozen=True)
class _Course:
    """The loss at the start of a trial, in its second quarter and in its last, and what the gradient promised."""

    start: float
    early: Sequence[float]
    late: Sequence[float]
    promised: float


def _course(training: Training, trial: Trial, steps: int, seed: int, gradient: Sequence[Tensor]) -> _Course:
    early, late = _looks(steps, 0.25, 0.5), _looks(steps, 0.75, 1.0)
    seen: dict[int, float] = {}
    start = training.loss(seed)
    before = [parameter.detach().clone() for parameter in training.parameters.values()]
    with training.untouched():
        torch.manual_seed(seed)
        trial.prepare(training)
        for step, number in enumerate(_order(len(training.batches), steps, seed), 1):
            trial.step(training, training.batches[number])
            if step in early or step in late:
                seen[step] = training.loss(seed)
        moved = zip(gradient, before, training.parameters.values(), strict=True)
        promised = sum(float((g * (start - end.detach())).sum()) for g, start, end in moved)
    return _Course(start, [seen[step] for step in early], [seen[step] for step in late], promised)


def _looks(steps: int, start: float, end: float) -> list[int]:
    """Steps after which to look, evenly spread over a part of a trial, its end included.

    They are an odd number of steps apart: what jumps from side to side is seen on both.
    """
    every = max(1, round((end - start) * steps / LOOKS))
    every -= 1 - every % 2
    return sorted({max(1, round(end * steps) - every * back) for back in range(LOOKS)})


def _order(batches: int, steps: int, seed: int) -> list[int]:
    """Which batch each step takes: all in turn, shuffled anew each time round."""
    chance = torch.Generator().manual_seed(seed)
    rounds = [torch.randperm(batches, generator=chance) for _ in range(-(-steps // batches))]
    return torch.cat(rounds)[:steps].tolist()


def mean(losses: Sequence[float]) -> float:
    """Of losses that were looked at."""
    return sum(losses) / len(losses)


def _paced(courses: Sequence[_Course]) -> Estimate:
    """The fall from quarter to quarter, with the larger of two errors: from repeat to repeat, and from look to look."""
    across = _estimated([2 * (mean(course.early) - mean(course.late)) for course in courses])
    within = [total([_estimated(course.early), _estimated(course.late)]).times(2) for course in courses]
    return replace(max(across, *within, key=lambda estimate: estimate.error), value=across.value)


def _one_more(values: Sequence[float]) -> Estimate:
    """Their mean, with the error of one more of them against it."""
    middle = _estimated(values)
    return replace(middle, error=middle.error * math.sqrt(len(values) + 1))


def _alike(ours: Sequence[float], theirs: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """One end for each of the other's, where a trial needed no repeats."""
    count = max(len(ours), len(theirs))
    return [*ours] * (count // len(ours)), [*theirs] * (count // len(theirs))


def _estimated(values: Sequence[float]) -> Estimate:
    """With its standard error; of a loss that is no number any more, minus infinity."""
    if not all(map(math.isfinite, values)):
        return Estimate(-math.inf, 0.0)
    middle = mean(values)
    if len(values) == 1:
        return Estimate(middle, 0.0)
    variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return Estimate(middle, math.sqrt(variance / len(values)), len(values) - 1)
