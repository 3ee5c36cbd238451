"""The passages of a tape: what an operation does to tangents going forward and to cotangents going back."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import fitted
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import KERNELS, Local, Rule
from undertow.engine.calculus.kernels import Kernel
from undertow.engine.maps import LinearMap, links
from undertow.engine.reading import Space
from undertow.engine.saved import Saved
from undertow.engine.sweep import freed
from undertow.errors import MissingRuleError

__all__ = ["Borrowed", "Cells", "Passage", "Ruled", "add", "read"]

Cells = list[Tensor | None]
"""What has arrived at each output of each operation: cotangents in a reverse sweep, tangents in a forward one."""

Parts = Sequence[Tensor | None]
"""One for each input of an operation, or for each output; `None` where nothing flows."""


@dataclass(frozen=True)
class Passage(abc.ABC):
    """One operation's local derivative. Subclasses are final.

    Attributes:
        outputs: The cell of each output.
        inputs: The cell of each input, `None` for those that no sweep needs.
    """

    outputs: Sequence[int]
    inputs: Sequence[int | None]

    @abc.abstractmethod
    def pulled(self, cotangents: Parts) -> Parts:
        """One product for each input."""

    @abc.abstractmethod
    def pushed(self, tangents: Parts) -> Parts:
        """One product for each output."""

    @property
    def borrows(self) -> str:
        """The type of the operation, if it is PyTorch's derivative that is used; empty otherwise."""
        return ""

    def pull(self, cells: Cells, spaces: Sequence[Space]) -> None:
        """Add to the cells of the inputs what follows from those of the outputs."""
        cotangents = [cells[cell] for cell in self.outputs]
        if any(cotangent is not None for cotangent in cotangents):
            for cell, part in zip(self.inputs, self.pulled(cotangents), strict=False):
                if cell is not None and part is not None:
                    add(cells, cell, fitted(part, *spaces[cell]))

    def push(self, cells: Cells, spaces: Sequence[Space]) -> None:
        """Add to the cells of the outputs what follows from those of the inputs."""
        tangents = [None if cell is None else cells[cell] for cell in self.inputs]
        if any(tangent is not None for tangent in tangents):
            for cell, part in zip(self.outputs, self.pushed(tangents), strict=False):
                if part is not None:
                    add(cells, cell, _cast(part, spaces[cell][1]))


@dataclass(frozen=True)
class Ruled(Passage):
    """An operation by its rule, through its maps.

    Attributes:
        links: The factors of its maps, each with where it leads from and to: outputs are counted first, then
            inputs, then the places between factors.
        places: How many of these there are.
    """

    links: Sequence[Link]
    places: int

    @classmethod
    def of(cls, local: Local, outputs: Sequence[int], inputs: Sequence[int | None]) -> Ruled:
        """The passage that a rule's answer makes."""
        chain = _links(local, len(outputs), inputs)
        return cls(outputs, inputs, chain, _places(chain, len(outputs) + len(inputs)))

    def pulled(self, cotangents: Parts) -> Parts:
        first, held = len(cotangents), [*cotangents, *[None] * (self.places - len(cotangents))]
        for output, place, jacobian in self.links:
            if (cotangent := held[output]) is not None:
                add(held, place, jacobian.pull(cotangent))
        return held[first : first + len(self.inputs)]

    def pushed(self, tangents: Parts) -> Parts:
        first = len(self.outputs)
        held = [*[None] * first, *tangents, *[None] * (self.places - first - len(tangents))]
        for output, place, jacobian in reversed(self.links):
            if (tangent := held[place]) is not None:
                add(held, output, jacobian.push(tangent))
        return held[:first]


@dataclass(frozen=True)
class Kerneled(Passage):
    """An operation whose rule has a kernel: backward through that, and forward through maps that are made when needed.

    Attributes:
        saved: What it saved.
        rule: Its rule.
        kernel: The rule's kernel.
    """

    saved: Saved
    rule: Rule
    kernel: Kernel

    @cached_property
    def by_maps(self) -> Passage:
        """The same without the kernel."""
        return _by_rule(self.saved, self.outputs, self.inputs, self.rule)

    @property
    def borrows(self) -> str:
        return self.by_maps.borrows

    def pulled(self, cotangents: Parts) -> Parts:
        if cotangents[0] is not None:
            products = self.kernel(self.saved, cotangents, [cell is not None for cell in self.inputs])
            if products is not None:
                return products
        return self.by_maps.pulled(cotangents)

    def pushed(self, tangents: Parts) -> Parts:
        return self.by_maps.pushed(tangents)


@dataclass(frozen=True)
class Borrowed(Passage):
    """An operation without a rule: PyTorch's node, and for the forward direction the transpose of its product.

    The node's product is linear in the cotangents u that it is given, so differentiating <node(u), v> by u
    gives the Jacobian-vector product with v, whatever u is.
    """

    node: Any

    @property
    def borrows(self) -> str:
        return type(self.node).__name__

    def pulled(self, cotangents: Parts) -> Parts:
        return [None if part is None else _dense(part) for part in _called(self.node, cotangents)]

    def pushed(self, tangents: Parts) -> Parts:
        seeds, products = self._transposable
        pairs = [(g, v) for g, v in zip(products, tangents, strict=False) if g is not None and v is not None]
        if not pairs:
            return [None] * len(seeds)
        directions = [v.to(g.dtype).expand(g.shape) for g, v in pairs]
        try:
            parts = torch.autograd.grad([g for g, _ in pairs], seeds, directions, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise _not_twice(type(self.node).__name__, str(error)) from error
        if all(part is None for part in parts):
            # A function that refuses this leaves a product that depends on nothing, and would pass for zero.
            raise _not_twice(type(self.node).__name__, "what it answers does not depend on what it is given")
        return parts

    @cached_property
    def _transposable(self) -> tuple[list[Tensor], Parts]:
        """Cotangents u, and the node's products with them as functions that can be differentiated by u."""
        with torch.enable_grad():
            seeds = [_zeros(output).requires_grad_() for output in self.node._input_metadata]
            products = _called(self.node, seeds)
            return seeds, [g if g is not None and g.requires_grad else None for g in products]


Link = tuple[int, int, LinearMap]


def read(node: Any, outputs: Sequence[int], inputs: Sequence[int | None], rule: Rule | None) -> Passage:
    """The passage of a node: by its rule, or borrowed where there is none or it answers `None`.

    Raises:
        GraphFreedError: The saved tensors are gone.
    """
    if rule is None:
        return Borrowed(outputs, inputs, node)
    kernel = KERNELS.get(rule)
    try:
        saved = Saved(node, all_of_it=kernel is not None)
        if kernel is not None:
            return Kerneled(outputs, inputs, saved, rule, kernel)
        return _by_rule(saved, outputs, inputs, rule)
    except RuntimeError as error:
        raise _if_freed(node, error) from error


def _by_rule(saved: Saved, outputs: Sequence[int], inputs: Sequence[int | None], rule: Rule) -> Passage:
    local = rule(saved)
    return Borrowed(outputs, inputs, saved.node) if local is None else Ruled.of(local, outputs, inputs)


def _links(local: Local, outputs: int, inputs: Sequence[int | None]) -> list[Link]:
    """The factors of a rule's maps in the order of a pull; what several maps of an output begin with is one link."""
    chain: list[Link] = []
    between: dict[tuple[int, int], int] = {}
    for position, maps in enumerate(local):
        if inputs[position] is None:
            continue
        for output, jacobian in enumerate(maps if isinstance(maps, tuple) else (maps,)):
            if jacobian is None:
                continue
            (*outer, last), place = links(jacobian), output
            for factor in outer:
                key = place, id(factor)
                if key not in between:
                    between[key] = outputs + len(inputs) + len(between)
                    chain.append((place, between[key], factor))
                place = between[key]
            chain.append((place, outputs + position, last))
    return chain


def _places(chain: Sequence[Link], known: int) -> int:
    return max([known, *(place + 1 for _, place, _ in chain)])


def _called(node: Any, cotangents: Parts) -> tuple[Tensor | None, ...]:
    try:
        return vector_jacobian(node, [*cotangents])
    except RuntimeError as error:
        raise _if_freed(node, error) from error


def _if_freed(node: Any, error: RuntimeError) -> Exception:
    return freed(type(node).__name__) if "second time" in str(error) else error


def _not_twice(name: str, why: str) -> MissingRuleError:
    return MissingRuleError(
        f"no forward derivative of {name}\n"
        "  It has no rule of ours, and PyTorch cannot differentiate its backward function, whose transpose the\n"
        f"  forward derivative would be: {why}\n"
        f'  Declare one with @undertow.derivative("{name}"); .pull works without.'
    )


def _zeros(metadata: Any) -> Tensor:
    return torch.zeros(metadata.shape, dtype=metadata.dtype, device=metadata.device)


def _dense(part: Tensor) -> Tensor:
    return part if part.layout is torch.strided else part.to_dense()


def _cast(part: Tensor, dtype: torch.dtype) -> Tensor:
    if part.dtype is dtype:
        return part
    return (part.real if part.is_complex() and not dtype.is_complex else part).to(dtype)


def add(cells: Cells, cell: int, part: Tensor) -> None:
    """Add a part to what has arrived at a cell."""
    present = cells[cell]
    cells[cell] = part if present is None else present + part
