"""Local derivatives of losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import input_shape, input_shapes, output_shape, signed
from undertow.engine.calculus.reductions import weighted_total
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Diagonal, Expand, LinearMap, Mask, Reshape, Shape, TakeAlong

__all__: list[str] = []

MEAN = 1
NONE = 0
LEAST = float(torch.tensor(1e-12, dtype=torch.float32))
"""By how much PyTorch keeps the denominator of a cross-entropy's slope away from 0, in every dtype."""


def _reduced(node: Any, source: Shape | None, slope: Tensor) -> LinearMap | None:
    """A loss that is computed entry by entry, by its slope there, and then reduced."""
    if source is None:
        return None
    if node._saved_reduction == MEAN:
        slope = slope / max(slope.numel(), 1)
    everywhere = (
        Diagonal(slope) if tuple(slope.shape) == source else Diagonal(slope) @ Expand(source, tuple(slope.shape))
    )
    if node._saved_reduction == NONE:
        return everywhere
    return weighted_total(torch.ones_like(slope), tuple(range(slope.ndim)), output_shape(node)) @ everywhere


def _opposite(node: Any, slope: Tensor) -> Local:
    """Of a loss that sees its two inputs by their difference."""
    prediction, target = input_shapes(node)
    return _reduced(node, prediction, slope), _reduced(node, target, -slope)


@derivative("MseLossBackward0")
def mse_loss(node: Any) -> Local:
    return _opposite(node, 2 * (node._saved_self - node._saved_target))


@derivative("SmoothL1LossBackward0")
def smooth_l1_loss(node: Any) -> Local:
    difference, beta = node._saved_self - node._saved_target, node._saved_beta
    slope = torch.where(difference.abs() < beta, difference / beta, difference.sign()) if beta else difference.sign()
    return _opposite(node, slope)


@derivative("HuberLossBackward0")
def huber_loss(node: Any) -> Local:
    delta = node._saved_delta
    return _opposite(node, (node._saved_self - node._saved_target).clamp(-delta, delta))


@derivative("BinaryCrossEntropyBackward0")
def binary_cross_entropy(node: Any) -> Local:
    x, y, weight = node._saved_self, node._saved_target, node._saved_weight
    slope = (x - y) / ((1 - x) * x).clamp(min=LEAST)
    by_target = (1 - x).log().clamp(min=-100) - x.log().clamp(min=-100)
    return _both(node, slope, by_target, weight)


@derivative("BinaryCrossEntropyWithLogitsBackward0")
def binary_cross_entropy_with_logits(node: Any) -> Local:
    x, y, weight, positive = node._saved_self, node._saved_target, node._saved_weight, node._saved_pos_weight
    s = torch.sigmoid(x)
    if positive is None:
        return _both(node, s - y, -x, weight)
    log_s, log_not_s = torch.nn.functional.logsigmoid(x), torch.nn.functional.logsigmoid(-x)
    return _both(node, (1 - y) * s - positive * y * (1 - s), log_not_s - positive * log_s, weight)


def _both(node: Any, slope: Tensor, by_target: Tensor, weight: Tensor | None) -> Local:
    prediction, target = input_shapes(node)[:2]
    if weight is not None:
        slope, by_target = slope * weight, by_target * weight
    return _reduced(node, prediction, slope), _reduced(node, target, by_target)


@derivative("SoftMarginLossBackward0")
def soft_margin_loss(node: Any) -> Local:
    y = node._saved_target
    return (_reduced(node, input_shape(node, 0), -y * torch.sigmoid(-y * node._saved_self)),)


@derivative("MultiMarginLossBackward0", "MultilabelMarginLossBackward0")
def margin_loss(node: Any) -> Local:
    return (_of_examples(node, batch=0),)


@derivative("CtcLossBackward0", "CtcLossBackward1")
def ctc_loss(node: Any) -> Local:
    """Beyond the end of a sequence nothing counts, nor in one that cannot be aligned, if that is to be let pass."""
    times, *_ = shape = tuple(node._saved_log_probs.shape)
    lengths, impossible = torch.as_tensor(node._saved_input_lengths), node._saved_result0.isinf()
    beyond = torch.arange(times).unsqueeze(1) >= lengths
    held = beyond.to(impossible.device) | (impossible & node._saved_zero_infinity)
    return (_of_examples(node, batch=1) @ past(held.reshape(times, -1, 1).expand(shape)),)


def _of_examples(node: Any, batch: int) -> LinearMap:
    """Of a loss with one number an example, or their sum: no entry of its matrix is hidden by another.

    So what the node answers to a cotangent of ones are these entries. For the alignment of sequences they are those
    of PyTorch's formula, which takes the scores to be logarithms of probabilities.
    """
    space = node._input_metadata[0]
    slope = node(torch.ones(tuple(space.shape), dtype=space.dtype, device=space.device))
    target = output_shape(node)
    dims = tuple(dim for dim in range(slope.ndim) if dim != batch or not target)
    return weighted_total(slope, dims, target)


@derivative("NllLossBackward0", "NllLoss2DBackward0")
@pulled_by(kernels.losses.nll_loss, lambda _, dim: (dim + (dim > 0),))  # classes are the second dimension
def nll_loss(node: Any) -> Local:
    x, target = node._saved_self, node._saved_target
    dim = 1 if x.ndim > 1 else 0
    ignored = target == signed(node._saved_ignore_index)
    known = target.masked_fill(ignored, 0)
    weight = node._saved_weight
    slope = -torch.ones_like(known, dtype=x.dtype) if weight is None else -weight[known]
    if node._saved_reduction == MEAN:
        slope = slope / node._saved_total_weight
    # After the division: where all are ignored, the total is 0.
    slope = slope.masked_fill(ignored, 0)
    source, index = tuple(x.shape), known.unsqueeze(dim)
    picked = Mask(~ignored) @ Reshape(tuple(index.shape), tuple(target.shape)) @ TakeAlong(source, dim, index)
    if node._saved_reduction == NONE:
        return (Diagonal(slope) @ picked,)
    return (weighted_total(slope, tuple(range(slope.ndim)), output_shape(node)) @ picked,)
