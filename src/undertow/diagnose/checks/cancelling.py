"""Paths whose gradients undo each other where they meet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import by_graph
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

CANCELLED = -1.0
"""Decades by which adding up leaves less than each path brought. In 157 healthy runs of the gallery with such places,
the worst place of the worst run has -0.44, typically over its passes."""

FEWEST, MOST = 3, 12
"""Observed passes of one graph that are needed, and that are looked at."""


@diagnosis(
    "UT108",
    "cancelling-paths",
    message="where {count} paths meet at {operation} in {where}{at}, what they bring of the gradient cancels to "
    "{left:.1%} of its size, typically over {passes} passes",
    advice="Look at what is subtracted there: a branch that undoes the skip beside it, a loss that is taken away from "
    "another, a difference of two things that are nearly alike.",
    source="the norms of the contributions to a cotangent against that of their sum, pass by pass",
)
def cancelling_paths(case: Case) -> Found:
    """Gradients that come along several paths and undo each other where they meet.

    ## What it means
    What is computed from a tensor by several paths sends a gradient back along each, and they are added. Here the sum
    is less than a tenth of what each brought, on most of the passes that were looked at: everything behind learns from
    the small rest, and from its rounding. Where paths are unrelated, the sum is about as large as the larger of them,
    or larger.

    ## When it is harmless
    Where the difference is what is meant (a high-pass filter, a contrast of two views), and with optimizers that divide
    by the gradient's size. It is never more than a remark.

    ## What to do
    Compute the difference directly where there is a formula for it; weigh the two paths differently.
    """
    found = [facts for passes in _spread(by_graph(case.passes)) for facts in _worst(case, passes)]
    if found:
        yield min(found, key=lambda facts: float(str(facts["left"]))) | {"harm": case.harm(0.45, 0.3, 0.2)}


def _spread(graphs: Iterable[list[Pass]]) -> Iterator[list[Pass]]:
    """Of each graph with enough of them, passes spread over the run."""
    for passes in graphs:
        if len(passes) >= FEWEST:
            yield passes[:: -(-len(passes) // MOST)]


def _worst(case: Case, passes: list[Pass]) -> Iterator[dict[str, object]]:
    """The places at which paths meet and cancel, but for weights: what their many uses bring may well be opposite."""
    flow = passes[0].flow
    for index, operation in enumerate(flow.topology.operations):
        if operation.leaf or len(flow.arriving[index]) < 2:
            continue
        decades = float(np.median([seen.flow.interference(index) for seen in passes]))
        if decades <= CANCELLED:
            yield case.place(passes[-1], index) | {
                "count": len(flow.arriving[index]),
                "left": 10**decades if math.isfinite(decades) else 0.0,
                "passes": len(passes),
                "onset": "start",
            }
