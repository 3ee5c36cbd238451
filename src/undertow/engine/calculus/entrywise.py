"""Local derivatives of operations that act entry by entry on one tensor."""

from __future__ import annotations

import math
from typing import Any

import torch

from undertow.engine.calculus.arithmetic import nothing
from undertow.engine.calculus.kernels import entrywise as kernels
from undertow.engine.calculus.node import is_complex, output_shape
from undertow.engine.calculus.table import Local, derivative, elementwise, masked
from undertow.engine.maps import Diagonal, Identity, Mask, Scale

__all__: list[str] = []

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
elementwise("AsinhBackward0", lambda node: (node._saved_self**2 + 1).rsqrt())
elementwise("AcoshBackward0", lambda node: (node._saved_self**2 - 1).rsqrt())
elementwise("AtanhBackward0", lambda node: 1 / (1 - node._saved_self**2))
elementwise("FrexpBackward0", lambda node: torch.exp2(-node._saved_exponent.to(node._input_metadata[0].dtype)))
elementwise("ErfBackward0", lambda node: 2 / math.sqrt(math.pi) * (-(node._saved_self**2)).exp())
elementwise("ErfcBackward0", lambda node: -2 / math.sqrt(math.pi) * (-(node._saved_self**2)).exp())

# 1 - y², so written that no digits are lost near y = ±1
elementwise("TanhBackward0", lambda node: (1 + node._saved_result) * (1 - node._saved_result), kernels.tanh)
elementwise("SigmoidBackward0", lambda node: node._saved_result * (1 - node._saved_result), kernels.sigmoid)

# At a kink every rule takes the side that PyTorch takes.
masked("NanToNumBackward0", lambda node: node._saved_self.isfinite())
masked("ClampMinBackward0", lambda node: node._saved_self >= node._saved_min)
masked("ClampMaxBackward0", lambda node: node._saved_self <= node._saved_max)


@derivative("ClampBackward1")
def clamp(node: Any) -> Local:
    x, low, high = node._saved_self, node._saved_min, node._saved_max
    return (Mask((x >= (-math.inf if low is None else low)) & (x <= (math.inf if high is None else high))),)


@derivative("NegBackward0")
def neg(node: Any) -> Local:
    return (Scale(-1, output_shape(node)),)


@derivative("Deg2RadBackward0")
def deg2rad(node: Any) -> Local:
    return (Scale(math.pi / 180, output_shape(node)),)


@derivative("Rad2DegBackward0")
def rad2deg(node: Any) -> Local:
    return (Scale(180 / math.pi, output_shape(node)),)


@derivative("FmodBackward0", "FracBackward0", "RemainderBackward0")
def within_a_step(node: Any) -> Local:
    return (Identity(output_shape(node)),)


@derivative(
    "BernoulliBackward0",
    "BernoulliBackward2",
    "CauchyBackward0",
    "CeilBackward0",
    "ExponentialBackward0",
    "FillBackward0",
    "FillBackward2",
    "FloorBackward0",
    "GeometricBackward0",
    "LogNormalBackward0",
    "NormalBackward0",
    "PoissonBackward0",
    "RandomBackward0",
    "RandomBackward1",
    "RandomBackward2",
    "RoundBackward0",
    "RoundBackward1",
    "SignBackward0",
    "TruncBackward0",
    "UniformBackward0",
    "ZeroBackward0",
)
def unmoved(node: Any) -> Local:
    """What was rounded, drawn at random or written over."""
    return (nothing(output_shape(node), node),)


@derivative("AngleBackward0", "SgnBackward0")
def unmoved_if_real(node: Any) -> Local | None:
    return None if node._saved_self.is_complex() else unmoved(node)


@derivative("PowBackward0")
def power(node: Any) -> Local | None:
    if is_complex(node):
        return None
    x, exponent = node._saved_self, node._saved_exponent
    return (Diagonal(exponent * x ** (exponent - 1)) if exponent else nothing(output_shape(node), node),)


elementwise(
    "PowBackward2",
    lambda node: node._saved_result * math.log(node._saved_self) if node._saved_self else 0 * node._saved_result,
)
