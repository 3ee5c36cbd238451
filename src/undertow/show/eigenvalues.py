"""Single eigenvalues, the edge of stability and the trace, each with where the truth lies."""

from __future__ import annotations

import math

from undertow.curvature import Edge, Eigen, Eigenpair
from undertow.curvature.trace import Trace
from undertow.show.blocks import Block, Facts, Figure, Text
from undertow.show.traces import NAMES, axis, beside, dots, upright
from undertow.show.words import number, sentence

__all__ = ["edge_blocks", "eigen_blocks", "trace_blocks"]

MOST_TENSORS = 40
UNIT = "eigenvalue (loss over squared parameter)"


def eigen_blocks(seen: Eigen) -> list[Block]:
    """The eigenvalues that were found, the largest first."""
    names = [f"{place}." for place in range(1, len(seen.pairs) + 1)]
    values = [pair.value for pair in seen.pairs]
    ends = [(pair.value - pair.error, pair.value + pair.error) for pair in seen.pairs]
    note = (
        "Within the line through each dot an eigenvalue lies for certain. Above 0 the loss "
        "curves up along its vector; below 0, down."
    )
    layout = {"xaxis": axis(UNIT), "yaxis": NAMES, "showlegend": False, "shapes": [upright(0.0, "@soft")]}
    rows = [*zip(names, map(_told, seen.pairs), strict=True)]
    return [
        Figure("Extreme eigenvalues", note, [dots(names, values, ends)], layout, 110 + 30 * len(names)),
        Facts(
            "The eigenvalues",
            "Within ±, one lies for certain.",
            (*rows, ("products with the matrix", f"{seen.products:,}")),
        ),
    ]


def _told(pair: Eigenpair) -> str:
    return f"{number(pair.value)} ± {number(pair.error, 1)}"


def edge_blocks(seen: Edge) -> list[Block]:
    """The sharpness beside the largest that steps stay stable with."""
    ends = [(seen.sharpness - seen.error, seen.sharpness + seen.error)]
    known = math.isfinite(seen.limit)
    most = max(ends[0][1], seen.limit if known else 0.0)
    note = (
        "Steps along a direction that is curved more than the limit grow, until something else stops "
        "them. Both are in the optimizer's own units, its scaling of each parameter included."
    )
    layout = {
        "xaxis": axis("largest eigenvalue, as the optimizer feels it")
        | {"range": [min(ends[0][0], 0.0), 1.08 * max(most, 0.0)]},
        "yaxis": NAMES,
        "showlegend": False,
        "shapes": [upright(seen.limit)] if known else [],
        "annotations": [beside(seen.limit, "stable up to here")] if known else [],
    }
    told = f"The sharpness is {number(100 * seen.ratio)} % of the limit." if known else "The learning rate is 0."
    told = told if seen.sharpness > 0 else "There is no direction along which the loss curves up."
    return [
        Text(f"The edge of stability: {seen.verdict}", paragraphs=(told,)),
        Figure("Sharpness and limit", note, [dots(["sharpness"], [seen.sharpness], ends)], layout, 150),
        Facts(
            "The edge in numbers",
            "",
            (
                ("sharpness", f"{number(seen.sharpness)} ± {number(seen.error, 1)}"),
                ("stable up to", number(seen.limit)),
                ("sharpness over limit", number(seen.ratio)),
            ),
        ),
    ]


def trace_blocks(seen: Trace) -> list[Block]:
    """The trace, and what each tensor brings to it."""
    kept = sorted(seen.by_tensor, key=lambda name: -abs(seen.by_tensor[name].value))[:MOST_TENSORS]
    shown = [name for name in seen.by_tensor if name in set(kept)]
    parts = [seen.by_tensor[name] for name in shown]
    more = f" The {MOST_TENSORS} greatest of {len(seen.by_tensor)}." if len(seen.by_tensor) > len(shown) else ""
    note = f"The sum of the eigenvalues, tensor by tensor. Lines hold the truth 95 times in 100.{more}"
    layout = {"xaxis": axis("trace (loss over squared parameter)"), "yaxis": NAMES, "showlegend": False}
    drawn = dots(shown, [part.value for part in parts], [part.interval() for part in parts])
    whole = f"{number(seen.whole.value)} ± {number(seen.whole.error, 2)} (one standard error), {seen.how}."
    return [
        Text("The trace", paragraphs=(sentence(whole),)),
        Figure("Trace by tensor", note, [drawn], layout | {"shapes": [upright(0.0, "@soft")]}, 110 + 28 * len(shown)),
        Facts("What it took", "", (("products with the matrix", f"{seen.products:,}"),)),
    ]
