"""Where a network starts out: how sure it is of its first answers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.budget import EARLY
from undertow.diagnose.course import PARTS
from undertow.diagnose.outcome import undecided
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []


@diagnosis(
    "UT408",
    "first-loss-far-from-chance",
    message="the first loss is {first:.3g}, and answering without looking gives {chance:.3g}",
    advice="Make the last layer's initial weights smaller; scale inputs and targets.",
    source="Karpathy 2019, A Recipe for Training Neural Networks: verify the loss at init",
)
def first_loss_far_from_chance(case: Case) -> Found:
    """A network that starts out sure of wrong answers.

    ## What it means
    A new network should answer about as often right as chance, or, where classes are unequal or targets lie off 0, as
    one whose answers are all 0. A first loss of many times both means outputs that are large before anything was
    learned: the first steps go into unlearning them.

    ## When it is harmless
    It costs a few steps, and is a remark, unless the run ended before the loss had come down to chance, or a fifth of
    it was over.

    ## What to do
    Scale the inputs; make the last layer's weights small.
    """
    losses, chance = case.losses(), case.outcome.chance
    if not (chance > 0 and len(losses) and 5 * max(chance, undecided(case.run)) < losses[0] < math.inf):
        return
    share = _unlearning(losses, chance)
    lasting = 0.6 if case.outcome.kind == "falling" else case.harm(0.45, 0.2, 0.6 if share >= COSTLY else 0.1)
    yield {"first": float(losses[0]), "chance": chance, "share": share, "onset": "start", "harm": lasting}


COSTLY = EARLY / PARTS
"""Share of the run: from so much on, a start that brings nothing is told of as well (UT002)."""


def _unlearning(losses: NDArray[np.float64], chance: float) -> float:
    """Over which share of the run the loss came down to chance: until the median of some is below it."""
    width = max(1, len(losses) // PARTS)
    above = [float(np.median(losses[i : i + width])) > chance for i in range(0, len(losses), width)]
    return (above.index(False) if False in above else len(above)) * width / len(losses)
