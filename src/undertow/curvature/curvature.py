"""The curvature of a loss where a model stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from undertow.curvature.density import Density, density
from undertow.curvature.diagonal import traced
from undertow.curvature.edge import Edge, limit
from undertow.curvature.eigen import Eigen, Ends, Start, eigen
from undertow.curvature.part import hardest, sharpest
from undertow.curvature.preconditioned import preconditioned, scales
from undertow.curvature.trace import Trace
from undertow.curvature.twice import twice_differentiable
from undertow.engine.example import listed, loss_of, mean_over
from undertow.errors import UndertowError
from undertow.linear import Operator, gauss_newton, hessian
from undertow.linear.curved import Hessian
from undertow.linear.space import Point

__all__ = ["Curvature", "curvature"]

Of = Literal["hessian", "gauss-newton"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a curvature was asked of, so that it can be asked of a part."""

    loss_fn: Callable[[Any, Any], Tensor]
    batch: Any


@dataclass(frozen=True)
class Curvature:
    """The Hessian of a loss, or its Gauss–Newton part, and what is asked of it. One forward pass serves all questions.

    Attributes:
        model: The parameters it is by.
        loss: What is curved.
        outputs: What the model gave for each batch.
        of: Which matrix it is.
        asked: Of which loss function and batch.
    """

    model: nn.Module
    loss: Tensor = field(repr=False)
    outputs: Sequence[Any] = field(repr=False)
    of: Of
    asked: _Asked = field(repr=False)

    @cached_property
    def operator(self) -> Operator:
        """The matrix itself, known by its products.

        Raises:
            GraphError: Some operation has no second derivative.
        """
        return self._hessian if self.of == "hessian" else gauss_newton(self.loss, self.outputs, self.model)

    @cached_property
    def _hessian(self) -> Hessian:
        return hessian(self.loss, self.model)

    @cached_property
    def gradient(self) -> dict[str, Tensor]:
        """Of the loss, by name; it leans to the eigenvectors of the largest eigenvalues."""
        parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        found: Sequence[Tensor | None]
        if self.of == "hessian":
            found = self._hessian.gradients
        else:
            found = torch.autograd.grad(self.loss, [*parameters.values()], retain_graph=True, allow_unused=True)
        pairs = zip(parameters.items(), found, strict=True)
        return {name: torch.zeros_like(p) if g is None else g.detach() for (name, p), g in pairs}

    @cached_property
    def leaning(self) -> Point:
        """Where the largest eigenvalue's vector is sought from: that of a part of the batch, had for part of a product.

        It is the Gauss-Newton matrix's of the eighth of the examples by whose outputs the loss changes most; the
        gradient, where operations or batch are small, the batch's tensors do not agree on how many examples it has, the
        model takes batches of one size only, or that matrix cannot be had.
        """
        parts = hardest(listed(self.asked.batch), self.loss, self.outputs)
        if parts is None:
            return self.gradient
        try:
            with torch.random.fork_rng(devices=[]):
                few = curvature(self.model, self.asked.loss_fn, parts)
            return sharpest(few.loss, few.outputs, self.model)
        except (UndertowError, RuntimeError, ValueError):  # of the user's model, too
            return self.gradient

    def eigen(self, count: int = 1, ends: Ends = "largest") -> Eigen:
        """Its extreme eigenvalues with their vectors; see `undertow.curvature.eigen`."""
        return eigen(self.operator, count, ends, start=Start(near=self.leaning if ends == "largest" else None))

    def trace(self, products: int = 48) -> Trace:
        """Its trace, whole and by parameter, exact where that costs no more than `products`.

        The trace of a Gauss-Newton matrix is a sum of squared norms, one for each example and each column of a root
        of the loss's Hessian by the outputs: a sweep a column gives it but for rounding, with error 0; where there are
        more columns than `products`, a sweep for each random sum of them gives an estimate. The Hessian has the same
        diagonal wherever the outputs are piecewise linear in each single number of a parameter, which is read off the
        recorded graph: so they are with linear layers, convolutions, rectifiers, pooling, and batch normalisation in
        eval mode, and not before tanh, softmax or statistics of a batch, nor where a weight is used twice in a row.
        What is left is found by random probes: of what the Gauss-Newton matrix leaves of the Hessian, where that varies
        so much less that it pays, and it often does in a trained network. Where examples meet, in the network or in the
        loss, all is left to probes; see `undertow.curvature.trace`.
        """
        return traced(self, products)

    def density(self, steps: int = 30, starts: int = 4) -> Density:
        """Its spectral density; see `undertow.curvature.density`."""
        return density(self.operator, steps, starts)

    def edge(self, optimizer: Optimizer) -> Edge:
        """Its sharpness in the optimizer's own units, against the limit of stable steps.

        Raises:
            CurvatureError: It is an optimizer whose scale or limit is not known, or that has made no step yet.
        """
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        factors = scales(optimizer, parameters)
        near = {name: g * factor for (name, g), factor in zip(self.gradient.items(), factors, strict=True)}
        sharpest = eigen(preconditioned(self.operator, factors), start=Start(near=near)).largest
        return Edge(sharpest.value, sharpest.error, limit(optimizer))


def curvature(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    batch: Any,
    *,
    of: Of = "hessian",
) -> Curvature:
    """The curvature of the loss of a batch, or the mean over several, by the model's trainable parameters.

    The model is run in the modes it is in: with dropout or batch statistics, the curvature is of that loss. The model's
    buffers stay as they are. Fused attention, which has no second derivative on the CPU, is replaced by the plain one.

    Args:
        model: Where it stands.
        loss_fn: Takes the model's output and the targets, and gives one number.
        batch: A pair (inputs, targets), where inputs may be a tuple; or a mapping, which goes as `model(**batch)`
            and whose loss is `loss_fn(output, batch)`. Or a list of these, whose forward passes are all kept.
        of: The Hessian, or the part of it that comes from the curvature of the loss alone. The latter asks that the
            model gives one tensor.

    Raises:
        PreflightError: The batch is of another kind, or what comes out is no loss.
    """
    outputs: list[Tensor] = []

    def noted(output: Any, targets: Any) -> Tensor:
        outputs.append(output)
        return loss_fn(output, targets)

    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}

    def run(*inputs: Any, **named: Any) -> Any:
        return functional_call(model, buffers, inputs, named)

    with twice_differentiable(), torch.enable_grad():
        loss = mean_over(listed(batch), lambda each: loss_of(run, noted, each))
    return Curvature(model, loss, outputs, of, _Asked(loss_fn, batch))
