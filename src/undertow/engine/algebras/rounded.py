"""Cotangents as they would be in a narrow dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.algebras.base import Algebra
from undertow.engine.algebras.gradient import Gradient
from undertow.engine.calculus import Rule
from undertow.engine.maps import LinearMap, Shape
from undertow.errors import GraphError

__all__ = ["NARROW", "Narrowed", "Rounded"]

NARROW = (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)

EXACT = Gradient()


@dataclass(frozen=True, slots=True, eq=False)
class Narrowed:
    """A gradient beside what becomes of it in a narrow dtype.

    Attributes:
        exact: The gradient.
        rounded: The same, rounded at every edge on the way, and multiplied by the loss scale.
        loss_scale: What the loss was multiplied by.
    """

    exact: Tensor
    rounded: Tensor
    loss_scale: float

    @property
    def lost(self) -> float:
        """Share of the entries that are not 0 and became 0."""
        present = self.exact != 0
        return _share(present & (self.rounded == 0), int(present.sum()))

    @property
    def overflowed(self) -> float:
        """Share of the entries that are finite and became infinite, or not a number."""
        present = self.exact.isfinite()
        return _share(present & ~self.rounded.isfinite(), int(present.sum()))

    @property
    def error(self) -> float:
        """Norm of the difference, with the loss scale taken out, over norm of the gradient."""
        size = float(vector_norm(self.exact, dtype=torch.float64))
        off = float(vector_norm(self.rounded.double() / self.loss_scale - self.exact.double()))
        return off / size if size else (math.inf if off else 0.0)


def _share(entries: Tensor, of: int) -> float:
    return int(entries.sum()) / of if of else 0.0


class Rounded(Algebra[Narrowed]):
    """The gradient, and beside it the gradient that arrives if each cotangent is rounded to a narrow dtype.

    ## What it means
    Mixed precision keeps weights and their updates in float32 and lets cotangents travel in 16 or 8 bits. Small
    ones then become 0, large ones overflow, and all lose digits. This sweep carries the gradient twice: as it is,
    and multiplied by a loss scale and rounded to `dtype` after every operation and every sum of contributions, at
    the weights as well. Within an operation it computes in the dtype of the model, as tensor cores do. For each
    leaf it gives the share of non-zero entries lost to zero, the share that overflowed, and the relative error.
    `undertow.precision` searches for the smallest loss scale that works.

    ## How it errs
    It looks at cotangents only: weights and activations stay as the forward pass had them, so their own rounding is
    not counted and the answer is hopeful in that respect: shares lost were as predicted in real passes, relative
    errors up to 65 times as large where they were below a hundredth (see the figures in `benchmarks/algebras.md`).
    It is harsh in another: frameworks keep some operations
    (losses, normalisations, softmax) in float32, and fp8 recipes round only what enters matrix products and choose
    a scale for each tensor. Beyond the largest finite number it counts as overflow, also in e4m3, where hardware
    often saturates. One pass at one batch tells of that pass: gradients shrink while a net trains, so ask again
    later.

    ## What it needs
    Nothing: operations without a rule are borrowed. Real dtypes. About twice the time of a gradient, and the rounding.

    ## Source
    Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740; for fp8, Micikevicius et al. 2022, FP8
    Formats for Deep Learning, arXiv:2209.05433."""

    def __init__(self, dtype: torch.dtype, loss_scale: float = 1.0):
        """A sweep in `dtype`, of the loss times `loss_scale`.

        Raises:
            GraphError: A loss scale that is not positive and finite.
        """
        if not 0 < loss_scale < math.inf or not dtype.is_floating_point:
            raise GraphError(
                f"a rounded sweep cannot use loss scale {loss_scale} and {dtype}\n"
                "  It multiplies the loss by the scale and rounds to the dtype.\n"
                "  Pass a positive, finite number, and a dtype such as torch.float16."
            )
        self.dtype = dtype
        self.loss_scale = loss_scale

    @property
    def name(self) -> str:
        return "rounded"

    @property
    def takes_complex(self) -> bool:
        return False

    def seed(self, cotangent: Tensor) -> Narrowed:
        return Narrowed(cotangent, self._round(cotangent * self.loss_scale), self.loss_scale)

    def pull(self, jacobian: LinearMap, cotangent: Narrowed) -> Narrowed:
        return self._pair(jacobian.pull(cotangent.exact), jacobian.pull(cotangent.rounded))

    def through(
        self, node: Any, rule: Rule, cotangents: Sequence[Narrowed | None], wanted: Sequence[bool]
    ) -> Sequence[Narrowed | None] | None:
        exact = EXACT.through(node, rule, _exact(cotangents), wanted)
        rounded = EXACT.through(node, rule, _rounded(cotangents), wanted)
        return None if exact is None or rounded is None else self._pairs(exact, rounded)

    def add(self, left: Narrowed, right: Narrowed) -> Narrowed:
        return self._pair(left.exact + right.exact, self._round(left.rounded + right.rounded))

    def fit(self, contribution: Narrowed, shape: Shape, dtype: torch.dtype) -> Narrowed:
        rounded = EXACT.fit(contribution.rounded, shape, dtype)
        return self._pair(EXACT.fit(contribution.exact, shape, dtype), self._round(rounded))

    def borrow(self, node: Any, cotangents: list[Narrowed | None]) -> Sequence[Narrowed | None]:
        exact, rounded = EXACT.borrow(node, _exact(cotangents)), EXACT.borrow(node, _rounded(cotangents))
        return self._pairs(exact, rounded)

    def _pair(self, exact: Tensor, rounded: Tensor) -> Narrowed:
        return Narrowed(exact, rounded, self.loss_scale)

    def _pairs(self, exact: Sequence[Tensor | None], rounded: Sequence[Tensor | None]) -> list[Narrowed | None]:
        both = zip(exact, rounded, strict=True)
        return [None if a is None or b is None else self._pair(a, b) for a, b in both]

    def _round(self, tensor: Tensor) -> Tensor:
        there = tensor.to(self.dtype).to(tensor.dtype)
        if self.dtype is not torch.float8_e4m3fn:
            return there
        # PyTorch saturates here, at 448; what would round to more counts as overflow.
        return torch.where(tensor.abs() > 464, tensor * math.inf, there)


def _exact(cotangents: Sequence[Narrowed | None]) -> list[Tensor | None]:
    return [None if part is None else part.exact for part in cotangents]


def _rounded(cotangents: Sequence[Narrowed | None]) -> list[Tensor | None]:
    return [None if part is None else part.rounded for part in cotangents]
