"""Samples of what is written into part of a tensor in place, and of views by stride."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.samples.sample import Sample, of


def written(change: Callable[..., object]) -> Callable[..., Tensor]:
    """The tensor after a change in place to part of it."""

    def run(x: Tensor, *others: Tensor) -> Tensor:
        changed = x * 1
        change(changed, *others)
        return changed

    return run


def put(x: Tensor, y: Tensor) -> None:
    x[:, 1:3] = y


def put_broadcast(x: Tensor, y: Tensor) -> None:
    x[::2] = y


def put_nothing(x: Tensor, y: Tensor) -> None:
    x[:, 2:2] = y


def put_transposed(x: Tensor, y: Tensor) -> None:
    x.t()[1:3] = y


SAMPLES: dict[str, list[Sample]] = {
    "CopySlices": [
        of(written(put), (3, 4), (3, 2)),
        of(written(put_broadcast), (3, 4), (4,)),
        of(written(put_nothing), (3, 4), (3, 0)),
        of(written(put_transposed), (3, 4), (2, 3)),
        of(written(lambda x: x[1].zero_()), (3, 4)),
        of(written(lambda x: x[:, 1].mul_(-2.5)), (3, 4)),
        of(written(lambda x, y: x[:, 1:].mul_(y)), (3, 4), (3, 1)),
        of(written(lambda x, y: x[0].sub_(y, alpha=2)), (3, 4), ()),
        of(written(lambda x: x[0].exp_()), (3, 4)),
        of(written(lambda x: x.view(12)[:5].tanh_()), (3, 4)),
        of(written(lambda x, y: x[1].copy_(y.detach())), (3, 4), (4,)),
    ],
    "AsStridedBackward0": [
        of(lambda x: x.as_strided((2, 3), (4, 1)), (3, 4)),
        of(lambda x: x.t().as_strided((2, 2), (1, 4), 1), (3, 4)),
        of(lambda x: x.as_strided((), (), 2), (3, 4)),
        of(lambda x: x.as_strided((4, 3), (2, 1), 1), (3, 4)),
        of(lambda x: x.as_strided((3, 2), (0, 1)), (2, 2)),
    ],
    "AsStridedBackward1": [
        of(lambda x: (x * 1).as_strided_((2, 3), (4, 1)), (3, 4)),
        of(lambda x: (x * 1).as_strided_((2, 2), (1, 4), 1), (3, 4)),
        of(lambda x: (x * 1).as_strided_((), (), 2), (3, 4)),
    ],
    "AsStridedBackward0_copy": [
        of(lambda x: torch.as_strided_copy(x, (2, 3), (4, 1)), (3, 4)),
        of(lambda x: torch.as_strided_copy(x, (), (), 2), (3, 4)),
        of(lambda x: torch.as_strided_copy(x, (4, 3), (2, 1), 1), (3, 4)),
    ],
}
