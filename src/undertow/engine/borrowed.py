"""PyTorch's own product with a local derivative, for operations that have no rule of ours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

__all__ = ["vector_jacobian"]


def vector_jacobian(node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    """One contribution per input of `node`, from one cotangent per output. The graph stays as it is."""
    if isinstance(node, BackwardCFunction):
        return _through_function(node, cotangents)
    answer = node(*cotangents)
    return answer if isinstance(answer, tuple) else (answer,)


def _through_function(node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Through a Python `autograd.Function`, whose `backward` answers per argument rather than per edge.

    Edges belong to the arguments that are tensors; those that need a gradient are told by the node, in order.
    """
    answer = node.apply(*map(_materialized, cotangents, node._input_metadata))
    answer = answer if isinstance(answer, tuple) else (answer,)
    wanted = iter([part for part, needed in zip(answer, node.needs_input_grad, strict=False) if needed])
    return tuple(None if fn is None else next(wanted, None) for fn, _ in node.next_functions)


def _materialized(cotangent: Tensor | None, metadata: Any) -> Tensor:
    if cotangent is not None:
        return cotangent
    return torch.zeros(metadata.shape, dtype=metadata.dtype, device=metadata.device)
