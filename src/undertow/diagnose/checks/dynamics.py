"""Faults that show in the course of the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.course import Spike, Standing, spikes, standing
from undertow.diagnose.outcome import ALREADY
from undertow.diagnose.signal import Signal, signal
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Updates

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
    have led (the curvature has grown), a schedule raises the rate, or the data changed.

    ## When it is harmless
    Where the loss is not meant to fall, as in games of two networks and in reinforcement learning. It is an alarm only
    where the targets tell the loss of answering without looking, and the loss was well below that and is no more.

    ## What to do
    Lower the rate, mend the schedule, clip the gradient, and begin again from a checkpoint before that step.
    """
    outcome, losses = case.outcome, case.losses()
    if outcome.kind not in {"diverged", "falling", "stalled"} or len(losses) < FEWEST:
        return
    means = _means(losses)
    best = int(means.argmin())
    if not (means[best] < (1 - ALREADY) * outcome.chance or outcome.kind == "diverged"):
        return
    rates = [float(np.nanmedian(u.rate)) for u in case.finite_updates if np.isfinite(u.rate).any()]
    yield {
        "least": float(means[best]),
        "last": outcome.last,
        "step": case.start + best * len(losses) // PARTS,
        "chance": outcome.chance,
        "guessing": f", and guessing gives {outcome.chance:.3g}" if outcome.chance > 0 else "",
        "rate": rates[0] if rates else np.nan,
        "last_rate": rates[-1] if rates else np.nan,
        "onset": "later",
        "harm": 0.6 if means[best] < (1 - ALREADY) * outcome.chance else 0.4,
    }


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
    When it happens seldom. It is never more than a remark: the run has survived it.

    ## What to do
    For odd batches, look at the data of that step. For steps that throw the weights off, clip the gradient, lower the
    rate, or for Adam lower beta2, which lets a sudden gradient through before it is averaged in.
    """
    seen = case.course()
    found = spikes(seen.values) if seen is not None else []
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


@diagnosis(
    "UT704",
    "stopped-improving",
    message="since step {step} the loss stands at {last:.3g}, so the last {share:.0%} of the steps brought "
    "{at_most:.2g} at most; {story}{signals}",
    advice="{remedy}",
    source="Robbins & Monro 1951 on steps that must shrink; the loss over twentieths of the run, and the change of the "
    "weights times the gradient, which is what the loss falls by to first order",
)
def stopped_improving(case: Case) -> Found:
    """A loss that fell, and has come to a stand long before the end.

    ## What it means
    That it stands is said only where a further fall of more than a twentieth of what is left can be ruled out. Why
    it stands is told by what the steps promised, the gradient of a batch times the change of the weights. Where they
    promised much and nothing came, what a step gains on its own batch is lost on the others, or it jumps across the
    way down; which of them is told by what the gradients of different steps have in common. Where that is next to
    nothing, it stands on the noise floor; where they point to and fro from step to step, it jumps. Where steps
    promised nothing because the rate had become tiny, they are too small. Where they promised nothing at the old
    rate, the gradient has run out: a minimum, a saddle or a plateau.

    ## When it is harmless
    When what was to be learned has been learned. Then the rest of the run was paid for nothing, and that is all.

    ## What to do
    `undertow.standstill(model, loss_fn, batches, optimizer)` tells these apart for sure, by trying what would help.
    """
    seen = case.course()
    stands = standing(seen.values) if seen is not None else None
    if seen is None or stands is None or not case.learned:
        return
    step = int(seen.steps[stands.start])
    common = signal(case.run, step)
    why = _why(case, stands, step)
    if why == "noise":
        why = _noise_or_jumps(common)
    yield {
        "share": 1 - stands.start / len(seen.values),
        "last": stands.level,
        "step": step,
        "at_most": stands.most,
        "why": why,
        "onset": "later",
        "story": STANDS[why],
        "remedy": REMEDIES[why],
        "harm": 0.1,
        **_told(common, why),
    }


STANDS = {
    "noise": "its steps still promise to bring it down, each on its own batch, and nothing of that comes: "
    "it stands on the noise floor",
    "jumps": "its steps still promise to bring it down, and nothing of that comes: their gradients point to and fro, "
    "so it jumps across the way down",
    "noise or jumps": "its steps still promise to bring it down, each on its own batch, and nothing of that comes: "
    "it stands on the noise floor, or jumps across the way down",
    "small": "the learning rate had become too small to bring it further",
    "spent": "the gradient has run out: it is a minimum, a saddle or a plateau",
    "": "too few steps were observed to say why",
}

REMEDIES = {
    "noise": "Lower the rate from there on, enlarge the batch, or average the weights; or stop earlier.",
    "jumps": "Lower the rate from there on; a larger batch will not help.",
    "noise or jumps": "Lower the rate from there on, enlarge the batch, or average the weights; or stop earlier.",
    "small": "Let the schedule end later, or stop earlier.",
    "spent": "Stop earlier; or let undertow.standstill say whether it is a minimum, and what leads on if not.",
    "": "Stop earlier; or let undertow.standstill say why.",
}

SHRUNK = 0.01
"""Of the rate in force while the loss fell: below this share, the rate explains that it stands."""


def _why(case: Case, stands: Standing, step: int) -> str:
    late = [(u.step, _promised(u), float(np.nanmax(u.rate))) for u in case.finite_updates if u.step >= step]
    early = [float(np.nanmax(u.rate)) for u in case.finite_updates if u.step < step]
    if len(late) < 3 or not early:
        return ""
    promised = float(np.median([fall for _, fall, _ in late])) * (case.outcome.steps - step)
    if promised > NOT_KEPT * stands.most:
        return "noise"
    return "small" if np.median([rate for *_, rate in late]) < SHRUNK * max(early) else "spent"


LITTLE = 0.5
"""Of the squared gradient of a batch: less of it being signal, most of a step is noise."""

ALONG_A_LINE = 0.9
"""The mean |cos| of gradients that lie along one line; of even noise in ten dimensions it is 0.25."""


def _noise_or_jumps(common: Signal | None) -> str:
    """By what the gradients of different steps have in common."""
    if common is None or common.interval[1] > LITTLE:
        return "noise or jumps"
    if common.turns(LITTLE):
        return "jumps"
    return "noise or jumps" if common.size > ALONG_A_LINE else "noise"


def _told(common: Signal | None, why: str) -> dict[str, object]:
    if common is None or why == "jumps":
        return {"signals": ""}
    low, high = common.interval
    least, _ = common.times
    larger = f"; a batch {least:.2g} times as large, or more, would hold as much signal as noise" if least > 1 else ""
    noisy = f" (of a batch's squared gradient {max(low, 0):.0%} to {max(high, 0):.0%} is signal{larger})"
    return {"signal": common.share, "signal_error": common.error, "signals": noisy}


NOT_KEPT = 5
"""Times as much was promised as can have come."""


def _promised(updates: Updates) -> float:
    """By how much an observed step brought down the loss of its own batch, to first order."""
    return float(np.nansum(updates.update * updates.gradient * np.cos(updates.angle)))
