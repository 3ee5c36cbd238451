"""Where the largest curvature of a batch points, by the examples on which its loss depends most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.example import tensors
from undertow.engine.reading import read
from undertow.linear import Operator, hessian, linearize

__all__ = ["hardest", "sharpest"]

PART = 8
"""One in so many examples is taken: products with them cost little beside those with all."""

FEWEST = 4
"""Fewer examples than these are not worth a forward pass of their own."""

LARGE = 1 << 16
"""Entries of an operation's output, on average, from which on a product with a part is much cheaper than with all.

Below, what Python takes for an operation counts: on MLPs of 2,000 to 32,000 entries it cost what it saved, or more.
"""

STEPS = 4
"""Products with a part: more of them saved no more of those with all."""


def hardest(batches: Sequence[Any], loss: Tensor, outputs: Sequence[Any]) -> list[Any] | None:
    """Of each batch, the eighth with the largest gradient of the loss by their outputs; `None` where none can be told.

    `None` as well where operations are so small that nothing would be won. The largest curvature of a trained network
    is that of few examples, those it is not sure of. On six trained MLPs and a CNN, two products from the eighth chosen
    so came as near as four or five from the gradient, or from an eighth at random.
    """
    if not all(isinstance(output, Tensor) and output.requires_grad for output in outputs) or not _large(loss):
        return None
    gradients = torch.autograd.grad(loss, [*outputs], retain_graph=True, allow_unused=True)
    parts = [_part(each, gradient) for each, gradient in zip(batches, gradients, strict=True)]
    return None if any(part is None for part in parts) else parts


def sharpest(loss: Tensor, outputs: Sequence[Tensor], model: nn.Module) -> dict[str, Tensor]:
    """About the vector of the largest eigenvalue of Jᵀ H J, the Gauss-Newton matrix, from the gradient on.

    All but the last product stay among the outputs, which are fewer than the parameters: what is sought is Jᵀ u, and of
    u the matrix is H J Jᵀ, symmetric in the inner product by J Jᵀ.
    """
    jacobian, curved = linearize([*outputs], model), hessian(loss, [*outputs])
    start = curved.target.flat(curved.target.filled(curved.gradients)).detach()
    found: dict[str, Tensor] = jacobian.pull(
        jacobian.target.point(jacobian.target.unflat(_ritz(jacobian, curved, start)))
    )
    return found


def _ritz(jacobian: Operator, curved: Operator, start: Tensor) -> Tensor:
    """The u of the largest Ritz value in the space of `STEPS` products."""
    space = jacobian.target
    rows, images = start.new_empty(0, len(start)), start.new_empty(0, len(start))
    sent, following = start.new_empty(0, len(start)), start
    for _ in range(STEPS):
        following = following - (images @ following) @ rows
        image = space.flat(jacobian._push(jacobian._pull(space.unflat(following))))
        square = float(following @ image)
        if not square > 0:
            break
        rows, images = (
            torch.cat([many, one[None] / square**0.5]) for many, one in ((rows, following), (images, image))
        )
        following = space.flat(curved._push(space.unflat(images[-1])))
        sent = torch.cat([sent, following[None]])
    within = (images @ sent.T).double()
    return torch.linalg.eigh((within + within.T) / 2).eigenvectors[:, -1].to(rows.dtype) @ rows if len(rows) else start


def _large(loss: Tensor) -> bool:
    sizes = [math.prod(shape) for spaces in read([(loss.grad_fn, loss.output_nr)])[1].spaces for shape, _ in spaces]
    return sum(sizes) >= LARGE * len(sizes)


def _part(batch: Any, gradient: Tensor | None) -> Any:
    counts = {len(tensor) if tensor.ndim else 0 for tensor in tensors(batch)}
    if gradient is None or len(counts) != 1:
        return None
    (count,) = counts
    if count < PART * FEWEST or len(gradient) != count:
        return None
    sizes = gradient.detach().abs().reshape(count, -1).square().sum(1)
    return _taken(batch, sizes.topk(count // PART).indices)


def _taken(batch: Any, places: Tensor) -> Any:
    """The batch with those examples alone, arranged as it was."""
    if isinstance(batch, Tensor):
        return batch[places.to(batch.device)]
    if isinstance(batch, Mapping):
        return {name: _taken(part, places) for name, part in batch.items()}
    if isinstance(batch, (tuple, list)):
        return tuple(_taken(part, places) for part in batch)
    return batch
