"""PyTorch's own product with a local derivative, for operations that have no rule of ours."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from undertow.errors import MissingRuleError, SweptOnceError

__all__ = ["REENTRANT", "refuse", "vector_jacobian"]

REENTRANT = "CheckpointFunctionBackward"
"""The node of reentrant checkpointing: it runs a backward pass of its own, into `.grad`, when it is called."""

RAN = "undertow.ran"


def vector_jacobian(node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    """One contribution per input of `node`, from one cotangent per output. The graph stays as it is.

    Raises:
        SweptOnceError: The node is a reentrant checkpoint, and has run before.
    """
    if isinstance(node, BackwardCFunction):
        if type(node).__name__ == REENTRANT:
            _run_once(node)
        return _through_function(node, cotangents)
    answer = node(*cotangents)
    return answer if isinstance(answer, tuple) else (answer,)


def refuse(node: Any, algebra: str, rules: Iterable[str]) -> NoReturn:
    """Say why an algebra that needs a stated derivative cannot go on."""
    name = type(node).__name__
    if name == REENTRANT:
        raise SweptOnceError(
            f"the {algebra} sweep met a region under reentrant checkpointing ({name})\n"
            "  That region runs a backward pass of its own when it is reached, and adds ordinary gradients to .grad.\n"
            "  Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False), whose operations can be swept."
        )
    near = ", ".join(get_close_matches(name, rules, cutoff=0.5)) or "none"
    raise MissingRuleError(
        f"no derivative rule for {name}\n"
        f"  A cotangent reached this operation, so the {algebra} sweep behind it would be wrong.\n"
        f'  Declare one with @undertow.derivative("{name}"), or use the gradient algebra,\n'
        "  which borrows PyTorch's own derivative for this operation.\n"
        f"  Nearest operations that have a rule: {near}.",
        node,
    )


def _run_once(node: Any) -> None:
    if RAN in node.metadata:
        raise SweptOnceError(
            f"a region under reentrant checkpointing ({REENTRANT}) cannot be swept a second time\n"
            "  It adds to .grad by itself whenever it runs, so its gradients would be counted twice.\n"
            "  Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False), or run the forward pass again."
        )
    node.metadata[RAN] = True


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
