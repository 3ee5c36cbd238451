"""Learning rates: too high from the start, raised too high, and too low."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import LITTLE, Case
from undertow.diagnose.checks.groups import STANDING, standing_head, standing_trunk
from undertow.diagnose.checks.slow import promises_kept
from undertow.diagnose.raised import Raised, raised
from undertow.diagnose.table import Found, diagnosis

__all__ = ["JUMPED", "oversized"]

TOO_LARGE = 0.1
"""Share of its own size by which a typical weight matrix moves in one step; about 1e-3 is usual."""

SHORT = 0.25
"""As `STANDING`, of what the steps brought the losses of their own batches, to first order, as they were made: a
network that has learned has come farther on both counts (of the gallery's healthy ones that have most still to
learn, the least by 0.4 and 0.9)."""

USUAL = 1e-3
"""Of its size that a weight moves at a step, usually: in fewer steps than take it so far, nothing is said."""

FIRST_STEPS = 10

JUMPED = 5.0
"""Times its first value that a loss rises to where the first steps undid what was there."""


@diagnosis(
    "UT301",
    "learning-rate-too-high",
    act="made",
    message="{story}",
    advice="{remedy}",
    source="update ratio: Karpathy, CS231n notes; stability limit: Cohen et al. 2021, arXiv:2103.00065",
)
def learning_rate_too_high(case: Case) -> Found:
    """Steps so large that they leave the region where the gradient means anything.

    ## What it means
    A step follows the gradient at one point. Where it moves the weights by a large part of their own size, the
    loss after it has little to do with the slope before it: it jumps, oscillates, or lands on a plateau where
    units are dead. What counts is what the optimizer really did, not the number in its settings.

    A rate may also be raised past what the training bears, by a schedule or by hand: training brings the curvature
    to where the rate in force is just stable, so a higher one is not. That is said where more than half of what the
    loss had gained came undone after the rate had been raised above the one under which it fell.

    ## When it is harmless
    In the first steps from a tiny or zero initialisation. Where the loss falls, large first steps are reported only if
    they threw it up, are as large at the end or left most to learn: a remark, unless a typical weight matrix still
    moves by a twentieth of its size at each step at the end and little was learned, or units were damaged later, which
    they then explain. A raise that the loss comes back from, as in cycles and restarts, is not reported.

    ## What to do
    Lower the rate, warm up, or clip the gradient.
    """
    facts, later = oversized(case), raised(case)
    if later is not None:
        yield _told(later) | {"last": case.outcome.last}
    elif facts is not None and (_thrown(facts) or not case.learned or case.learned_little):
        factor = 10.0 ** max(1, math.ceil(math.log10(facts["ratio"] / 0.01)))
        yield facts | {
            "story": _story(facts["ratio"], facts["loss_jump"]),
            "remedy": f"Divide the learning rate by {factor:.0f} (it is {facts['rate']:g}), or warm up to it.",
            "harm": _harm(case, facts),
        }


HARM_OF_RAISES = 0.85


def _told(later: Raised) -> dict[str, Any]:
    return {
        "story": f"the loss had come down to {later.least:.3g} under a learning rate of {later.rate:.2g}; the rate was "
        f"raised to {later.raised:.2g}, and after step {later.step} {later.lost:.0%} of what had been gained was lost",
        "remedy": f"Keep the learning rate at or below {later.rate:.2g}: look at what the schedule does around step "
        f"{later.step}.",
        "step": later.step,
        "least": later.least,
        "rate": later.rate,
        "last_rate": later.raised,
        "onset": "raise",
        "harm": HARM_OF_RAISES,
    }


def _harm(case: Case, facts: Mapping[str, float]) -> float:
    damaged = _thrown(facts) or (not case.outcome.runaway and (_risen(case) or _grown(case) >= 3))
    still_large = facts["late_ratio"] >= TOO_LARGE / 2 and case.skill < LITTLE
    partly = 0.6 if facts["loss_jump"] >= JUMPED or still_large else 0.1
    return case.harm(0.9, 0.4, 0.1, partly) if damaged else case.harm(0.4, 0.3, 0.1)


def _risen(case: Case) -> bool:
    return case.outcome.last > case.outcome.first


def _thrown(facts: Mapping[str, float]) -> bool:
    """Whether the first steps threw the loss up, or steps are still large at the end."""
    return facts["loss_jump"] >= 2 or facts["late_ratio"] >= TOO_LARGE / 2


def _story(peak: float, jumped: float) -> str:
    extent = f"{peak:.0%} of" if peak < 10 else f"{peak:.3g} times"
    jump = f", and the loss rose {jumped:.3g}-fold" if jumped < math.inf else ", and the loss left the numbers"
    return (
        f"in its first steps the optimizer moved a typical weight matrix by {extent} its own size at once "
        f"(about 0.1 % is usual){jump if jumped >= 2 else ''}"
    )


def oversized(case: Case) -> dict[str, float] | None:
    """How much too large the steps were, or `None` where they were not."""
    ratios = case.typical_ratios()
    losses = case.losses()
    early = [ratio for step, ratio in ratios if step < case.start + FIRST_STEPS]
    if not early or not len(losses) or not math.isfinite(losses[0]):
        return None
    jumped, peak = _jump(losses), max(ratio for _, ratio in ratios)
    # What leaves the numbers before the loss has risen was born of something else, such as a root at 0.
    rose = jumped if math.isfinite(jumped) else _jump(losses[np.isfinite(losses)])
    if not (max(early) >= TOO_LARGE or (rose >= 2 and peak >= TOO_LARGE / 5)):
        return None
    rate = next((float(r) for u in case.finite_updates for r in u.rate if math.isfinite(r)), math.nan)
    return {
        "ratio": peak,
        "late_ratio": _late(case, ratios),
        "rate": rate,
        "loss_jump": jumped,
        "weights_grown": _grown(case),
    }


def _late(case: Case, ratios: Sequence[tuple[int, float]]) -> float:
    """The ratio of the last observed step; 0 where none was observed that tells of the run's second half."""
    step, ratio = ratios[-1]
    return ratio if 2 * step >= case.start + case.outcome.steps else 0.0


def _jump(losses: NDArray[np.float64]) -> float:
    """How many times its first value the loss reached in the first steps; infinite if it left the numbers."""
    first, after = abs(losses[0]), losses[1 : 2 * FIRST_STEPS]
    if not len(after) or first == 0:
        return 1.0
    return math.inf if not np.isfinite(after).all() else float(max(after.max() / first, 1.0))


def _grown(case: Case) -> float:
    """How many times its first norm a typical weight matrix reached."""
    norms = [u.weight[case.weights] for u in case.finite_updates]
    if len(norms) < 2:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = norms[-1] / norms[0]
    return float(np.median(grown[np.isfinite(grown)])) if np.isfinite(grown).any() else 1.0


@diagnosis(
    "UT302",
    "learning-rate-too-low",
    act="made",
    message="{story}",
    advice="{remedy}",
    source="Cauchy-Schwarz inequality on the first-order change of the loss",
)
def learning_rate_too_low(case: Case) -> Found:
    """Steps so small that the network stays what it was made.

    ## What it means
    A step changes the loss by at most the norm of the update times the norm of the gradient. This bound is
    added up over all steps and parameters, as the optimizer really made them: if even that is a small part of
    the loss, the network cannot have learned, whatever its gradients say. Less strictly, what the steps as they were
    made brought the loss of their own batches, to first order, is added up: where that is a small part of the loss, and
    no weight has moved by much of its size, more was not asked for. Rates differ between parameter groups, and a
    head whose group has a hundredth of the others' rate or less, or none, may stay what it was made while all that it
    reads moves: its own steps are added up in the same way. So are those of most of the weights, where their groups
    have so little, and nothing is learned. And where a loss at or above that of guessing still falls, by all that plain
    gradient descent promised and too slowly to get anywhere in as many steps again: a step along a gradient takes off
    1 - ηλ/2 of its promise, at a rate η and a curvature λ along it, and at ηλ = 2 it would gain nothing.

    ## When it is harmless
    In fine-tuning, where little has to move and the loss is low from the start: then it is not reported, nor of any
    loss that is below half of that of guessing. A trunk that
    moves less than its head is how fine-tuning is done.

    ## What to do
    Raise the rate; look for the range where the loss falls fastest.
    """
    outcome, head = case.outcome, [*standing_head(case)] or [*standing_trunk(case)]
    yield from head
    if (
        head
        or (case.learned and not case.learned_little)
        or outcome.kind == "non-finite"
        or outcome.steps < 20
        or not outcome.first > 0
    ):
        return
    rates = _course(case)
    gradients = [float(np.nanmax(u.gradient)) for u in case.finite_updates if np.isfinite(u.gradient).any()]
    if len(rates) < 2 or not gradients or max(gradients) == 0:
        return
    whole, lately = case.promised(0.0) / outcome.first, case.promised(1 / 3) / outcome.first
    moved, brought = case.moved(0.0), case.brought() / outcome.first
    decayed = rates[-1] < rates[0] / 100 and (moved < SHORT or not case.learned)  # or else the loss came to a stand
    short = max(moved, brought) < SHORT < USUAL * outcome.steps
    still = short or max(whole, moved) < STANDING
    if not (still or (decayed and lately < STANDING / 4)):
        yield from promises_kept(case, rates)
        return
    decayed = decayed and not still
    share = lately if decayed else whole
    since = f"the last two thirds of {outcome.steps} steps" if decayed else f"all {outcome.steps} steps"
    most = f"{100 * share:.2g}%"
    bound = f"had every one of {since} gone straight downhill, the loss could have fallen by no more than {most}"
    yield {
        "act": "scheduled" if rates[-1] < rates[0] / 100 else "made",
        "story": f"{since}, as they were made, brought the losses of their own batches down by {brought:.1%} of the "
        f"first one, to first order, and no weight matrix can have moved by more than {moved:.0%} of its size"
        if short and share >= STANDING
        else bound,
        "share": share,
        "moved": case.moved(1 / 3 if decayed else 0.0),
        "rate": rates[0],
        "last_rate": rates[-1],
        "remedy": STRETCH.format(highest=max(rates), last=rates[-1])
        if decayed or _died(case, max(whole, moved))
        else f"Raise the learning rate (it is {max(rates):g}) at least {_fold(share):.0f}-fold.",
        "harm": case.harm(0.9, 0.3, 0.0, 0.6),
    }


def _died(case: Case, came: float) -> bool:
    """Whether the rate was next to nothing for half of the run, and steps at its highest would have come far."""
    pace = case.pace
    return bool(np.median(pace) < DEAD and came >= STANDING * pace.mean())


STRETCH = (
    "The learning rate fell from {highest:g} to {last:.1g} too soon: stretch its schedule. One that counts epochs and "
    "is stepped after each batch ends so."
)

DEAD = 0.01
"""Of its highest: at a rate that has fallen so far, a training has ended."""


def _course(case: Case) -> list[float]:
    """The highest of the rates in force, step by step; of a loop that has no optimizer, as far as it was seen."""
    courses = [rate.at(np.arange(case.start, case.outcome.steps)) for rate in case.run.rates]
    if courses:
        return [float(rate) for rate in np.max(courses, axis=0)]
    return [float(np.nanmax(u.rate)) for u in case.finite_updates if np.isfinite(u.rate).any()]


def _fold(share: float) -> float:
    """The power of ten that would bring a share to 1."""
    return float(10.0 ** math.ceil(-math.log10(max(share, 1e-12))))
