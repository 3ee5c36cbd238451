"""The norm of each example's gradient, without one gradient an example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from undertow.engine.algebras.samples import Samples, mixed
from undertow.engine.algebras.shares import Apart, Mixed, Share, Spread
from undertow.engine.graph import Graph
from undertow.engine.graph_task import in_graph_task
from undertow.engine.maps import Identity
from undertow.engine.maps.parts import Explicit, Parts
from undertow.engine.maps.pulled import Masked, together
from undertow.engine.places import Places
from undertow.engine.sweep import sweep
from undertow.errors import GraphError
from undertow.shown import Shown

__all__ = ["SampleNorms", "contributions", "per_sample_norms"]

T = TypeVar("T")


@dataclass(frozen=True)
class SampleNorms(Shown):
    """Squared norms of the gradients of single examples.

    Attributes:
        squares: By name of the parameter, one squared norm an example. Shape (examples,).
        borrowed: How often each type of operation had its derivative borrowed from PyTorch, at one product an example.
    """

    squares: Mapping[str, Tensor]
    borrowed: Counter[str]

    def total(self) -> Tensor:
        """The squared norm of each example's whole gradient. Shape (examples,)."""
        return torch.stack([*self.squares.values()]).sum(0)

    def norms(self) -> Tensor:
        """The norm of each example's whole gradient. Shape (examples,)."""
        return self.total().sqrt()


def per_sample_norms(losses: Tensor, model: nn.Module, *, examples: int | None = None) -> SampleNorms:
    """The squared norm of each example's gradient, by parameter. Exact up to rounding.

    The gradient of an example is that of its own term of what is passed: of `losses[i]` (summed, if that is
    several numbers), or of its share of a loss that was reduced, which after a mean over n examples is 1/n of
    its own loss. Nothing is added to `.grad`, and the graph can be swept again.

    Args:
        losses: The losses of the examples, along the first dimension: shape (examples, …). Or a reduced loss.
        model: The parameters that are asked about, and their names.
        examples: How many examples a reduced loss was computed from. They must come first in what it
            reduces, as in PyTorch's own losses; in N·T × C, what belongs to one example must stand together.

    Returns:
        One squared norm for each parameter that the losses depend on and each example.

    Raises:
        ExamplesMixError: An operation lets examples see each other (batch normalisation in training mode, a
            loss over pairs), or a reduced loss does not show which entries belong to which example.
        GraphError: The losses do not require a gradient, or are not as many as `examples` says.
        GraphFreedError: The graph was swept before and freed.

    Source:
        Goodfellow 2015, arXiv:1510.01799, for one product; Rochette, Manoel & Tramel 2019, arXiv:1912.06015,
        for convolutions; Li, Tramèr, Liang & Hashimoto 2022, arXiv:2110.05679, for sequences.
    """
    squares, borrowed = contributions(losses, model, examples, lambda parts: parts.squares())
    return SampleNorms(squares, borrowed)


def contributions(
    losses: Tensor,
    model: nn.Module,
    examples: int | None,
    measure: Callable[[Parts], T],
    cotangent: Tensor | None = None,
) -> tuple[dict[str, T], Counter[str]]:
    """What is measured of the examples' contributions to each parameter, as soon as these are complete.

    They are those to the gradient of the sum of the losses, or of their inner product with a cotangent.
    """
    count = _count(losses, examples)
    graph = Graph.read(losses).with_leaves_early()
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    places = Places(graph, names)
    measured: dict[str, T] = {}

    def deliver(name: str, parameter: Tensor, cotangents: list[Share | None]) -> None:
        share, cotangents[0] = cotangents[0], None
        if share is not None:
            measured[name] = measure(_parts(share, name, parameter, inferred=not losses.ndim))

    arrivals = {i: partial(deliver, names[leaf], leaf) for i, leaf in graph.leaves() if leaf in names}
    algebra = Samples(count, places.of, inferred=not losses.ndim)
    seed = algebra.seed(torch.ones_like(losses) if cotangent is None else cotangent)
    borrowed = in_graph_task(lambda: sweep(graph, [seed], algebra, arrivals))
    return {name: measured[name] for name in names.values() if name in measured}, borrowed


def _count(losses: Tensor, examples: int | None) -> int:
    if losses.is_complex():
        raise GraphError("losses are complex\n  A norm of gradients needs a real loss: take .abs() or .real of it.")
    if losses.ndim and examples in (None, len(losses)) and len(losses):
        return len(losses)
    if not losses.ndim and examples is not None and examples > 0:
        return examples
    raise GraphError(
        f"losses have shape {tuple(losses.shape)} and examples is {examples}: whose loss is whose is not known\n"
        '  Pass the losses of the examples, of shape (examples, …), as from reduction="none",\n'
        "  or a loss that was reduced over them, and examples= how many they are."
    )


def _parts(share: Share, name: str, parameter: Tensor, *, inferred: bool) -> Parts:
    """The examples' contributions to one parameter."""
    if type(share) is Apart:
        return together(share.parts)
    if type(share) is Spread and share.batch.count == 1:
        return Explicit(share.cotangent.unsqueeze(0))
    if type(share) is Spread and not (inferred and isinstance(parameter, nn.Parameter)):
        return Masked(Identity(tuple(parameter.shape)), share.cotangent, share.batch)
    reason = share.reason if type(share) is Mixed else "it has one row an example itself"
    raise mixed(name, f"{reason}; or a term of the loss is made of this parameter alone, and of no example")
