"""The conditions of a pass: normalisations, dropout, attention, symmetry and the batch, from its graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.graph import Graph
from undertow.engine.plan import ISOMETRIES
from undertow.observe.batches import Batches
from undertow.observe.outputs import wrapped
from undertow.observe.roster import Roster
from undertow.observe.saved import saved
from undertow.observe.soft import soft_targets
from undertow.observe.subsample import entries
from undertow.observe.symmetry import alike_leaves
from undertow.observe.words import looked_up
from undertow.store import Attention, BatchNorm, Conditions, Dropout, LossHead, Target, TinyNorm

__all__ = ["conditions"]

BATCH_NORMS = frozenset({"CudnnBatchNormBackward0", "MiopenBatchNormBackward0", "NativeBatchNormBackward0"})

MOST = 24
"""Operations of a kind that are looked at."""


def conditions(graph: Graph, head: LossHead, target: Target | None, roster: Roster, batches: Batches) -> Conditions:
    """Everything that is noted of a pass besides activations, inputs and target."""
    return Conditions(
        norms=[*islice(_norms(graph), MOST)],
        tiny=[*islice(_tiny(graph), MOST)],
        looked_up=[*islice(looked_up(graph), MOST)],
        dropouts=[*islice(_dropouts(graph), MOST)],
        attentions=[*islice(_attentions(graph, head), MOST)],
        alike=alike_leaves(graph),
        resting=_resting(roster),
        batch=batches.batch(graph, target),
        scaled=[*islice(_scaled(graph), MOST)],
        soft=[*islice(soft_targets(graph), MOST)],
    )


def _norms(graph: Graph) -> Iterator[BatchNorm]:
    for index, node in enumerate(graph.nodes):
        if type(node).__name__ in BATCH_NORMS and getattr(node, "_raw_saved_running_mean", None) is not None:
            shape, _ = graph.spaces[index][0]
            mean, variance = saved(node, "running_mean"), saved(node, "running_var")
            if mean is not None and variance is not None:
                training = bool(getattr(node, "_saved_training", True))
                untouched = not training and bool((mean == 0).all()) and bool((variance == 1).all())
                yield BatchNorm(index, training, math.prod(shape) // max(1, shape[1]), untouched)


def _tiny(graph: Graph) -> Iterator[TinyNorm]:
    """Normalisations of two numbers, of which +1 and -1 are left, or of one, of which 0 is."""
    for index, node in enumerate(graph.nodes):
        kind, entries = _own_statistics(graph, index, node)
        if 1 <= entries <= 2:
            yield TinyNorm(index, kind, entries)


def _own_statistics(graph: Graph, index: int, node: Any) -> tuple[str, int]:
    """What kind of normalisation by its own statistics this is, and of how many numbers each; 0 where it is none."""
    name = type(node).__name__
    if name == "NativeLayerNormBackward0":
        return "layer", math.prod(node._saved_normalized_shape)
    if name == "NativeGroupNormBackward0":
        return "group", node._saved_C // node._saved_group * node._saved_HxW
    if name in BATCH_NORMS and _without_running_mean(node):
        shape, _ = graph.spaces[index][0]
        return "instance", math.prod(shape) // max(1, shape[1])
    return "", 0


def _scaled(graph: Graph) -> Iterator[int]:
    """Multiplications and divisions of a signal by one number."""
    for index, node in enumerate(graph.nodes):
        if type(node).__name__ in {"DivBackward0", "MulBackward0"} and graph.edges[index][1] is None:
            other = saved(node, "other")
            if other is not None and other.numel() == 1:
                yield index


def _without_running_mean(node: Any) -> bool:
    raw = getattr(node, "_raw_saved_running_mean", None)
    if raw is not None and raw.unpack_hook is not None:
        return False
    try:
        return getattr(node, "_saved_running_mean", None) is None
    except RuntimeError:  # it is there, and has been changed since
        return False


def _dropouts(graph: Graph) -> Iterator[Dropout]:
    """Multiplications by noise of 0 and one number above 1, as often 0 as makes the mean 1; and fused ones."""
    for index, node in enumerate(graph.nodes):
        name = type(node).__name__
        if name == "NativeDropoutBackward0":
            yield Dropout(index, 1 - float(node._saved_p))
        elif name == "MulBackward0" and graph.edges[index][0] is not None and graph.edges[index][1] is None:
            noise = saved(node, "other")
            kept = _kept(entries(noise.detach())) if noise is not None and noise.numel() >= 16 else 1.0
            if kept < 1:
                yield Dropout(index, kept)


def _kept(noise: Tensor) -> float:
    """The share let through, if this is the noise of a dropout; 1 otherwise."""
    low, high = map(float, torch.aminmax(noise))
    if low != 0 or not 1 < high < math.inf:
        return 1.0
    passed, zeros = int((noise == high).sum()), int((noise == 0).sum())
    error = math.sqrt((high - 1) / len(noise)) / high
    return 1 / high if passed + zeros == len(noise) and abs(passed / len(noise) - 1 / high) <= 4 * error else 1.0


LOG_TOTALS = {
    "ScaledDotProductEfficientAttentionBackward0": "log_sumexp",
    "ScaledDotProductFlashAttentionBackward0": "logsumexp",
    "ScaledDotProductFlashAttentionForCpuBackward0": "logsumexp",
}
"""Fused attentions, and the name under which they save log Σ exp of their scores."""


def _attentions(graph: Graph, head: LossHead) -> Iterator[Attention]:
    users: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        name = type(node).__name__
        rows = None
        if name == "SoftmaxBackward0" and index not in head.operations:
            users = users or _users(graph)
            rows = _softmax_rows(node) if _weighs(graph, users, index) else None
        elif name in LOG_TOTALS:
            rows = _fused_rows(node, LOG_TOTALS[name])
        if rows is not None and rows.shape[-1] > 1 and len(rows):
            shares = rows.to(torch.float32)
            entropy = -torch.xlogy(shares, shares).sum(-1) / math.log(shares.shape[-1])
            settled = float(_settled(shares, _masked(graph, index)).to(torch.float32).mean())
            yield Attention(index, shares.shape[-1], float(entropy.mean()), settled)


TIED = 1e-3
"""Relative: keys whose shares differ by less score the same, as those of equal tokens do."""


def _settled(shares: Tensor, masked: bool) -> Tensor:
    """Whether the key with most, and those that score just as much, take 99.9 %, beside others.

    No score has a slope then: keys that are equal have equal values, and what the others take is next to nothing.
    Where keys may be masked, only those with a share count as others; where all share evenly, nothing is settled.
    """
    most = shares.amax(-1, keepdim=True)
    best = shares >= (1 - TIED) * most
    others = ~best & (shares > 0) if masked else ~best
    return ((best.sum(-1) == 1) | others.any(-1)) & ((shares * best).sum(-1) >= 0.999)


MASKS = ("MaskedFill", "Where")


def _masked(graph: Graph, index: int) -> bool:
    """Whether scores are filled in, or a constant is added to them, before a softmax is taken of them."""
    inner = [edge[0] for edge in graph.edges[index] if edge is not None]
    while len(inner) == 1:
        name, edges = type(graph.nodes[inner[0]]).__name__, graph.edges[inner[0]]
        if name.startswith(MASKS) or (name == "AddBackward0" and None in edges):
            return True
        inner = [edge[0] for edge in edges if edge is not None] if name in CARRIED else []
    return False


PRODUCTS = frozenset({"BmmBackward0", "DotBackward0", "MmBackward0", "MulBackward0", "MvBackward0"})

CARRIED = ISOMETRIES | {
    "CloneBackward0",
    "ExpandBackward0",
    "MulBackward0",
    "DivBackward0",
    "NativeDropoutBackward0",
    "ToCopyBackward0",
}
"""What shares go through before they weigh anything, the mask of a dropout among them."""


def _users(graph: Graph) -> dict[int, list[int]]:
    """For each operation, those that work on what it gives."""
    users: dict[int, list[int]] = {}
    for at, edges in enumerate(graph.edges):
        for edge in edges:
            if edge is not None:
                users.setdefault(edge[0], []).append(at)
    return users


def _weighs(graph: Graph, users: dict[int, list[int]], index: int) -> bool:
    """Whether shares multiply something computed: those that a layer's weights multiply are an answer, or a code."""
    for at in users.get(index, ()):
        name, factors = type(graph.nodes[at]).__name__, [edge[0] for edge in graph.edges[at] if edge is not None]
        if name in PRODUCTS and (len(factors) > 1 or name != "MulBackward0"):
            return all(not _is_weight(graph, other) for other in factors if other != index)
        if name in CARRIED and _weighs(graph, users, at):
            return True
    return False


def _is_weight(graph: Graph, index: int) -> bool:
    """Whether a factor is a leaf, as it is or by its views."""
    while type(graph.nodes[index]).__name__ in ISOMETRIES and (inner := graph.edges[index][0]) is not None:
        index = inner[0]
    return not graph.edges[index]


def _softmax_rows(node: Any) -> Tensor | None:
    """The last query's attention of each head and example, at most 64 of them; `None` where it is no attention."""
    value = saved(node, "result")
    if value is None or value.dim() < 3:
        return None
    last = wrapped(node._saved_dim, value.dim()) == value.dim() - 1
    return value.detach()[..., -1, :].flatten(0, -2)[:64] if last else None


def _fused_rows(node: Any, total: str) -> Tensor | None:
    query, key, logs = saved(node, "query"), saved(node, "key"), saved(node, total)
    if query is None or key is None or logs is None or query.shape[:2] != key.shape[:2]:
        return None
    if saved(node, "attn_mask") is not None or saved(node, "attn_bias") is not None or logs.dim() != 3:
        return None
    few, last = min(8, query.shape[0]), query.shape[2] - 1
    scale = node._saved_scale or query.shape[-1] ** -0.5
    scores = query.detach()[:few, :8, last : last + 1] @ key.detach()[:few, :8].transpose(-1, -2) * scale
    shares: Tensor = (scores - logs.detach()[:few, :8, last, None, None]).exp()
    return shares.flatten(0, -2) if shares.shape[-1] <= last + 1 or not node._saved_is_causal else None


def _resting(roster: Roster) -> dict[str, int]:
    """Called modules in eval mode that would act differently in training mode, by class."""
    found: Counter[str] = Counter()
    for model in roster.models:
        module = model.module()
        for path, inner in module.named_modules() if module is not None else ():
            if not inner.training and path in model.called and isinstance(inner, MODAL) and _acts(inner):
                found[type(inner).__name__] += 1
    return dict(found)


MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def _acts(module: nn.Module) -> bool:
    return bool(getattr(module, "p", 1.0))
