"""Faults that show in the course of the loss."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.course import Spike, spikes
from undertow.diagnose.finding import Outcome
from undertow.diagnose.outcome import ALREADY, SKILL, jitter
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

AT_CHANCE = 0.1
"""How near the loss of chance counts as at it."""


@diagnosis(
    "UT701",
    "plateau-at-chance",
    message="after {steps} steps the loss is {last:.3g}, and answering without looking at the input "
    "gives {chance:.3g}{give_or_take}",
    advice="Nothing was found that keeps the gradient from flowing: look at whether the labels belong to the inputs, "
    "whether the inputs differ at all, and whether a small network can learn a few examples by heart.",
    source="the entropy or variance of the targets seen",
)
def plateau_at_chance(case: Case) -> Found:
    """A loss that stays where a network that ignores its input would be.

    ## What it means
    The network has learned how often each answer comes, and nothing of the inputs. Where no fault of the
    gradient is found as well, the data are the likeliest cause: labels shuffled against inputs, inputs that carry
    nothing, a task too hard for the time given.

    ## When it is harmless
    In the first steps of a long training, and for tasks where chance is nearly the best that can be done. A loss that
    has come down to chance and still falls does not stand there: where the line through its second half would be
    below in as many steps again, give or take its error and that of chance, the run is called undecided.

    ## What to do
    Train on ten examples: a sound network learns them by heart. If it does, the data are at fault.
    """
    outcome = case.outcome
    if outcome.kind != "stalled" or not outcome.chance > 0 or outcome.steps < 20:
        return
    if outcome.last < (1 - AT_CHANCE) * outcome.chance or outcome.last > 1.5 * outcome.chance:
        return
    yield {
        "last": outcome.last,
        "chance": outcome.chance,
        "give_or_take": outcome.give_or_take,
        "steps": outcome.steps,
        "onset": "later",
        "harm": 0.6,
    }


@diagnosis(
    "UT702",
    "diverging-loss",
    message="the loss rose from {least:.3g} around step {step} to {last:.3g}{guessing}",
    advice="Look at what changed from step {step} on: the learning rate (it went from {rate:.2g} to {last_rate:.2g}), "
    "the data, the mode. Lower the rate, or clip the gradient.",
    source="the loss itself, averaged over twentieths of the run",
)
def diverging_loss(case: Case) -> Found:
    """A loss that was lower, and has left for values worse than guessing.

    ## What it means
    Training had gone somewhere and came undone. Steps that were small enough at first are too large for where they
    have led (the curvature has grown), a schedule raises the rate, or the data changed. Targets that the network itself
    makes, as in temporal differences, may leave with it: discounted by 1 or more, or never fixed at an end.

    ## When it is harmless
    Where the loss is not meant to fall, as in games of two networks and in reinforcement learning. It is an alarm only
    where the targets tell the loss of answering without looking, and the loss was well below that and is no more; or
    where it rises to the end, a hundredfold and more, and is above what each batch's own mean would cost. Values that
    rise and settle are not meant.

    ## What to do
    Lower the rate, mend the schedule, clip the gradient, and begin again from a checkpoint before that step.
    """
    outcome, losses = case.outcome, case.losses()
    if outcome.kind not in {"diverged", "falling", "stalled"} or len(losses) < FEWEST:
        return
    means = _means(losses)
    best = int(means.argmin())
    undone = means[best] < (1 - ALREADY) * outcome.chance and _risen(case, float(means[best]))
    if not (undone or outcome.kind == "diverged"):
        return
    rates = [float(np.nanmedian(u.rate)) for u in case.finite_updates if np.isfinite(u.rate).any()]
    yield {
        "least": float(means[best]),
        "last": outcome.last,
        "step": case.start + best * len(losses) // PARTS,
        "chance": outcome.chance,
        "guessing": _guessing(outcome),
        "rate": rates[0] if rates else np.nan,
        "last_rate": rates[-1] if rates else np.nan,
        "onset": "later",
        "harm": 0.6 if outcome.runaway or means[best] < (1 - ALREADY) * outcome.chance else 0.4,
    }


def _guessing(outcome: Outcome) -> str:
    if outcome.runaway:
        return f", and to answer each batch by its own mean would cost {outcome.chance:.3g}: its targets leave with it"
    return f", and guessing gives {outcome.chance:.3g}" if outcome.chance > 0 else ""


def _risen(case: Case, least: float) -> bool:
    """Whether the end is above the least mean by more than counts as learned, and than its noise."""
    losses, outcome = case.losses(), case.outcome
    late = losses[len(losses) // 2 :]
    noise = 3 * float(jitter(late[np.isfinite(late)])) / math.sqrt(len(losses) // PARTS)
    return not outcome.last - least <= SKILL * outcome.chance + noise


PARTS = 20

FEWEST = 2 * PARTS
"""Losses, to speak of a course."""


def _means(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each twentieth of a run; infinite where a loss was."""
    whole = len(losses) // PARTS * PARTS
    means: NDArray[np.float64] = losses[:whole].reshape(PARTS, -1).mean(1)
    return np.where(np.isfinite(means), means, np.inf)


@diagnosis(
    "UT703",
    "loss-spikes",
    message="the loss jumped and came back {count} times, at step {step} from {base:.3g} to {peak:.3g}; {story}",
    advice="{remedy}",
    source="the loss itself, each step against the median of those before it",
)
def loss_spikes(case: Case) -> Found:
    """A loss that jumps far above where it was, and comes back.

    ## What it means
    Two things look like this, and how long the way back is tells them apart. A loss that is high for one batch and
    normal for the next was measured on odd data: no step can mend a network within one step. A loss that takes many
    steps to come back was brought up by the weights: a step threw them off, and they had to be trained back.

    ## When it is harmless
    When it happens seldom. It is never more than a remark: the run has survived it. Where another training begins, with
    an optimizer of its own, as in a search over settings, its first loss is no jump.

    ## What to do
    For odd batches, look at the data of that step. For steps that throw the weights off, clip the gradient, lower the
    rate, or for Adam lower beta2, which lets a sudden gradient through before it is averaged in.
    """
    seen = case.course()
    found = [] if seen is None else [s for s in spikes(seen.values) if int(seen.steps[s.start]) not in _begun(case)]
    if seen is None or not found:
        return
    thrown = [spike for spike in found if spike.length > 1]
    first = (thrown or found)[0]
    yield {
        "count": len(found),
        "step": int(seen.steps[first.start]),
        "base": first.base,
        "peak": first.peak,
        "length": first.length,
        "onset": "later",
        "story": _way_back(case, first, int(seen.steps[first.start])),
        "remedy": "Clip the gradient, lower the rate, or lower Adam's beta2."
        if thrown
        else "Look at the data of that batch: the weights have nothing to do with it.",
        "harm": 0.3 if thrown else 0.2,
    }


def _begun(case: Case) -> set[int]:
    """Steps that were the first of an optimizer: the loss there is of weights that none of its steps had moved yet."""
    return {int(rate.steps[0]) for rate in case.run.rates}


def _way_back(case: Case, spike: Spike, step: int) -> str:
    """How long it took, and what was out of the ordinary before it."""
    if spike.length == 1:
        return "the next batch was as usual, so it was that batch, not the weights"
    ratios = case.typical_ratios()
    before = [ratio for seen, ratio in ratios if step - 2 <= seen <= step]
    usual = [ratio for seen, ratio in ratios if seen < step - 2]
    told = f"it took {spike.length} steps to come back, so a step had thrown the weights off"
    if before and usual and max(before) > 3 * np.median(usual):
        return f"{told}: one just before it was {max(before) / np.median(usual):.0f} times as large as usual"
    return told
