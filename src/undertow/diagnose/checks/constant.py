"""Targets that never change."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import LIMITS, VIEWS, below, names_in
from undertow.diagnose.checks.likenesses import likenesses, ones_alone
from undertow.diagnose.checks.targets import BINARY
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass, Target

__all__: list[str] = []

DISTANCES = ("Abs", "HuberLoss", "L1Loss", "MseLoss", "Mul", "Pow", "SmoothL1Loss")


ROUNDING = 1e-6
"""Of 1, or of a target that is larger: targets that are had back from a residual are off by that."""


def seen_targets(case: Case) -> list[tuple[Pass, Target]]:
    return [(p, p.target) for p in case.passes if p.target is not None]


@diagnosis(
    "UT504",
    "constant-targets",
    message="all {count} targets seen are {which}",
    advice="Look at how the labels are made and read: a wrong column, a comparison that is never true, "
    "a loader that stays in one folder.",
    source="by definition: what never changes need not be learned",
)
def constant_targets(case: Case) -> Found:
    """Targets that never change.

    ## What it means
    A bias alone answers always right, or vectors that all point one way, where scores are products of them. The loss
    falls to 0 and nothing is learned of the inputs. The same of a loss written as minus the logarithm of a sigmoid,
    averaged over scores that nothing is taken off: without negatives it asks for 1 throughout.

    ## When it is harmless
    Where the scores are similarities and the right one of several stands in a fixed place, as in contrastive learning:
    these are told by their scores coming from no layer with a bias, and are not reported. Nor are differences of
    scores.

    ## What to do
    Print a batch of targets.
    """
    targets = [(p, t) for p, t in seen_targets(case) if t.counts]
    if not targets:
        yield from _constant_binary(case)
        yield from _constant_numbers(case)
        yield from _without_others(case)
    steps = {p.step for p, _ in targets}
    if len(steps) < 3 or not _stay(case, max(steps)) or len(case.run.optimizers) > 1:
        return
    sizes = {len(t.counts) for _, t in targets}
    if len(sizes) != 1 or sizes == {1}:
        return
    counts = np.sum([t.counts for _, t in targets], axis=0)
    observed = targets[0][0]
    if (counts > 0).sum() != 1 or counts.sum() < 20 or not _has_bias(observed, targets[0][1].operation):
        return
    label, classes = int(counts.argmax()), len(counts)
    which = f"of one class, number {label}, of {classes}"
    yield {"count": int(counts.sum()), "label": label, "classes": classes, "which": which, "harm": 0.9}


def _constant_binary(case: Case) -> Found:
    """The same of targets of 0 and 1, where one binary cross-entropy is all the loss: two may have one label each."""
    targets = [(p, t) for p, t in seen_targets(case) if names_in(p)[t.operation] in BINARY]
    steps = {p.step for p, _ in targets}
    if len(steps) < 3 or not _stay(case, max(steps)) or len(case.run.optimizers) > 1 or len(case.run.sites) > 1:
        return
    label, count = targets[0][1].low, sum(math.prod(t.shape) for _, t in targets)
    constant = all(t.low == t.high == label and t.whole for _, t in targets) and label in (0.0, 1.0)
    observed, index = targets[0][0], targets[0][1].operation
    if constant and count >= 20 and (_has_bias(observed, index) or likenesses(observed, index)):
        yield {
            "count": count,
            "label": int(label),
            "classes": 2,
            "which": f"{label:.0f}, and never {1 - label:.0f}",
            "harm": 0.9,
        }


def _constant_numbers(case: Case) -> Found:
    """The same of numbers that a loss compares with what comes out of a layer: its bias alone answers them."""
    targets = [(p, t) for p, t in seen_targets(case) if names_in(p)[t.operation].startswith(DISTANCES)]
    steps = {p.step for p, _ in targets}
    if len(steps) < 3 or not _stay(case, max(steps)) or len(case.run.optimizers) > 1 or len(case.run.sites) > 1:
        return
    number, count = targets[0][1].low, sum(math.prod(t.shape) for _, t in targets)
    if (
        all(t.low == t.high == number for _, t in targets)
        and count >= 20
        and _has_bias(targets[0][0], targets[0][1].operation)
    ):
        yield {"count": count, "which": f"the same number, {number:.3g}", "harm": 0.9}


def _without_others(case: Case) -> Found:
    """A likelihood written by hand that asks for 1 throughout, in every pass that was observed."""
    passes, made = case.passes, {p.step for p in case.passes}
    if len(made) < 3 or not _stay(case, max(made)) or len(case.run.optimizers) > 1 or len(case.run.sites) > 1:
        return
    asked = [ones_alone(observed) for observed in passes]
    if all(asked) and sum(asked) >= 20:
        yield {"count": sum(asked), "label": 1, "classes": 2, "which": "1, and never 0", "harm": 0.9}


def _stay(case: Case, seen: int) -> bool:
    """Whether targets were seen until late, or the loss tells that no others came: they would have raised it."""
    losses = case.losses()
    return seen >= case.run.steps / 2 or bool(len(losses) > seen + 1 and losses[seen:].max() < losses[0])


def _has_bias(observed: Pass, index: int) -> bool:
    """Whether the scores of a loss come out of a layer, as they are or as probabilities."""
    names = names_in(observed)
    through = VIEWS | LIMITS | {"LogSoftmaxBackward0", "SigmoidBackward0", "SubBackward0"}
    producers = {names[i] for i in below(observed, index, through)}
    return producers <= {"AddmmBackward0", "ConvolutionBackward0", "MkldnnConvolutionBackward0"} and bool(producers)
