"""Local derivatives of operations that act entry by entry on one tensor."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.kernels import entrywise as kernels
from undertow.engine.calculus.node import output_shape
from undertow.engine.calculus.table import Local, derivative, elementwise, masked, pulled_by
from undertow.engine.maps import Above, Mask, Scale

__all__: list[str] = []

SIXTH = float(torch.tensor(1 / 6, dtype=torch.float32))
"""The slope of PyTorch's hard sigmoid: its kernels round it to float32 in every dtype."""

elementwise("ExpBackward0", lambda node: node._saved_result)
elementwise("Exp2Backward0", lambda node: node._saved_result * math.log(2))
elementwise("Expm1Backward0", lambda node: node._saved_result + 1)
elementwise("LogBackward0", lambda node: 1 / node._saved_self)
elementwise("Log2Backward0", lambda node: 1 / (node._saved_self * math.log(2)))
elementwise("Log10Backward0", lambda node: 1 / (node._saved_self * math.log(10)))
elementwise("Log1PBackward0", lambda node: 1 / (1 + node._saved_self))

elementwise("SqrtBackward0", lambda node: 1 / (2 * node._saved_result))
elementwise("RsqrtBackward0", lambda node: -0.5 * node._saved_result**3)
elementwise("ReciprocalBackward0", lambda node: -(node._saved_result**2))
elementwise("AbsBackward0", lambda node: node._saved_self.sign())

elementwise("SinBackward0", lambda node: node._saved_self.cos())
elementwise("CosBackward0", lambda node: -node._saved_self.sin())
elementwise("TanBackward0", lambda node: 1 + node._saved_result**2)
elementwise("SinhBackward0", lambda node: node._saved_self.cosh())
elementwise("CoshBackward0", lambda node: node._saved_self.sinh())
elementwise("AsinBackward0", lambda node: (1 - node._saved_self**2).rsqrt())
elementwise("AcosBackward0", lambda node: -(1 - node._saved_self**2).rsqrt())
elementwise("AtanBackward0", lambda node: 1 / (1 + node._saved_self**2))
elementwise("ErfBackward0", lambda node: 2 / math.sqrt(math.pi) * (-(node._saved_self**2)).exp())
elementwise("ErfcBackward0", lambda node: -2 / math.sqrt(math.pi) * (-(node._saved_self**2)).exp())

elementwise("TanhBackward0", lambda node: 1 - node._saved_result**2, kernels.tanh)
elementwise("SigmoidBackward0", lambda node: node._saved_result * (1 - node._saved_result), kernels.sigmoid)
elementwise("LogSigmoidBackward0", lambda node: torch.sigmoid(-node._saved_self), kernels.log_sigmoid)

# At a kink every rule takes the side that PyTorch takes.
masked(
    "HardtanhBackward0",
    lambda node: _between(node._saved_self, node._saved_min_val, node._saved_max_val),
    kernels.hardtanh,
)
masked("ClampMinBackward0", lambda node: node._saved_self >= node._saved_min)
masked("ClampMaxBackward0", lambda node: node._saved_self <= node._saved_max)


def _between(x: Tensor, low: float, high: float) -> Tensor:
    return (x > low) & (x < high)


@derivative("ClampBackward1")
def clamp(node: Any) -> Local:
    x, low, high = node._saved_self, node._saved_min, node._saved_max
    return (Mask((x >= (-math.inf if low is None else low)) & (x <= (math.inf if high is None else high))),)


@derivative("ReluBackward0")
@pulled_by(kernels.relu)
def relu(node: Any) -> Local:
    return (Above(node._saved_result, 0),)


@derivative("ThresholdBackward0", "ThresholdBackward1")
def threshold(node: Any) -> Local:
    return (Above(node._saved_self, node._saved_threshold),)


@derivative("NegBackward0")
def neg(node: Any) -> Local:
    return (Scale(-1, output_shape(node)),)


@derivative("CeilBackward0", "FloorBackward0", "RoundBackward0", "SignBackward0", "TruncBackward0")
def step(node: Any) -> Local:
    nowhere = torch.zeros((), dtype=torch.bool, device=node._input_metadata[0].device)
    return (Mask(nowhere.expand(output_shape(node))),)


def _power(x: Tensor, exponent: float) -> Tensor:
    return torch.zeros_like(x) if exponent == 0 else exponent * x ** (exponent - 1)


elementwise("PowBackward0", lambda node: _power(node._saved_self, node._saved_exponent))
elementwise(
    "PowBackward2",
    lambda node: node._saved_result * math.log(node._saved_self) if node._saved_self else 0 * node._saved_result,
)


def _gelu(x: Tensor) -> Tensor:
    """Φ(x) + x φ(x), with the standard normal distribution and density."""
    density = (x * x).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    return (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5).addcmul_(x, density)


def _tanh_gelu(x: Tensor) -> Tensor:
    """The slope of x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³)."""
    root = math.sqrt(2 / math.pi)
    t = torch.tanh(root * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * root * (1 + 3 * 0.044715 * x**2)


elementwise(
    "GeluBackward0",
    lambda node: (_tanh_gelu if node._saved_approximate == "tanh" else _gelu)(node._saved_self),
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


elementwise("SiluBackward0", lambda node: _silu(node._saved_self), kernels.silu)
elementwise("MishBackward0", lambda node: _mish(node._saved_self), kernels.mish)
elementwise("HardswishBackward0", lambda node: _hardswish(node._saved_self), kernels.hardswish)
elementwise(
    "HardsigmoidBackward0",
    lambda node: _between(node._saved_self, -3, 3).to(node._saved_self.dtype) * SIXTH,
    kernels.hardsigmoid,
)


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
    lambda node: _softplus(node._saved_self, node._saved_beta, node._saved_threshold),
    kernels.softplus,
)
elementwise(
    "EluBackward0",
    lambda node: _elu(node._saved_self, node._saved_alpha, node._saved_scale, node._saved_input_scale),
    kernels.elu,
)
