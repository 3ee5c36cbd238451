"""Cotangents that cannot underflow: a tensor and a power of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.algebras.base import Algebra
from undertow.engine.algebras.gradient import Gradient
from undertow.engine.calculus import Rule
from undertow.engine.maps import LinearMap, Shape, links

__all__ = ["Extended", "Scaled"]


class Extended(NamedTuple):
    """The tensor mantissa · 2^exponent, which its dtype may be too narrow to hold.

    Attributes:
        mantissa: The tensor, of a size well within its dtype's range.
        exponent: The power of two.
    """

    mantissa: Tensor
    exponent: int

    @property
    def is_zero(self) -> bool:
        """Whether every entry is 0, rather than too small for the dtype."""
        return not bool(self.mantissa.any())

    def log10_norm(self) -> float:
        """The decimal logarithm of the Euclidean norm; minus infinity for a tensor of zeros."""
        size = _size(self.mantissa)
        return math.log10(size) + self.exponent * math.log10(2) if size else -math.inf

    def log10(self) -> Tensor:
        """The decimal logarithm of the absolute value of each entry, in float64; minus infinity for 0."""
        return self.mantissa.abs().double().log10() + self.exponent * math.log10(2)

    def plain(self) -> Tensor:
        """As an ordinary tensor of its dtype, in which it may underflow or overflow."""
        return _shifted(self.mantissa, self.exponent)


class Scaled(Algebra[Extended]):
    """The gradient as mantissas and a power of two for each tensor, so that nothing underflows or overflows.

    ## What it means
    In float32 a gradient below 1e-45 is 0, whether it is truly zero (a dead unit, a path that was cut) or just too
    small, and one below 1e-38 has lost digits. Here each cotangent is kept as mantissa · 2^k, its norm brought back
    to the middle of the range whenever it leaves it. Multiplying by a power of two is exact, so the mantissas have
    the digits that the gradient would have in a dtype without limits: the gradient of a deep net may be 1e-80 or
    1e-4000, and is told from an exact zero. `Scaled(of)` does the same for another algebra of plain tensors, such
    as `MaxProduct`.

    ## How it errs
    As the gradient, by rounding. The power of two is one for each tensor: an entry more than 45 decades smaller
    than its whole tensor (in float32 and bfloat16; 4 in float16, 200 in float64) becomes 0 or loses digits. A
    tensor that is reported as all zeros is exactly zero, unless it was cut out of a larger one next to which it was
    as small as that. Forward values are as PyTorch computed them: what underflowed there, such as the slope of a
    saturated sigmoid, is 0.

    ## What it needs
    Nothing: operations without a rule are borrowed, since their products are linear. Real or complex dtypes.

    ## Source
    Scaling of intermediate results as in the forward–backward algorithm of Rabiner 1989, A Tutorial on Hidden
    Markov Models, Proceedings of the IEEE 77(2), section V.A.
    """

    def __init__(self, of: Algebra[Tensor] | None = None):
        self.of = Gradient() if of is None else of

    @property
    def name(self) -> str:
        return "scaled" if self.of.name == "gradient" else f"scaled {self.of.name}"

    @property
    def takes_complex(self) -> bool:
        return self.of.takes_complex

    def seed(self, cotangent: Tensor) -> Extended:
        return _centered(self.of.seed(cotangent), 0)

    def pull(self, jacobian: LinearMap, cotangent: Extended) -> Extended:
        for link in links(jacobian):
            cotangent = self._across(link, cotangent)
        return cotangent

    def through(
        self, node: Any, rule: Rule, cotangents: Sequence[Extended | None], wanted: Sequence[bool]
    ) -> Sequence[Extended | None] | None:
        """All at once as a plain sweep does, and link by link only where something may have been lost on the way."""
        mantissas, exponent = _aligned(cotangents)
        parts = self.of.through(node, rule, mantissas, wanted)
        if parts is None:
            return None
        sent: list[Extended | None] = [None] * len(parts)
        for position, part in enumerate(parts):
            if part is not None and wanted[position]:
                if (kept := _kept(part, exponent, mantissas)) is None:
                    centered = [None if each is None else _centered(*each) for each in cotangents]
                    return super().through(node, rule, centered, wanted)
                sent[position] = kept
        return sent

    def add(self, left: Extended, right: Extended) -> Extended:
        (a, b), exponent = _aligned((left, right))
        assert a is not None
        assert b is not None
        return Extended(self.of.add(a, b), exponent)

    def fit(self, contribution: Extended, shape: Shape, dtype: torch.dtype) -> Extended:
        mantissa, exponent = contribution.mantissa, contribution.exponent
        if mantissa.shape == shape and mantissa.dtype is dtype:
            return contribution
        if mantissa.dtype is dtype:  # a sum loses nothing by underflow
            return Extended(self.of.fit(mantissa, shape, dtype), exponent)
        step = min(_middle(dtype), _middle(mantissa.dtype)) - _middle(mantissa.dtype)
        return _centered(self.of.fit(_shifted(mantissa, step), shape, dtype), exponent - step)

    def borrow(self, node: Any, cotangents: list[Extended | None]) -> Sequence[Extended | None] | None:
        mantissas, exponent = _aligned(cotangents)
        parts = self.of.borrow(node, [*mantissas])
        return None if parts is None else [None if p is None else _centered(p, exponent) for p in parts]

    def _across(self, link: LinearMap, cotangent: Extended) -> Extended:
        part = self.of.pull(link, cotangent.mantissa)
        if math.isfinite(_size(part)) or not math.isfinite(_size(cotangent.mantissa)):
            return _centered(part, cotangent.exponent)
        down = -2 * _middle(part.dtype)
        return _centered(self.of.pull(link, _shifted(cotangent.mantissa, down)), cotangent.exponent - down)


@cache
def _middle(dtype: torch.dtype) -> int:
    """The exponent that mantissas are brought to: three eighths of the way up the range of the dtype.

    What is far below a tensor's norm has more need of room than what may be far above it after one step.
    """
    return int(math.log2(torch.finfo(dtype).max) * 3 / 8)


@cache
def _window(dtype: torch.dtype) -> tuple[float, float, torch.dtype | None]:
    """The norms that count as near the middle, and the dtype to compute a norm in if it is not the tensor's own."""
    middle = _middle(dtype)
    return 2.0 ** (middle * 3 // 4), 2.0 ** (middle * 5 // 4), torch.float32 if dtype.itemsize == 2 else None


def _aligned(cotangents: Sequence[Extended | None]) -> tuple[list[Tensor | None], int]:
    """Mantissas over one common exponent, the largest."""
    if len(cotangents) == 1 and (only := cotangents[0]) is not None:
        return [only.mantissa], only.exponent
    exponents = {part.exponent for part in cotangents if part is not None}
    top = max(exponents, default=0)
    if len(exponents) <= 1:
        return [None if part is None else part.mantissa for part in cotangents], top
    return [None if part is None else _shifted(part.mantissa, part.exponent - top) for part in cotangents], top


def _kept(part: Tensor, exponent: int, before: Sequence[Tensor | None]) -> Extended | None:
    """A contribution as it is to travel on; `None` if its size tells that something may have been lost in making it.

    Entries that were only moved are as they were.
    """
    base = part._base
    for mantissa in before:
        if part is mantissa or (
            base is not None and mantissa is not None and (base is mantissa or base is mantissa._base)
        ):
            return Extended(part, exponent)
    low, high, wide = _window(part.dtype)
    size = vector_norm(part, dtype=wide).item() if wide else vector_norm(part).item()
    if low <= size <= high:
        return Extended(part, exponent)
    return _centered(part, exponent) if 1 <= size < math.inf else None


def _centered(tensor: Tensor, exponent: int) -> Extended:
    """The same numbers with the norm of the mantissa in the middle of its range."""
    size = _size(tensor)
    if not size or not math.isfinite(size):
        return Extended(tensor, exponent)
    shift = _middle(tensor.dtype) - math.frexp(size)[1]
    return Extended(_shifted(tensor, shift), exponent - shift)


def _size(tensor: Tensor) -> float:
    return float(vector_norm(tensor, dtype=torch.complex128 if tensor.is_complex() else torch.float64))


def _shifted(tensor: Tensor, exponent: int) -> Tensor:
    """Times a power of two, in steps that each are within the range of the dtype."""
    most = 2 * _middle(tensor.dtype)
    while exponent:
        step = max(-most, min(most, exponent))
        tensor, exponent = tensor * 2.0**step, exponent - step
    return tensor
