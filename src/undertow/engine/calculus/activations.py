"""Local derivatives of activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import weighted
from undertow.engine.calculus.kernels import entrywise as kernels
from undertow.engine.calculus.node import input_shapes, output_shape, signed, wide
from undertow.engine.calculus.table import Local, derivative, elementwise, everywhere, masked, pulled_by
from undertow.engine.maps import Above, Diagonal, LinearMap, Mask, Scale, Slice, Sum

__all__: list[str] = []

SIXTH = float(torch.tensor(1 / 6, dtype=torch.float32))
"""The slope of PyTorch's hard sigmoid: its kernels round it to float32 in every dtype."""

elementwise("LogSigmoidBackward0", lambda node: torch.sigmoid(-node._saved_self), kernels.log_sigmoid)

# At a kink every rule takes the side that PyTorch takes.
masked(
    "HardtanhBackward0",
    lambda node: _between(node._saved_self, node._saved_min_val, node._saved_max_val),
    kernels.hardtanh,
)
masked("HardshrinkBackward0", lambda node: ~_within(node._saved_self, node._saved_lambd))
masked("SoftshrinkBackward0", lambda node: ~_within(node._saved_self, node._saved_lambd))


def _within(x: Tensor, bound: float) -> Tensor:
    return (x >= -bound) & (x <= bound)


def _between(x: Tensor, low: float, high: float) -> Tensor:
    return (x > low) & (x < high)


@derivative("ReluBackward0")
@pulled_by(kernels.relu, everywhere)
def relu(node: Any) -> Local:
    return (Above(node._saved_result, 0),)


@derivative("ThresholdBackward0", "ThresholdBackward1")
def threshold(node: Any) -> Local:
    return (Above(node._saved_self, node._saved_threshold),)


def _gelu(x: Tensor) -> Tensor:
    """Φ(x) + x φ(x), with the standard normal distribution and density."""
    density = (x * x).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    return (x * -math.sqrt(0.5)).erfc_().mul_(0.5).addcmul_(x, density)


def _tanh_gelu(x: Tensor) -> Tensor:
    """The slope of x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³)."""
    root = math.sqrt(2 / math.pi)
    t = torch.tanh(root * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 + t) * (1 - t) * root * (1 + 3 * 0.044715 * x**2)


def _in_wide(slope: Callable[[Tensor], Tensor], node: Any) -> Tensor:
    """A slope that is a difference of terms, which are computed in float32 at least, as PyTorch's kernels do."""
    x = node._saved_self
    return slope(x.to(wide(node))).to(x.dtype)


elementwise(
    "GeluBackward0",
    lambda node: _in_wide(_tanh_gelu if node._saved_approximate == "tanh" else _gelu, node),
    kernels.gelu,
)


def _silu(x: Tensor) -> Tensor:
    s = torch.sigmoid(x)
    return s * (1 + x * (1 - s))


def _mish(x: Tensor) -> Tensor:
    t = torch.tanh(torch.nn.functional.softplus(x))
    return t + x * (1 - t**2) * torch.sigmoid(x)


def _hardswish(x: Tensor) -> Tensor:
    return torch.where(x <= -3, 0, torch.where(x < 3, x / 3 + 0.5, 1)).to(x.dtype)


elementwise("SiluBackward0", lambda node: _in_wide(_silu, node), kernels.silu)
elementwise("MishBackward0", lambda node: _in_wide(_mish, node), kernels.mish)
elementwise("HardswishBackward0", lambda node: _in_wide(_hardswish, node), kernels.hardswish)


@derivative("HardsigmoidBackward0")
@pulled_by(kernels.hardsigmoid, everywhere)
def hardsigmoid(node: Any) -> Local:
    return (Mask(_between(node._saved_self, -3, 3)) @ Scale(SIXTH, output_shape(node)),)


def _bent(at: Tensor, slope: Tensor | float, dtype: torch.dtype) -> Tensor:
    """1 where `at` is positive, `slope` elsewhere."""
    return torch.where(at > 0, torch.ones((), dtype=dtype, device=at.device), slope).to(dtype)


def _leaky(x: Tensor, slope: float) -> Tensor:
    return _bent(x, slope, x.dtype)


def _elu(x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    return scale * _bent(x, alpha * input_scale * (x * input_scale).exp(), x.dtype)


def _softplus(x: Tensor, beta: float, threshold: float) -> Tensor:
    return torch.where(x * beta > threshold, 1, torch.sigmoid(beta * x)).to(x.dtype)


elementwise("LeakyReluBackward0", lambda node: _leaky(node._saved_self, node._saved_negative_slope), kernels.leaky_relu)
elementwise("LeakyReluBackward1", lambda node: _leaky(node._saved_result, node._saved_negative_slope))
elementwise("CeluBackward0", lambda node: _elu(node._saved_self, node._saved_alpha, 1, 1 / node._saved_alpha))
elementwise(
    "SoftplusBackward0",
    lambda node: _in_wide(lambda x: _softplus(x, node._saved_beta, node._saved_threshold), node),
    kernels.softplus,
)
elementwise(
    "EluBackward0",
    lambda node: _elu(node._saved_self, node._saved_alpha, node._saved_scale, node._saved_input_scale),
    kernels.elu,
)


@derivative("PreluKernelBackward0")
def prelu(node: Any) -> Local:
    x, slope, target = node._saved_self, node._saved_weight, output_shape(node)
    by_input, by_slope = input_shapes(node)
    return weighted(by_input, target, _bent(x, slope, x.dtype)), weighted(by_slope, target, x.clamp(max=0))


elementwise("RreluWithNoiseBackward0", lambda node: _rrelu(node, node._saved_self))
elementwise("RreluWithNoiseBackward1", lambda node: _rrelu(node, node._saved_result))


def _rrelu(node: Any, x: Tensor) -> Tensor:
    """The slope that was drawn for each entry; in evaluation, halfway between the bounds."""
    low, high = node._saved_lower, node._saved_upper
    drawn = node._saved_training and high - low > 1e-6
    return node._saved_noise if drawn else _leaky(x, (low + high) / 2)


@derivative("GluBackward0")
def glu(node: Any) -> Local:
    x = node._saved_self
    dim = signed(node._saved_dim) % x.ndim
    value, gate = x.chunk(2, dim)
    opened = torch.sigmoid(gate)
    count = x.shape[dim] // 2

    def half(start: int, slope: Tensor) -> LinearMap:
        return Diagonal(slope) @ Slice(tuple(x.shape), dim, start, count)

    return (Sum(half(0, opened), half(count, value * opened * (1 - opened))),)
