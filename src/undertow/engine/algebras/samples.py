"""The gradient, told apart by the examples of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import Algebra
from undertow.engine.algebras.shares import Apart, Borrowed, Mixed, Share, Spread, Whole
from undertow.engine.calculus import KEEPS, KERNELS, Rule
from undertow.engine.calculus.node import input_shapes
from undertow.engine.maps import LinearMap, Shape
from undertow.engine.maps.batch import Batch
from undertow.errors import ExamplesMixError

__all__ = ["Samples", "mixed"]


class Samples(Algebra[Share]):
    """The gradient, told apart by the examples of a batch: what each contributes.

    ## What it means
    The cotangent travels together with where the examples lie in it. At a weight, which all examples share, it
    becomes one contribution an example, in the form that takes least work: a sum of outer products, rows of a table,
    windows of an image, and only where nothing better is known one tensor an example. Of these, norms and inner
    products are had. What an example contributes is the gradient of its own term of the loss; where a weight is
    shared over time or used twice, all uses are added up before the norm is taken.
    `undertow.per_sample_norms` gives the norms, `undertow.gradient_noise` what follows for the batch.

    ## How it errs
    By rounding; norms are had from products of norms or of inner products, and may differ in the last digits from
    those of gradients that are written out. It never mixes examples silently: where an operation lets them see each
    other, as batch normalisation in training mode does, or where it is not known whose entry is whose, it refuses.

    ## What it needs
    The losses of the examples along a first dimension, or a reduced loss and how many examples there are. Rules, for
    speed: an operation without one is borrowed at one product an example. Real or complex dtypes. See the figures
    in `benchmarks/per_sample.md`.

    ## Source
    Goodfellow 2015, Efficient Per-Example Gradient Computations, arXiv:1510.01799; Rochette, Manoel & Tramel 2019,
    arXiv:1912.06015; Li, Tramèr, Liang & Hashimoto 2022, arXiv:2110.05679.
    """

    def __init__(self, count: int, place: Callable[[Any], str], *, inferred: bool):
        """A sweep that tells `count` examples apart.

        Args:
            count: How many examples there are.
            place: Says where an operation stands, for errors.
            inferred: Whether they are found in a reduced loss, and not along the first dimension of what is given.
        """
        self.count = count
        self.place = place
        self.inferred = inferred

    @property
    def name(self) -> str:
        return "per-sample"

    @property
    def takes_complex(self) -> bool:
        return True

    def seed(self, cotangent: Tensor) -> Share:
        return Whole(cotangent, self.count) if self.inferred else Spread(cotangent, Batch(self.count))

    def pull(self, jacobian: LinearMap, cotangent: Share) -> Share:
        return cotangent.pull(jacobian)

    def through(
        self, node: Any, rule: Rule, cotangents: Sequence[Share | None], wanted: Sequence[bool]
    ) -> Sequence[Share | None] | None:
        self._check(node, cotangents)
        sent = self._by_kernel(node, rule, cotangents, wanted)
        if sent is None:
            sent = super().through(node, rule, cotangents, wanted)
            self._check(node, sent or ())
        if self.inferred and any(type(cotangent) is Apart for cotangent in cotangents):
            self._refuse_data(node, rule)
        return sent

    def _by_kernel(
        self, node: Any, rule: Rule, cotangents: Sequence[Share | None], wanted: Sequence[bool]
    ) -> Sequence[Share | None] | None:
        """By PyTorch's fused product where it keeps examples at their places, and by maps to the other inputs."""
        keeps = KEEPS.get(rule)
        if keeps is None or (batch := _common(cotangents)) is None:
            return None
        dims = keeps(node, batch.dim)
        apart = len(dims)
        if not any(wanted[:apart]):
            return None
        tensors = [share.cotangent if type(share) is Spread else None for share in cotangents]
        products = KERNELS[rule](node, tensors, [*wanted[:apart], *[False] * len(wanted[apart:])])
        if products is None:
            return None
        sent: list[Share | None] = [
            p if p is None else Spread(p, batch.at(dim)) for p, dim in zip(products, dims, strict=False)
        ]
        if not any(wanted[apart:]):
            return [*sent, *[None] * len(wanted[apart:])]
        rest = super().through(node, rule, cotangents, [*[False] * apart, *wanted[apart:]])
        self._check(node, rest or ())
        return rest and [*sent, *rest[apart:]]

    def add(self, left: Share, right: Share) -> Share:
        return left.join(right)

    def fit(self, contribution: Share, shape: Shape, dtype: torch.dtype) -> Share:
        return contribution.fit(shape, dtype)

    def borrow(self, node: Any, cotangents: list[Share | None]) -> tuple[Share | None, ...]:
        self._check(node, cotangents)
        sent = tuple(self._borrowed(node, cotangents, *pair) for pair in enumerate(input_shapes(node)))
        self._check(node, sent)
        return sent

    def _borrowed(self, node: Any, cotangents: list[Share | None], position: int, shape: Shape | None) -> Share | None:
        if shape is None:
            return None
        receiver, slot = node.next_functions[position]
        total: Share | None = None
        for out, (cotangent, output) in enumerate(zip(cotangents, node._input_metadata, strict=True)):
            if cotangent is not None:
                dtype = receiver._input_metadata[slot].dtype
                part = cotangent.pull(Borrowed(node, out, position, shape, tuple(output.shape), dtype))
                total = part if total is None else total.join(part)
        return total

    def _check(self, node: Any, shares: Sequence[Share | None]) -> None:
        for share in shares:
            if type(share) is Mixed:
                raise mixed(self.place(node), share.reason)

    def _refuse_data(self, node: Any, rule: Rule) -> None:
        """Where the examples were taken to come first, they must be apart wherever data may come in."""
        inputs = node.next_functions
        constant = len(inputs) == 1 or any(fn is None for fn, _ in inputs)
        maps = [m for entry in rule(node) or () for m in (entry if isinstance(entry, tuple) else (entry,)) if m]
        if constant and any(m.multiplies for m in maps):
            raise mixed(self.place(node), "read as they come in the loss, examples share what it computed from data")


def _common(shares: Sequence[Share | None]) -> Batch | None:
    """How several examples lie in all cotangents that are there, the first among them; `None` if not alike."""
    first = shares[0]
    if type(first) is not Spread or first.batch.count == 1:
        return None
    alike = all(share is None or (type(share) is Spread and share.batch == first.batch) for share in shares)
    return first.batch if alike else None


def mixed(place: str, reason: str) -> ExamplesMixError:
    return ExamplesMixError(
        f"examples mix at {place}: {reason}\n"
        "  The gradient of one example then depends on the others, and its norm says nothing of that example.\n"
        "  Batch normalisation: call .eval(), or use group or layer normalisation. A loss over pairs of examples\n"
        "  has no gradient of one. Examples that do not come first: pass losses of shape (examples, …), not reduced."
    )
