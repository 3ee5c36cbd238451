"""A square root of the Hessian of a loss by what a network puts out, where that Hessian tells examples apart."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from undertow.linear import Operator

__all__ = ["Root", "roots"]

WIDEST = 256
"""Entries of an example's output, up to which a block of theirs is written out and taken apart."""

ROUNDED = 30
"""Units of rounding that two products with the same matrix may differ by."""


class Root(abc.ABC):
    """S and signs with S diag(signs) Sᵀ the Hessian by one output, in columns that touch every example.

    The trace of the Gauss-Newton matrix is the sum over all columns and examples of sign · ‖Jᵀ column‖², with J the
    Jacobian of the example. Subclasses are final.
    """

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many columns there are."""

    @abc.abstractmethod
    def column(self, place: int) -> tuple[Tensor, Tensor]:
        """A column, shaped like the output, and the sign of it for each example."""

    @abc.abstractmethod
    def blended(self, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        """Random sums of all columns of either sign, whose squared norms are those of all of them in the mean."""


@dataclass(frozen=True)
class Blocks(Root):
    """Any block an example. `columns` are (count, examples, …), `signs` (count, examples)."""

    columns: Tensor
    signs: Tensor

    @property
    def count(self) -> int:
        return len(self.columns)

    def column(self, place: int) -> tuple[Tensor, Tensor]:
        return self.columns[place], self.signs[place]

    def blended(self, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        chance = _signs(self.signs.shape, generator).to(self.columns)
        return [
            (
                torch.einsum("kn,kn...->n...", chance * (self.signs == sign), self.columns),
                torch.full_like(chance[0], sign),
            )
            for sign in (1, -1)
            if bool((self.signs == sign).any())
        ]


@dataclass(frozen=True)
class Entries(Root):
    """Nothing between one entry and another: `values`, shaped like the output."""

    values: Tensor

    @property
    def count(self) -> int:
        return math.prod(self.values.shape[1:])

    def column(self, place: int) -> tuple[Tensor, Tensor]:
        values = self.values.flatten(1) if self.values.ndim > 1 else self.values[:, None]
        column = torch.zeros_like(values)
        column[:, place] = values[:, place].abs().sqrt()
        return column.reshape(self.values.shape), values[:, place].sign()

    def blended(self, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        chance = _signs(self.values.shape, generator).to(self.values)
        return [
            (chance * (sign * self.values).clamp_min(0).sqrt(), self.values.new_full((len(self.values),), sign))
            for sign in (1, -1)
            if bool((sign * self.values > 0).any())
        ]


def roots(curved: Operator, outputs: Sequence[Tensor]) -> list[Root] | None:
    """Of the Hessian of a loss by some outputs, whose first dimensions are examples; `None` where examples meet in it.

    That entries do not meet is seen by a product with random numbers; that examples do not, by products with random
    numbers for some of them, which give nothing for the others: for as many parts of them as tell any two apart.
    """
    chance = torch.Generator().manual_seed(0)
    probe = [torch.randn(o.shape, generator=chance, dtype=torch.float64).to(o) for o in outputs]
    wanted = _product(curved, probe)
    values = _product(curved, [torch.ones_like(output) for output in outputs])
    if _alike(wanted, [v * p for v, p in zip(values, probe, strict=True)]):
        return [Entries(value) for value in values]
    width = max(math.prod(output.shape[1:]) for output in outputs)
    if width > WIDEST or not _apart(curved, probe):
        return None
    blocks = _blocks(curved, outputs, width)
    return [_rooted(b, o) for b, o in zip(blocks, outputs, strict=True)]


def _apart(curved: Operator, probe: Sequence[Tensor]) -> bool:
    """Whether no example meets another: of any two, some digit of their numbers differs."""
    ends = torch.tensor([len(part) for part in probe]).cumsum(0).tolist()
    numbers = [torch.arange(end - len(part), end, device=part.device) for part, end in zip(probe, ends, strict=True)]
    for digit in range((ends[-1] - 1).bit_length()):
        chosen = [(number >> digit & 1).bool() for number in numbers]
        part = [p * c.reshape(-1, *[1] * (p.ndim - 1)) for p, c in zip(probe, chosen, strict=True)]
        answer = _product(curved, part)
        size = max(float(a.abs().max()) for a in answer)
        beyond = max([float(a[~c].abs().max()) for a, c in zip(answer, chosen, strict=True) if not bool(c.all())])
        if beyond > ROUNDED * torch.finfo(answer[0].dtype).eps * size:
            return False
    return True


def _product(curved: Operator, point: Sequence[Tensor]) -> list[Tensor]:
    return [answer.detach() for answer in curved.push(point)]


def _blocks(curved: Operator, outputs: Sequence[Tensor], width: int) -> list[Tensor]:
    """For each output, what each example's block would be if there were nothing else: (examples, width, width)."""
    rows = [_product(curved, [_unit(output, place) for output in outputs]) for place in range(width)]
    return [
        torch.stack([row[n].flatten(1) for row in rows[: math.prod(output.shape[1:])]], 2)
        for n, output in enumerate(outputs)
    ]


def _unit(output: Tensor, place: int) -> Tensor:
    """One entry of each example."""
    unit = torch.zeros_like(output)
    if place < math.prod(output.shape[1:]):
        unit.reshape(len(output), -1)[:, place] = 1
    return unit


def _rooted(blocks: Tensor, output: Tensor) -> Root:
    values, vectors = torch.linalg.eigh(blocks.double())
    columns = (vectors * values.abs().sqrt()[:, None, :]).permute(2, 0, 1)
    # Columns that are zero but for rounding, as one of a softmax always is, cost a sweep each.
    kept = values.abs().amax(0) > ROUNDED * torch.finfo(output.dtype).eps * values.abs().max()
    return Blocks(columns[kept].reshape(-1, *output.shape).to(output.dtype), values.sign().T[kept].to(output.dtype))


def _alike(left: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    off = math.hypot(*(float((a - b).double().norm()) for a, b in zip(left, right, strict=True)))
    size = math.hypot(*(float(a.double().norm()) for a in left))
    return off <= ROUNDED * max(torch.finfo(a.dtype).eps for a in left) * size


def _signs(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randint(2, tuple(shape), generator=generator).double() * 2 - 1
