"""A loss that stands, and why."""

from __future__ import annotations

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.course import FURTHER, Standing, standing
from undertow.diagnose.heading import heading
from undertow.diagnose.signal import Signal, signal
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []


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

    How often that is wrong was measured on the healthy runs of the gallery, cut short (benchmarks/course.md): of 73
    said to stand, 3 (1 to 11 %) fell on all the same; of 663 parts of runs, none (0 to 1 %) was said to jump.

    ## When it is harmless
    When what was to be learned has been learned. Then the rest of the run was paid for nothing, and that is all. It is
    an alarm where the schedule took the rate to a hundredth before half of the run, most was left to learn, and the
    loss was falling for sure when the rate gave out.

    ## What to do
    `undertow.standstill(model, loss_fn, batches, optimizer)` tells these apart for sure, by trying what would help;
    `undertow standstill --run RUN` keeps what it finds with the run, and it is told here from then on.
    """
    seen = case.course()
    held = _held(case)
    stands = held or (standing(seen.values) if seen is not None else None)
    if seen is None or stands is None or not case.learned:
        return
    step = int(seen.steps[stands.start])
    common = signal(case.run, step)
    why = "small" if held is not None else _why(case, stands, step)
    if why == "noise":
        why = _noise_or_jumps(common)
    tried = _tried(case)
    yield {
        "share": 1 - stands.start / len(seen.values),
        "last": stands.level,
        "step": step,
        "at_most": stands.most,
        "why": why,
        "onset": "later",
        "story": tried[0] if tried else STANDS[why],
        "remedy": tried[1] if tried else REMEDIES[why],
        "harm": 0.1 if held is None else 0.6,
        **_told(common, why),
    }


EARLY = 0.5
"""Of the run: where the rate gives out before, more steps were made without it than with it."""

WEAK = 0.1
"""Of the highest rate: what the loss did under more than that tells whether it was still falling."""


def _held(case: Case) -> Standing | None:
    """A loss that was falling until the rate fell to next to nothing, early and with most left to learn.

    It stands from there on whatever its noise shows: all steps since, each straight downhill, are too short for more.
    """
    seen, pace = case.course(), case.pace
    strong, alive = np.flatnonzero(pace >= WEAK), np.flatnonzero(pace >= SHRUNK)
    if seen is None or not len(alive) or alive[-1] + 1 >= EARLY * len(pace) or not case.learned_little:
        return None
    there, error = heading(seen.values[seen.steps <= strong[-1]])
    start, most = int(np.searchsorted(seen.steps, alive[-1] + 1)), case.promised((alive[-1] + 1) / len(pace))
    if there + 2 * error < case.outcome.last and most < FURTHER * case.outcome.last and start < len(seen.values):
        return Standing(start, float(seen.values[start:].mean()), most)
    return None


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
    late = [(u.step, u.fall, float(np.nanmax(u.rate))) for u in case.finite_updates if u.step >= step]
    early = [float(np.nanmax(u.rate)) for u in case.finite_updates if u.step < step]
    if len(late) < 3 or not early:
        return ""
    promised = float(np.median([fall for _, fall, _ in late])) * (case.outcome.steps - step)
    if promised > NOT_KEPT * stands.most:
        return "noise"
    return "small" if np.median([rate for *_, rate in late]) < SHRUNK * max(early) else "spent"


def _tried(case: Case) -> tuple[str, str] | None:
    """What `undertow standstill --run` found, in its own words, and what it advises."""
    kept = case.run.results.get("standstill")
    if not kept:
        return None
    return f"tried out from there: {kept[0]['title'].partition(': ')[2]}", " ".join(kept[0]["paragraphs"])


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
