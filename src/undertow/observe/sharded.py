"""Weights that several processes hold in pieces."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from torch import Tensor, strided

from undertow.errors import ShardedError

__all__ = ["refuse_sharded"]


def refuse_sharded(tensors: Iterable[Tensor]) -> None:
    """Raise if any of them is in pieces, or gone until it is gathered again.

    Its norm would be that of a piece, or a message to all other processes, which wait for it in vain where they do not
    observe the same step.

    Raises:
        ShardedError: One is.
    """
    if any(_in_pieces(tensor) for tensor in tensors):
        raise ShardedError(
            "the weights are spread over several processes (fully_shard, tensor parallelism), which is not observed; "
            "DistributedDataParallel is, and so is one process"
        )


def _in_pieces(tensor: Tensor) -> bool:
    distributed = sys.modules.get("torch.distributed.tensor")
    if distributed is not None and isinstance(tensor, distributed.DTensor):
        return True
    return type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__ and _emptied(tensor)


def _emptied(tensor: Tensor) -> bool:
    """As fully_shard leaves what it has gathered, when it is done with it."""
    return tensor.numel() > 0 and tensor.layout == strided and tensor.untyped_storage().nbytes() == 0
