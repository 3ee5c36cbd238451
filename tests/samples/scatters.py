"""Samples of writing into a tensor at places that an index names."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from tests.samples.sample import M, Sample, integers, of, uniform

ORDER = torch.tensor([2, 0, 1])


def reduced(reduce: str, run: Callable[..., Tensor]) -> list[Sample]:
    """One way to reduce what meets, with and without what was there before."""
    return [
        of(lambda x, y, kept=kept: run(x, y, reduce, include_self=kept), (3, 4), (5, 4), low=low)
        for kept, low in ((True, -2), (False, -2), (True, 0.5))
    ]


def scatter_reduce(x: Tensor, y: Tensor, reduce: str, *, include_self: bool) -> Tensor:
    return x.scatter_reduce(0, integers(5, 4, below=3), y, reduce, include_self=include_self)


def index_reduce(x: Tensor, y: Tensor, reduce: str, *, include_self: bool) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is in beta
        return x.index_reduce(0, integers(5, below=3), y, reduce, include_self=include_self)


SAMPLES: dict[str, list[Sample]] = {
    "ScatterBackward0": [
        of(lambda x, y: x.scatter(1, torch.tensor([[2, 0], [1, 3]]), y), (3, 4), (2, 2)),
        of(lambda x, y: x.scatter(-1, ORDER.expand(2, 2, 3), y), (2, 2, 4), (2, 2, 3)),
        of(lambda x, y: x.scatter(0, torch.tensor(0), y), (), ()),
        of(lambda x, y: x.scatter(0, torch.empty(0, 4, dtype=torch.long), y), (3, 4), (0, 4)),
    ],
    "ScatterBackward1": [
        of(lambda x: x.scatter(1, integers(3, 2, below=4), 2.5), (3, 4)),
        of(lambda x: x.scatter(0, integers(2, below=3), 2.5), (3,)),
        of(lambda x: x.scatter(0, torch.tensor(0), 2.5), ()),
    ],
    "ScatterAddBackward0": [
        of(lambda x, y: x.scatter_add(1, integers(2, 3, below=4), y), (3, 4), (2, 3)),
        of(lambda x, y: x.scatter_add(0, integers(5, below=3), y), (3,), (5,)),
        of(lambda x, y: x.scatter_add(0, torch.tensor(0), y), (), ()),
        of(lambda x, y: x.detach().scatter_add(0, integers(5, below=3), y), (3,), (5,)),
    ],
    "ScatterReduceBackward0": [
        sample for reduce in ("sum", "mean", "prod", "amax", "amin") for sample in reduced(reduce, scatter_reduce)
    ],
    "IndexReduceBackward0": [
        sample for reduce in ("mean", "prod", "amax", "amin") for sample in reduced(reduce, index_reduce)
    ],
    "IndexAddBackward0": [
        of(lambda x, y: x.index_add(0, integers(5, below=3), y), (3, 4), (5, 4)),
        of(lambda x, y: x.index_add(-1, integers(2, below=4), y, alpha=2.5), (2, 3, 4), (2, 3, 2)),
        of(lambda x, y: x.index_add(0, integers(1, below=1), y, alpha=-1), (), ()),
    ],
    "IndexCopyBackward0": [
        of(lambda x, y: x.index_copy(0, ORDER, y), (4, 2), (3, 2)),
        of(lambda x, y: x.index_copy(-1, ORDER[:2], y), (2, 3, 4), (2, 3, 2)),
        of(lambda x, y: x.index_copy(0, integers(1, below=1), y), (), ()),
    ],
    "IndexFillBackward0": [
        of(lambda x: x.index_fill(0, ORDER[:2], 2.5), (4, 2)),
        of(lambda x: x.index_fill(-1, integers(3, below=4), 2.5), (2, 3, 4)),
        of(lambda x: x.index_fill(0, integers(1, below=1), 2.5), ()),
    ],
    "IndexFillBackward1": [
        of(lambda x, v: x.index_fill(0, ORDER[:2], v), (4, 2), ()),
        of(lambda x, v: x.index_fill(-1, integers(3, below=4), v), (2, 3, 4), ()),
        of(lambda x, v: x.index_fill(0, integers(1, below=1), v), (), ()),
    ],
    "IndexPutBackward0": [
        of(lambda x, y: x.index_put((ORDER,), y), (4, 2), (3, 2)),
        of(lambda x, y: x.index_put((integers(5, below=3),), y, accumulate=True), (3, 4), (4,)),
        of(lambda x, y: x.index_put((M,), y), (3, 4), ()),
        of(lambda x, y: x.detach().index_put((ORDER, ORDER), y), (3, 3), (1,)),
    ],
    "IndexPutImplBackward0": [
        of(lambda x, y: torch.ops.aten._index_put_impl_(x.clone(), (ORDER,), y), (4, 2), (3, 2)),
        of(lambda x, y: torch.ops.aten._index_put_impl_(x.clone(), (ORDER,), y, accumulate=True), (4, 2), (2,)),
        of(lambda x, y: torch.ops.aten._index_put_impl_(x.clone(), (M,), y), (3, 4), ()),
    ],
    "UnsafeIndexPutBackward0": [
        of(lambda x, y: torch.ops.aten._unsafe_index_put(x, (ORDER,), y), (4, 2), (3, 2)),
        of(lambda x, y: torch.ops.aten._unsafe_index_put(x, (ORDER,), y, accumulate=True), (4, 2), (2,)),
        of(lambda x, y: torch.ops.aten._unsafe_index_put(x, (ORDER, ORDER), y), (3, 3), ()),
    ],
    "TakeBackward0": [
        of(lambda x: x.take(integers(5, below=12)), (3, 4)),
        of(lambda x: x.take(integers(2, 2, below=12)), (2, 3, 2)),
        of(lambda x: x.take(integers(below=1)), ()),
    ],
    "PutBackward0": [
        of(lambda x, y: x.put(ORDER, y), (3, 4), (3,)),
        of(lambda x, y: x.put(integers(2, 2, below=12), y, accumulate=True), (2, 3, 2), (2, 2)),
        of(lambda x, y: x.put(integers(below=1), y), (), ()),
    ],
    "MaskedScatterBackward0": [
        of(lambda x, y: x.masked_scatter(M, y), (3, 4), (5,)),
        of(lambda x, y: x.masked_scatter(M, y), (2, 3, 4), (4, 3)),
        of(lambda x, y: x.masked_scatter(M[0, 0], y), (), (1,)),
        of(lambda x: x.masked_scatter(M, uniform(5)), (3, 4)),
    ],
    "SelectScatterBackward0": [
        of(lambda x, y: x.select_scatter(y, 0, 1), (3, 4), (4,)),
        of(lambda x, y: x.select_scatter(y, -1, -2), (2, 3, 4), (2, 3)),
        of(lambda x, y: x.select_scatter(y, 0, 0), (1,), ()),
    ],
    "SliceScatterBackward0": [
        of(lambda x, y: x.slice_scatter(y, 0, 1, 3), (3, 4), (2, 4)),
        of(lambda x, y: x.slice_scatter(y, -1, -4, -1, 2), (3, 5), (3, 2)),
        of(lambda x, y: x.slice_scatter(y), (2,), (2,)),
    ],
    "DiagonalScatterBackward0": [
        of(lambda x, y: x.diagonal_scatter(y), (3, 4), (3,)),
        of(lambda x, y: x.diagonal_scatter(y, -1, -1, 0), (2, 3, 4), (3, 2)),
        of(lambda x, y: x.diagonal_scatter(y, 3), (3, 3), (0,)),
    ],
}
