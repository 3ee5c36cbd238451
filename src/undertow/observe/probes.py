"""What is measured of one backward pass besides its norms, from what the forward pass saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.graph import Graph
from undertow.observe.outputs import wrapped
from undertow.observe.saved import saved
from undertow.store import Activation, InputScale, LossHead

__all__ = ["ENTRANCES", "activations", "inputs", "loss_head"]

MOST_ACTIVATIONS = 96
ENTRIES = 1 << 15

SLOPES: dict[str, tuple[str, float, Callable[[Any, Tensor], Tensor]]] = {
    "ClampBackward1": ("self", 1.0, lambda node, x: (x > 0) & (x < _most(node))),
    "ClampMinBackward0": ("self", 1.0, lambda _, x: x > 0),
    "ReluBackward0": ("result", 1.0, lambda _, y: y > 0),
    "SigmoidBackward0": ("result", 0.25, lambda _, y: y * (1 - y)),
    "TanhBackward0": ("result", 1.0, lambda _, y: 1 - y * y),
    "GeluBackward0": ("self", 1.0, lambda _, x: x > -3),
    "SiluBackward0": ("self", 1.0, lambda _, x: x > -8),
    "EluBackward0": ("self_or_result", 1.0, lambda _, x: x > -3),
    "HardsigmoidBackward0": ("self", 1.0, lambda _, x: x.abs() < 3),
    "HardtanhBackward0": ("self", 1.0, lambda node, x: (x > node._saved_min_val) & (x < node._saved_max_val)),
}
"""For each activation: what it saves, its greatest slope, and the slope from what was saved."""


def _most(node: Any) -> float:
    return math.inf if node._saved_max is None else float(node._saved_max)


FLAT = 0.05
"""A slope below this share of the greatest one counts as flat."""

ENTRANCES = {
    "AddmmBackward0": (1, "mat1"),
    "MmBackward0": (0, "self"),
    "BmmBackward0": (0, "self"),
    "ConvolutionBackward0": (0, "input"),
    "MkldnnConvolutionBackward0": (0, "self"),
    "MkldnnRnnLayerBackward0": (0, "input"),
}
"""Where data enters: the input of the operation that may be data, and the name it is saved under."""

SOFTMAXES = frozenset({"SoftmaxBackward0", "LogSoftmaxBackward0"})


def activations(graph: Graph) -> Iterator[Activation]:
    """What each activation did, on a strided part of its inputs; evenly chosen where there are very many."""
    found = [i for i, node in enumerate(graph.nodes) if type(node).__name__ in SLOPES and _activates(node)]
    for index in found[:: -(-len(found) // MOST_ACTIVATIONS) or 1]:
        name, greatest, slope = SLOPES[type(graph.nodes[index]).__name__]
        value = saved(graph.nodes[index], name)
        if value is not None and value.dim() > 1 and value.numel():
            slope_here = partial(slope, graph.nodes[index])
            yield _activation(index, value.detach(), _units_first(graph, index, value), greatest, slope_here)


def _activates(node: Any) -> bool:
    """Whether this is no clamp, or one from 0 on: a rectifier by another name."""
    return not type(node).__name__.startswith("Clamp") or node._saved_min == 0


def _activation(
    index: int, value: Tensor, units: int, greatest: float, slope: Callable[[Tensor], Tensor]
) -> Activation:
    seen = _thinned(value, units).to(torch.float32).contiguous()
    others = [d for d in range(seen.dim()) if d != units]
    steep = (slope(seen) > FLAT * greatest).sum(others)
    sizes = seen.abs().mean(others)
    norm, varied = float(vector_norm(seen)), vector_norm(seen - seen.mean(0))
    return Activation(
        operation=index,
        units=seen.shape[units],
        flat=steep.eq(0).cpu().numpy(),
        entries=seen.numel() // seen.shape[units],
        flat_share=1 - float(steep.sum()) / seen.numel(),
        rms=norm / seen.numel() ** 0.5,
        varied=float(varied) / norm if norm > 0 else 0.0,
        dormant=float((sizes <= 0.1 * sizes.mean()).to(torch.float32).mean()),
    )


def _units_first(graph: Graph, index: int, value: Tensor) -> int:
    """Which dimension counts features: the second of a convolution's output, the last of anything else."""
    if value.dim() == 2:
        return 1
    reached, frontier = set[int](), [index]
    for _ in range(4):
        frontier = [edge[0] for i in frontier for edge in graph.edges[i] if edge is not None and edge[0] not in reached]
        reached.update(frontier)
        names = {type(graph.nodes[i]).__name__ for i in frontier}
        if any("Conv" in name or "BatchNorm" in name for name in names):
            return 1
        if names & {"AddmmBackward0", "MmBackward0", "BmmBackward0"}:
            break
    return value.dim() - 1


def _thinned(value: Tensor, units: int) -> Tensor:
    """At most about `ENTRIES` entries: every unit, and a strided part of the rest."""
    for dimension in range(value.dim()):
        if dimension != units and value.numel() > ENTRIES:
            stride = min(-(-value.numel() // ENTRIES), max(1, value.shape[dimension] // 4))
            value = value[(slice(None),) * dimension + (slice(None, None, stride),)]
    return value


def inputs(graph: Graph) -> Iterator[InputScale]:
    """The scale of the data, wherever it enters a matrix product or a convolution, alone or beside a signal."""
    for index, node in enumerate(graph.nodes):
        position, name = ENTRANCES.get(type(node).__name__, (0, ""))
        if not name:
            continue
        edge = graph.edges[index][position]
        beside = None if edge is None else _beside(graph, edge)
        value = saved(node, name) if edge is None or beside else None
        if value is not None and value.dim() > 1 and value.is_floating_point() and value.numel():
            features = 1 if "Conv" in type(node).__name__ else value.dim() - 1
            whole = value.detach()
            if beside is None:
                yield _scale(index, whole, features)
            elif features and whole.shape[-1] == beside.whole:
                yield _scale(index, whole[..., beside.start : beside.stop], features)


class _Columns(NamedTuple):
    """Which of the columns of something are data."""

    start: int
    stop: int
    whole: int


def _beside(graph: Graph, edge: tuple[int, int]) -> _Columns | None:
    """The columns of a value that are data, put beside those of a signal; `None` where none are."""
    while type(graph.nodes[edge[0]]).__name__ in HANDED_ON and (inner := graph.edges[edge[0]][0]) is not None:
        edge = inner
    node = graph.nodes[edge[0]]
    if type(node).__name__ != "CatBackward0":
        return None
    shape = graph.spaces[edge[0]][0][0]
    sides = graph.edges[edge[0]]
    if wrapped(node._saved_dim, len(shape)) != len(shape) - 1 or sum(side is None for side in sides) != 1:
        return None
    sizes = [0 if side is None else graph.spaces[side[0]][side[1]][0][-1] for side in sides]
    start, width = sum(sizes[: sides.index(None)]), shape[-1] - sum(sizes)
    return _Columns(start, start + width, shape[-1]) if width > 0 else None


HANDED_ON = frozenset(
    {"CloneBackward0", "ReshapeAliasBackward0", "TransposeBackward0", "UnsafeViewBackward0", "ViewBackward0"}
)
"""What lies between data that were put together and the product that they enter."""


def _scale(index: int, value: Tensor, features: int) -> InputScale:
    thinned = _thinned(value, features)
    rows = thinned.movedim(features, 0).flatten(1).to("cpu", torch.float64).numpy()
    with np.errstate(all="ignore"):
        spread = rows.std(1)
        moving = np.sort(spread[spread > 1e-12 * np.abs(rows).max(1)])
        low, high = np.interp((0.1, 0.9), np.linspace(0, 1, len(moving)), moving) if len(moving) else (0.0, 0.0)
        return InputScale(
            operation=index,
            shape=tuple(value.shape),
            mean=float(rows.mean()),
            rms=math.sqrt(np.square(rows).mean()),
            low=float(rows.min()),
            high=float(rows.max()),
            spread_low=float(low),
            spread_high=float(high),
            constant=_constant(thinned) if features == 1 else 1 - len(moving) / len(spread),
        )


def _constant(images: Tensor) -> float:
    """Share of the entries of an image that are the same in all of them."""
    low, high = torch.aminmax(images, dim=0)
    return float((high - low <= 1e-12 * torch.maximum(high.abs(), low.abs())).double().mean())


def loss_head(graph: Graph) -> LossHead:
    """The operations between the loss and the last one that has parameters."""
    leaves = {index for index, _ in graph.leaves()}
    parametric = _above(graph, leaves)
    head: dict[int, None] = {}
    stack = [index for index, _ in graph.roots]
    while stack:
        index = stack.pop()
        if index not in head and index not in parametric:
            head[index] = None
            stack += [edge[0] for edge in graph.edges[index] if edge is not None]
    softmaxes = {i: _softmax_size(graph, i) for i in head if type(graph.nodes[i]).__name__ in SOFTMAXES}
    return LossHead(tuple(sorted(head)), softmaxes)


def _above(graph: Graph, leaves: set[int]) -> set[int]:
    """Leaves, and operations that take one, directly or through a view."""
    found = set(leaves)
    for index in range(len(graph) - 1, -1, -1):
        targets = [edge[0] for edge in graph.edges[index] if edge is not None]
        turned = [t for t in targets if t in found and type(graph.nodes[t]).__name__ == "TBackward0"]
        thin = len(targets) == 1 and type(graph.nodes[index]).__name__ in {"TBackward0", "TransposeBackward0"}
        if turned or (thin and targets[0] in found) or any(target in leaves for target in targets):
            found.add(index)
    return found


def _softmax_size(graph: Graph, index: int) -> int:
    shape, _ = graph.spaces[index][0]
    return int(shape[wrapped(graph.nodes[index]._saved_dim, len(shape))]) if shape else 1
