"""Local derivatives of softmax and of normalisations by mean and variance."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import input_shapes, output_shape, signed
from undertow.engine.calculus.reductions import total, weighted_total
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Diagonal, Expand, LinearMap, LogSoftmax, Reshape, Scale, Shape, Softmax, Standardize

__all__: list[str] = []


@derivative("SafeSoftmaxBackward0", "SoftmaxBackward0")
def softmax(node: Any) -> Local:
    return (Softmax(node._saved_result, signed(node._saved_dim)),)


@derivative("LogSoftmaxBackward0")
def log_softmax(node: Any) -> Local:
    return (LogSoftmax(node._saved_result, signed(node._saved_dim)),)


@derivative("NativeLayerNormBackward0")
@pulled_by(
    kernels.normalizations.layer_norm,
    lambda node, dim: (dim,) * (dim < node._saved_input.ndim - len(node._saved_normalized_shape)),
)
def layer_norm(node: Any) -> Local:
    x, weight = node._saved_input, node._saved_weight
    dims = tuple(range(x.ndim - len(node._saved_normalized_shape), x.ndim))
    r = node._saved_result2
    z = (x - node._saved_result1) * r
    return _scaled(node, Standardize(z, r, dims), z, weight, tuple(node._saved_normalized_shape))


@derivative("NativeGroupNormBackward0")
@pulled_by(kernels.normalizations.group_norm, lambda _, dim: (dim,) * (dim == 0))
def group_norm(node: Any) -> Local:
    x, shape = node._saved_input, output_shape(node)
    groups = (node._saved_N, node._saved_group, node._saved_C * node._saved_HxW // node._saved_group)
    r = node._saved_result2.unsqueeze(-1)
    z = (x.reshape(groups) - node._saved_result1.unsqueeze(-1)) * r
    grouped = Reshape(groups, shape) @ Standardize(z, r, (2,)) @ Reshape(shape, groups)
    weight = node._saved_weight
    per_channel = (node._saved_C, *[1] * (x.ndim - 2))
    weight = None if weight is None else weight.reshape(per_channel)
    by_input, *others = _scaled(node, grouped, z.reshape(shape), weight, per_channel)
    by_statistics = () if by_input is None else _statistics(z, r, tuple(x.shape), output_shape(node, 1))
    return [(by_input, *by_statistics), *[(single,) for single in others]]


def _statistics(z: Tensor, r: Tensor, source: Shape, target: Shape) -> tuple[LinearMap, LinearMap]:
    """How the mean, and one over the standard deviation, of each group answer to the input."""
    groups = tuple(z.shape)
    lined_up = Reshape(source, groups)
    mean = Scale(1 / max(groups[-1], 1), target) @ total(groups, (2,), target)
    return mean @ lined_up, weighted_total(-z * r * r / max(groups[-1], 1), (2,), target) @ lined_up


@derivative("NativeBatchNormBackward0", "NativeBatchNormLegitBackward0")
@pulled_by(kernels.normalizations.batch_norm)
def batch_norm(node: Any) -> Local:
    x, weight = node._saved_input, node._saved_weight
    per_channel = (x.shape[1], *[1] * (x.ndim - 2))
    weight = None if weight is None else weight.reshape(per_channel)
    if node._saved_training:
        r = node._saved_result2.reshape(1, *per_channel)
        z = (x - node._saved_result1.reshape(per_channel)) * r
        return _scaled(node, Standardize(z, r, (0, *range(2, x.ndim))), z, weight, per_channel)
    r = (node._saved_running_var + node._saved_eps).rsqrt().reshape(per_channel)
    z = (x - node._saved_running_mean.reshape(per_channel)) * r
    return _scaled(node, Diagonal(r.expand_as(x)), z, weight, per_channel)


def _scaled(
    node: Any, normalize: LinearMap, z: Tensor, weight: Tensor | None, aligned: Shape
) -> tuple[LinearMap | None, LinearMap | None, LinearMap | None]:
    """How weight · z + bias answers to what z was made of, to the weight and to the bias.

    `aligned` is the shape in which weight and bias broadcast against z.
    """
    shape = tuple(z.shape)
    source, of_weight, of_bias = input_shapes(node)
    by_input = normalize if weight is None else Diagonal(weight.expand(shape)) @ normalize
    return (
        by_input if source is not None else None,
        None if of_weight is None else Diagonal(z) @ Expand(aligned, shape) @ Reshape(of_weight, aligned),
        None if of_bias is None else Expand(aligned, shape) @ Reshape(of_bias, aligned),
    )
