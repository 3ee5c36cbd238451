"""Faults that show on data that no step follows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.outcome import SKILL, jitter
from undertow.diagnose.table import Found, diagnosis
from undertow.diagnose.turning import Turned, turned
from undertow.store import Evaluations

__all__: list[str] = []

UNDONE = 0.5
"""Of what the held-out loss had gained: where more is lost, the network at the end is nearer to an untrained one."""

DEVIATIONS = 3
"""Standard errors by which the training loss must have fallen on."""


@diagnosis(
    "UT705",
    "overfitting",
    message="the held-out loss was least, {least:.3g}, at step {step} and has risen to {held_out:.3g} (± {error:.1g}), "
    "while the training loss fell on, {story}",
    advice="Keep the checkpoint of step {step}: the steps after it, {share:.0%} of all, made it worse by that loss. To "
    "get further, more data, augmentation, dropout, weight decay or a smaller network.",
    source="Prechelt 1998, Early Stopping – But When?, doi:10.1007/3-540-49430-8_3; the losses computed without a "
    "gradient, and those that the backward passes start from",
)
def overfitting(case: Case) -> Found:
    """A held-out loss that turned up while the training loss went on falling.

    ## What it means
    The network learns the examples that it is trained on by heart, and what it says of others gets worse. Losses that
    are computed while gradients are off (`torch.no_grad`, `torch.inference_mode`) are seen without being asked for;
    others can be told with `undertow.note(loss)`. That it turned is said where the rise from its least to its end is
    five times the error that the noise from one evaluation to the next gives it, more than a twentieth of the least,
    and a line through all evaluations since the least rises; and only where the training loss has fallen since.

    At least ten evaluations are needed. Of curves that fell and then hold nothing but noise, less than one in a hundred
    is said to have turned.

    It is an alarm where more than half of what the held-out loss had gained is lost again: by it, the network is nearer
    to an untrained one than to what it was. Otherwise it is a remark.

    ## When it is harmless
    Where only the loss counts less than what is decided by it: a classifier that grows too sure of its few mistakes
    has a rising cross-entropy and keeps its accuracy. And where a larger network would fall again later (double
    descent). In evaluation mode a batch normalisation uses its running statistics: if these are off, the loss rises
    likewise, on the training data as well; evaluate on both.

    ## What to do
    Keep the checkpoint with the least held-out loss, and stop there (early stopping). Then regularise.
    """
    found = [facts for place, seen in _held_out(case) if (facts := _facts(case, place, seen)) is not None]
    if found:
        yield max(found, key=lambda facts: float(facts["undone"]))


def _held_out(case: Case) -> Iterator[tuple[str, Evaluations]]:
    """Those that were told by name, or else all that were seen."""
    evaluations = case.run.evaluations
    told = {place: seen for place, seen in evaluations.items() if ":" not in place}
    yield from (told or evaluations).items()


def _facts(case: Case, place: str, seen: Evaluations) -> dict[str, object] | None:
    turn = turned(seen.values) if case.learned else None
    if turn is None:
        return None
    step = int(seen.steps[turn.place])
    story = _fell_on(case, step)
    if not story:
        return None
    undone = _undone(case, seen, turn)
    return {
        "least": turn.least,
        "step": step,
        "held_out": turn.last,
        "error": turn.error,
        "undone": undone,
        "evaluations": len(seen.values),
        "share": 1 - step / max(1, case.outcome.steps),
        "story": story,
        "source": place.partition(" < ")[0] if ":" in place else "",
        "onset": "later",
        "harm": 0.6 if undone > UNDONE else 0.3,
    }


def _undone(case: Case, seen: Evaluations, turn: Turned) -> float:
    """The share of what was gained that is lost, at most 1: of the way from its start, or from chance, to its least."""
    top = max(float(seen.values[0]), case.outcome.chance if case.outcome.chance > 0 else -math.inf)
    gained = max(top - turn.least, turn.error)
    return min(1.0, (turn.last - turn.least) / gained)


def _fell_on(case: Case, step: int) -> str:
    """How the training loss went since a step, in words; empty where it is not sure to have fallen."""
    course = case.course()
    if course is None:
        return ""
    since = course.values[course.steps >= step]
    width = len(since) // 4
    if not width or not np.isfinite(since).all():
        return ""
    then, last = float(since[:width].mean()), float(since[-width:].mean())
    error = float(jitter(since)) * math.sqrt(2 / width)
    return f"from {then:.3g} to {last:.3g}" if then - last > max(DEVIATIONS * error, SKILL * abs(then)) else ""
