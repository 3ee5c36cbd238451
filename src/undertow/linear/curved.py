"""Second derivatives of a loss as operators: its Hessian, and the Gauss–Newton part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.reading import read
from undertow.engine.sweep import freed
from undertow.errors import GraphError
from undertow.linear.jacobian import linearize
from undertow.linear.operator import Operator
from undertow.linear.repeated import Repeated, pays
from undertow.linear.space import Point, Space, arranged, chosen

__all__ = ["Hessian", "gauss_newton", "hessian"]

DEAD_END = "torch::autograd::Error"
"""What PyTorch puts where a function that is differentiable once would have to be differentiated again."""


@dataclass(frozen=True, repr=False)
class Hessian(Operator):
    """The matrix of second derivatives of a loss, which is its own adjoint.

    Its product with v is the derivative of <gradient, v>: a backward pass over the recorded gradient.

    Attributes:
        often: Whether only what depends on v is computed from the second product on; see `Repeated`.
    """

    inputs: Sequence[Tensor]
    gradients: Sequence[Tensor | None]
    source: Space
    target: Space
    often: bool = False

    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        return self._repeated(tangents) if self.often else self._swept(tangents)

    @cached_property
    def _repeated(self) -> Repeated:
        return Repeated(self._swept)

    def _swept(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        pairs = [(g, v) for g, v in zip(self.gradients, tangents, strict=True) if g is not None and g.requires_grad]
        if not pairs:
            return self.source.filled([None] * len(tangents))
        gradients, directions = zip(*pairs, strict=True)
        try:
            answers = torch.autograd.grad(gradients, self.inputs, directions, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise _second_order(error) from error
        return self.source.filled(answers)

    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        return self._push(cotangents)

    def adjoint(self) -> Operator:
        return self


def hessian(loss: Tensor, inputs: Point | nn.Module) -> Hessian:
    """The Hessian of a loss by some of the tensors that it was computed from, as a linear operator.

    PyTorch's own backward pass is recorded once; each product is then one backward pass over that record, with no
    forward pass. The record holds about as much again as the forward pass saved. Where most of that is products of
    large matrices in single precision, on the CPU, the first product is noted, and those after it compute only what
    depends on the vector.

    Args:
        loss: One number.
        inputs: What to differentiate by: a tensor, several in order or by name, or a module for its parameters.

    Returns:
        The operator: exact up to rounding, and its own adjoint.

    Raises:
        GraphError: The loss is not one number, does not require a gradient, or contains an operation of which PyTorch
            has no second derivative.
        GraphFreedError: The graph was swept before without `retain_graph=True`.
    """
    inputs = chosen(inputs)
    if loss.numel() != 1 or loss.is_complex() or not loss.requires_grad:
        raise GraphError(
            f"a Hessian is of one real number that requires a gradient, not of shape {tuple(loss.shape)} and "
            f"dtype {loss.dtype}{'' if loss.requires_grad else ', which does not require one'}\n"
            "  Reduce the outputs to one loss (.mean(), .sum()), computed without torch.no_grad()."
        )
    tensors, _ = arranged(inputs)
    try:
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss, tensors, create_graph=True, allow_unused=True)
    except RuntimeError as error:
        raise _second_order(error) from error
    nodes, _ = read([(g.grad_fn, g.output_nr) for g in gradients if g is not None and g.grad_fn is not None])
    _refuse_dead_ends(nodes)
    space = Space.of(inputs)
    return Hessian(tensors, gradients, space, space, pays(nodes, tensors))


def _refuse_dead_ends(nodes: Sequence[Any]) -> None:
    """What may be differentiated once only leaves a node that leads nowhere, and products would silently be zero."""
    if any(node.name() == DEAD_END for node in nodes):
        raise _second_order(RuntimeError("a function of its own is marked as once differentiable"))


def gauss_newton(loss: Tensor, outputs: Point, inputs: Point | nn.Module) -> Operator:
    """The generalized Gauss–Newton matrix of a loss, Jᵀ H J, as a linear operator.

    J is the Jacobian of the outputs by the inputs, and H the Hessian of the loss by the outputs. It is the Hessian
    of the loss without the curvature of the network itself: symmetric, and without negative eigenvalues if the loss
    is convex in the outputs, as squares and cross-entropies are. What the loss owes to the inputs by another way
    than the outputs (weight decay, say) is left out.

    Args:
        loss: One number, computed from the outputs.
        outputs: What the network computed from the inputs: a tensor, several in order, or several by name.
        inputs: What to differentiate by: likewise, or a module for its parameters.

    Returns:
        The operator. Each product is a forward and a reverse sweep, with no forward pass. As for its factors, local
        derivatives are kept with it (see `linearize`).

    Raises:
        GraphError: Something does not require a gradient, or the loss does not depend on the outputs.
        GraphFreedError: The graph was swept before without `retain_graph=True`.

    Source:
        Schraudolph 2002, Neural Computation 14(7), and Martens 2020, arXiv:1412.1193.
    """
    curvature = hessian(loss, outputs)
    if all(gradient is None for gradient in curvature.gradients):
        raise GraphError(
            "the loss was not computed from these outputs, so its curvature by them is zero everywhere\n"
            "  Pass the very tensors that went into the loss, of the same forward pass."
        )
    jacobian = linearize(outputs, inputs)
    return jacobian.adjoint() @ curvature @ jacobian


def _second_order(error: RuntimeError) -> GraphError:
    if "second time" in str(error):
        return freed("an operation")
    return GraphError(
        f"PyTorch could not differentiate a second time: {error}\n"
        "  The product needs the derivative of every backward function on the way. Fused attention has none on the\n"
        "  CPU: run the forward pass under torch.nn.attention.sdpa_kernel(SDPBackend.MATH). If a tensor was changed\n"
        "  in place (by an optimizer step, say), run the forward pass again."
    )
