"""Samples of indexing and looking up."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import M, Sample, integers, of, uniform

WORDS, BAGS = integers(7, below=4), torch.tensor([0, 2, 2, 5])


def bags(mode: str, **options: object) -> Callable[[Tensor], Tensor]:
    """Bags of words, the second of them empty."""
    return lambda w: F.embedding_bag(WORDS, w, BAGS, mode=mode, **options)


SAMPLES: dict[str, list[Sample]] = {
    "EmbeddingBackward0": [
        of(lambda w: F.embedding(integers(2, 3, below=4), w), (4, 3)),
        of(lambda w: F.embedding(integers(5, below=4), w, padding_idx=1), (4, 3)),
        of(lambda w: F.embedding(integers(below=4), w), (4, 3)),
    ],
    "EmbeddingBagBackward0": [
        of(lambda w: F.embedding_bag(integers(2, 3, below=4), w), (4, 3)),
        *[of(bags(mode, padding_idx=1), (4, 3)) for mode in ("sum", "mean", "max")],
        of(
            lambda w, by: F.embedding_bag(WORDS, w, BAGS, mode="sum", per_sample_weights=by, padding_idx=1),
            (4, 3),
            (7,),
        ),
        of(bags("sum", per_sample_weights=uniform(7)), (4, 3)),
    ],
    "IndexBackward0": [
        of(lambda x: x[integers(5, below=3)], (3, 4)),
        of(lambda x: x[:, integers(2, 2, below=3)], (2, 3, 2)),
        of(lambda x: x[M], (3, 4)),
        of(lambda x: x[integers(3, below=2), :, integers(3, below=2)], (2, 3, 2)),
    ],
    "IndexSelectBackward0": [
        of(lambda x: x.index_select(0, integers(5, below=3)), (3, 4)),
        of(lambda x: x.index_select(-1, integers(5, below=3)), (2, 3)),
        of(lambda x: x.index_select(0, integers(1, below=1)), (1,)),
        of(lambda x: x.index_select(0, torch.tensor(1)), (3, 4)),
    ],
    "GatherBackward0": [
        of(lambda x: x.gather(1, integers(3, 2, below=4)), (3, 4)),
        of(lambda x: x.gather(-1, integers(1, 3, below=4)), (3, 4)),
        of(lambda x: x.gather(0, integers(3, below=1)), (1,)),
        of(lambda x: x.gather(0, torch.tensor(1)), (3,)),
    ],
    "MaskedSelectBackward0": [
        of(lambda x: x.masked_select(M), (3, 4)),
        of(lambda x: x.masked_select(M[None]), (1, 3, 4)),
        of(lambda x: x.masked_select(M & ~M), (3, 4)),
    ],
}
