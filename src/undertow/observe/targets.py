"""What the loss compares with what, from what the loss operation saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.answers import hits, scaled_ends
from undertow.observe.distances import alone
from undertow.observe.outputs import SQUASHES, behind_views
from undertow.observe.residuals import residual
from undertow.observe.saved import saved, signed
from undertow.observe.totals import Share, Shares, shares
from undertow.observe.values import value_of
from undertow.store import LossHead, Target

__all__ = ["target"]

LOSSES = frozenset(
    {
        "BinaryCrossEntropyBackward0",
        "BinaryCrossEntropyWithLogitsBackward0",
        "CtcLossBackward0",
        "HuberLossBackward0",
        "KlDivBackward0",
        "MseLossBackward0",
        "NllLoss2DBackward0",
        "NllLossBackward0",
        "SmoothL1LossBackward0",
    }
)

MOST_ENTRIES = 1 << 16
"""Looked at of a target that is not a class, or of an output: a mean over them is off by 0.4 % of the deviation."""

NONE, MEAN, SUM = 0, 1, 2
"""PyTorch's numbers for the reductions of these names."""


def target(graph: Graph, head: LossHead, scale: float = 1.0, loss: float = math.nan) -> Target | None:
    """What the first loss operation of the head compares its input with, and how much of the loss that is.

    Args:
        scale: By which a gradient scaler multiplied the loss.
        loss: What the loss was before that, to know what is added to it besides.
    """
    losses = [index for index in head.operations if type(graph.nodes[index]).__name__ in LOSSES]
    if losses and type(graph.nodes[losses[0]]).__name__ == "CtcLossBackward0":
        return _of_sequences(graph, losses[0])
    if not losses and (by_hand := residual(graph, head.operations)) is not None:
        made = shares(graph, {by_hand.operation})
        found = _target(graph, by_hand.operation, by_hand.target, by_hand.output, made)
        return replace(found, times=math.nan if made is None or made.constant else found.times / scale)
    return _of_all(graph, losses, scale, loss)


MOST_TERMS = 64


def _of_all(graph: Graph, losses: Sequence[int], scale: float, loss: float) -> Target | None:
    """Of a loss of the library, or of several of one kind that are added up, as over the steps of a sequence."""
    made = shares(graph, losses) if len(losses) <= MOST_TERMS else None
    parts = [_of_library(graph, index, made) for index in (losses[:1] if made is None else made.of)]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    first = min(known, key=lambda part: losses.index(part.operation))
    if made is None or len(known) < len(parts) or not all(_same_kind(graph, first, part) for part in known):
        return replace(first, times=math.nan, summed=all(part.summed for part in known) and len(known) == len(parts))
    pooled = first if len(known) == 1 else _pooled(first, known)
    offset = loss - value_of(graph, made) / scale if made.constant else 0.0
    return replace(pooled, times=pooled.times / scale, offset=0.0 if abs(offset) <= ROUNDING * abs(loss) else offset)


ROUNDING = 1e-4
"""Of a loss: nothing was added to it that is less."""


def _of_library(graph: Graph, index: int, made: Shares | None) -> Target | None:
    node = graph.nodes[index]
    wanted = saved(node, "target")
    return None if wanted is None else _target(graph, index, wanted.detach(), saved(node, "self"), made)


def _same_kind(graph: Graph, one: Target, other: Target) -> bool:
    """Whether two losses tell the same classes apart, or measure distances alike: what guessing loses adds up then."""
    name, others = (type(graph.nodes[part.operation]).__name__ for part in (one, other))
    binary = name.startswith("Binary") and one is not other
    alike = (one.weights, one.smoothed, len(one.counts)) == (other.weights, other.smoothed, len(other.counts))
    return name == others and alike and not binary


def _pooled(first: Target, parts: Sequence[Target]) -> Target:
    times = sum(part.times for part in parts)
    counts = tuple(map(sum, zip(*(part.counts for part in parts), strict=True)))
    alone = sum(part.times * part.alone for part in parts) / times if times else math.nan
    return replace(first, times=times, counts=counts, alone=alone)


def _of_sequences(graph: Graph, index: int) -> Target | None:
    """Of a loss over alignments: how often a letter comes says nothing about chance, and is not counted."""
    node = graph.nodes[index]
    wanted, value = saved(node, "targets"), saved(node, "log_probs")
    if wanted is None or value is None:
        return None
    by_example = value.detach().transpose(0, 1) if value.dim() == 3 else value.detach()[None]
    return replace(_target(graph, index, wanted.detach(), by_example, None), counts=(), times=math.nan)


def _target(graph: Graph, index: int, wanted: Tensor, value: Tensor | None, made: Shares | None) -> Target:
    node = graph.nodes[index]
    classes = not wanted.is_floating_point()
    values = wanted.cpu().numpy() if classes else _numbers(wanted)
    asked, weights = _asked(node, values) if classes else values, _weights(node)
    counted = Share(math.nan) if made is None else made.of.get(index, Share(math.nan))
    with np.errstate(all="ignore"):
        return Target(
            operation=index,
            shape=tuple(wanted.shape),
            broadcast=any(s == 0 and n > 1 for s, n in zip(wanted.stride(), wanted.shape, strict=True)),
            counts=_counts(asked, value) if classes else (),
            normalised=_log_total(node, value) if value is not None else 0.0,
            times=_times(node, counted.entry, asked, weights, wanted.numel()),
            smoothed=counted.smoothed,
            weights=weights or (),
            low=float(values.min()) if values.size else math.nan,
            high=float(values.max()) if values.size else math.nan,
            summed=getattr(node, "_saved_reduction", NONE) == SUM,
            varied=_varied(value) if value is not None else math.nan,
            hits=hits(type(node).__name__, wanted, value),
            alone=math.nan if classes else alone(values, len(wanted) if wanted.dim() else 1, node),
            **(
                {"mean": 0.0, "variance": 0.0}
                if classes
                else _moments(values) | _beyond_ends(graph, index, values, value)
            ),
        )


ENDS: dict[str, Callable[[Any], tuple[float | None, float | None]]] = {
    "ClampBackward1": lambda node: (node._saved_min, node._saved_max),
    "ClampMaxBackward0": lambda node: (None, node._saved_max),
    "ClampMinBackward0": lambda node: (node._saved_min, None),
    "HardsigmoidBackward0": lambda _: (0.0, 1.0),
    "HardtanhBackward0": lambda node: (node._saved_min_val, node._saved_max_val),
    "SoftplusBackward0": lambda _: (0.0, None),
}
"""The least and the most that an operation can hand on."""


def _beyond_ends(graph: Graph, index: int, values: NDArray[np.float64], value: Tensor | None) -> dict[str, float]:
    """The bounds that the output was clamped to, or that a scaled squash has, and how far from them the target lies."""
    edge = graph.edges[index][0]
    inner = behind_views(graph, edge)
    node = None if inner is None else graph.nodes[inner]
    ends = -math.inf, math.inf
    if type(node).__name__ in ENDS:
        least, most = ENDS[type(node).__name__](node)
        ends = -math.inf if least is None else float(least), math.inf if most is None else float(most)
    elif type(node).__name__ not in SQUASHES:
        ends = scaled_ends(graph, edge, value)
    if not values.size or not any(map(math.isfinite, ends)):
        return {}
    return {"least": ends[0], "most": ends[1], "past_ends": float(np.square(values - values.clip(*ends)).mean())}


def _numbers(tensor: Tensor) -> NDArray[np.float64]:
    """The entries on the host, rows at a stride where there are many: for NumPy, which loads less code than torch."""
    if tensor.dim() and tensor.numel() > MOST_ENTRIES:
        tensor = tensor[:: min(-(-tensor.numel() // MOST_ENTRIES), max(1, len(tensor) // 2))]
    numbers: NDArray[np.float64] = tensor.detach().to("cpu", torch.float64).numpy()
    return numbers


def _moments(values: NDArray[np.float64]) -> dict[str, float]:
    if not values.size:
        return {"mean": math.nan, "variance": 0.0, "past_unit": math.nan, "past_tanh": math.nan, "past_zero": math.nan}
    beyond = {"past_unit": (0, 1), "past_tanh": (-1, 1), "past_zero": (0, None)}
    return {
        "mean": float(values.mean()),
        "variance": float(values.var(0, ddof=1).mean()) if values.ndim and len(values) > 1 else 0.0,
        **{name: float(np.square(values - values.clip(*ends)).mean()) for name, ends in beyond.items()},
    }


def _varied(value: Tensor) -> float:
    """Deviation over the batch, over the root mean square."""
    if (value.dim() < 2 and value.numel() < 2) or len(value) < 2:
        return math.nan
    few = value.detach()[: 1 << 8].reshape(min(len(value), 1 << 8), -1)[:, : 1 << 10]
    rows = few.to("cpu", torch.float64).numpy()
    size = math.sqrt(np.square(rows).mean()) if rows.size else 0.0
    return math.sqrt(np.square(rows.std(0)).mean()) / size if size > 0 else 0.0


def _times(node: Any, entry: float, values: NDArray[Any], weights: tuple[float, ...] | None, entries: int) -> float:
    """How many times the mean over the entries the loss is; `nan` where it is none, or not that alone."""
    if weights is None:
        return math.nan
    if getattr(node, "_saved_reduction", NONE) == MEAN:
        return entry
    if values.dtype.kind not in "iu":
        return entry * entries
    return entry * (float(np.take(weights, values).sum()) if weights else values.size)


def _asked(node: Any, classes: NDArray[Any]) -> NDArray[Any]:
    """The classes of those that count: a loss passes over one number, that of padding."""
    left_out = getattr(node, "_saved_ignore_index", None)
    return classes if left_out is None else classes[classes != signed(left_out)]


def _weights(node: Any) -> tuple[float, ...] | None:
    """What each class counts, or a 0 and a 1; empty where all count the same, `None` where examples differ."""
    of_classes, of_ones = saved(node, "weight"), saved(node, "pos_weight")
    if type(node).__name__.startswith("NllLoss"):
        return () if of_classes is None else tuple(of_classes.tolist())
    if of_classes is not None or (of_ones is not None and of_ones.numel() != 1):
        return None
    return () if of_ones is None else (1.0, float(of_ones))


def _counts(wanted: NDArray[Any], value: Tensor | None) -> tuple[int, ...]:
    if not wanted.size:
        return ()
    classes = value.shape[min(1, value.dim() - 1)] if value is not None and value.dim() else int(wanted.max()) + 1
    if classes > 1000:
        return ()
    kept = wanted[(wanted >= 0) & (wanted < classes)]
    return tuple(np.bincount(kept.astype(np.int64), minlength=classes).tolist())


LAST_DIMENSION = frozenset({"CtcLossBackward0", "KlDivBackward0"})
"""Losses of log-probabilities that have the classes last."""


def _log_total(node: Any, value: Tensor) -> float:
    """For losses of log-probabilities, the mean of log Σ exp over classes: 0 where they are that."""
    name = type(node).__name__
    if name not in LAST_DIMENSION and not name.startswith("NllLoss"):
        return 0.0
    rows = _numbers(value if value.dim() > 1 else value[None])
    values = np.moveaxis(rows, -1 if name in LAST_DIMENSION else 1, 0)
    largest = values.max(0)
    shift = np.where(np.isfinite(largest), largest, 0)
    return float((shift + np.log(np.exp(values - shift).sum(0))).mean())
