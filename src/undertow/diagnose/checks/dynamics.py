"""Faults that show in the course of the loss."""

from __future__ import annotations

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

AT_CHANCE = 0.1
"""How near the loss of chance counts as at it."""


@diagnosis(
    "UT701",
    "plateau-at-chance",
    message="after {steps} steps the loss is {last:.3g}, and answering without looking at the input gives {chance:.3g}",
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
    In the first steps of a long training, and for tasks where chance is nearly the best that can be done.

    ## What to do
    Train on ten examples: a sound network learns them by heart. If it does, the data are at fault.
    """
    outcome = case.outcome
    if outcome.kind != "stalled" or not outcome.chance > 0 or outcome.steps < 20:
        return
    if outcome.last < (1 - AT_CHANCE) * outcome.chance or outcome.last > 1.5 * outcome.chance:
        return
    yield {"last": outcome.last, "chance": outcome.chance, "steps": outcome.steps, "onset": "later", "harm": 0.6}
