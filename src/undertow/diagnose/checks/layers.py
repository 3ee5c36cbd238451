"""Layers that move out of step with the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

APART = 1000.0
"""Times as much, or as little, as the weight matrix in the middle. In 527 of the 528 healthy runs of the gallery no two
weight matrices at one rate are more than 130 times apart; in the other one an expert is never chosen."""

FEWEST_LAYERS = 3
"""Weight matrices at one rate, to speak of what is usual among them."""

FEWEST = 4
"""Observed steps."""

SMALL = 1e-4
"""Root mean square below which a weight has no size that a step could be held against."""


@diagnosis(
    "UT902",
    "layer-out-of-step",
    message="{weight} moved by {own_ratio:.1g} of its size at a typical step, and the other weight matrices at its "
    "rate by {usual_ratio:.1g}: it {story}",
    advice="{remedy}",
    source="You, Gitman & Ginsburg 2017, arXiv:1708.03888, on the ratio of update and weight layer by layer",
)
def layer_out_of_step(case: Case) -> Found:
    """A layer that moves a thousand times less, or more, than the others at the same learning rate.

    ## What it means
    Compared is how far steps moved each weight matrix, over its size, as the optimizer really moved it, with the matrix
    in the middle of those in parameter groups of the same rate. Far below, a layer or a new head stays as it was made,
    though it gets a gradient and the optimizer holds it: something between it and the loss (a gate near zero, a small
    factor, inputs that are tiny) makes its gradient small. Far above, it is thrown about: a large factor, or weights
    that are tiny.

    ## When it is harmless
    Where the layer is not needed yet, as an expert that is never chosen or a branch whose gate opens later. Rates that
    are set apart on purpose are not compared with each other. It is never more than a remark.

    ## What to do
    Scale what it is given and what is made of it to about one; or an optimizer that divides by the gradient's size.
    """
    for numbers in _alike(case):
        ratios = _ratios(case, numbers)
        known = np.isfinite(ratios)
        if known.sum() < FEWEST_LAYERS:
            continue
        usual = float(np.median(ratios[known]))
        with np.errstate(all="ignore"):
            apart = np.where(known, np.abs(np.log10(ratios / usual)), 0.0)
        worst = int(np.argmax(apart))
        if usual > 0 and apart[worst] >= math.log10(APART):
            yield _told(case, numbers[worst], float(ratios[worst]), usual)


def _told(case: Case, number: int, ratio: float, usual: float) -> dict[str, object]:
    parameter = case.run.parameters[number]
    slow = ratio < usual
    return {
        "weight": parameter.name,
        "module": parameter.module,
        "own_ratio": ratio,
        "usual_ratio": usual,
        "story": "hardly learns" if slow else "is thrown about",
        "remedy": "Look at what stands between it and the loss: a gate, a factor, inputs that are tiny."
        if slow
        else "Begin it with larger weights, or give it a smaller rate in a parameter group of its own.",
        "onset": "start",
        "harm": 0.3,
    }


def _alike(case: Case) -> Iterator[list[int]]:
    """The trained weight matrices, by the rate that was in force for them at the first observed step."""
    if len(case.finite_updates) < FEWEST:
        return
    rates = case.finite_updates[0].rate
    held = [n for n in case.weights if np.isfinite(rates[n]) and rates[n] > 0]
    for rate in sorted({float(rates[n]) for n in held}):
        yield [n for n in held if rates[n] == rate]


def _ratios(case: Case, numbers: list[int]) -> NDArray[np.float64]:
    """The median of ‖Δw‖ / ‖w‖ of each over the observed steps at which it got a gradient; `nan` of few."""
    steps = case.finite_updates
    weight, update, gradient = (
        np.array([getattr(u, column)[numbers] for u in steps]) for column in ("weight", "update", "gradient")
    )
    sizes = np.sqrt([case.run.parameters[n].size for n in numbers])
    with np.errstate(all="ignore"):
        ratios = np.where(np.isfinite(gradient) & (weight / sizes > SMALL), update / weight, np.nan)
    enough = np.isfinite(ratios).sum(0) >= FEWEST
    found = np.full(len(numbers), np.nan)
    found[enough] = np.nanmedian(ratios[:, enough], axis=0)
    return found
