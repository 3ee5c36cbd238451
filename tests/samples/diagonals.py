"""Samples of operations on the diagonals of matrices."""

import torch

from tests.samples.sample import Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "TrilBackward0": [of(torch.tril, (3, 4)), of(lambda x: x.tril(-1), (2, 3, 3)), of(lambda x: x.tril(1), (3, 3))],
    "TriuBackward0": [of(torch.triu, (3, 4)), of(lambda x: x.triu(-1), (2, 3, 3)), of(lambda x: x.triu(1), (3, 3))],
    "DiagonalBackward0": [
        of(torch.diagonal, (3, 4)),
        of(lambda x: x.diagonal(-1, -1, 0), (2, 3, 4)),
        of(lambda x: x.diagonal(3), (3, 3)),
    ],
    "DiagonalBackward0_copy": [
        of(torch.diagonal_copy, (3, 4)),
        of(lambda x: torch.diagonal_copy(x, -1, -1, 0), (2, 3, 4)),
        of(lambda x: torch.diagonal_copy(x, 3), (3, 3)),
    ],
    "DiagEmbedBackward0": [
        of(torch.diag_embed, (3,)),
        of(lambda x: torch.diag_embed(x, -1, 0, 2), (2, 3)),
        of(lambda x: torch.diag_embed(x, 2), (1,)),
    ],
    "TraceBackward0": [of(torch.trace, shape) for shape in ((3, 3), (2, 4), (0, 0))],
    "BlockDiagBackward0": [
        of(torch.block_diag, (2, 3), (1, 2)),
        of(torch.block_diag, (), (3,), (2, 2)),
        of(torch.block_diag, (1, 0), (2, 1)),
    ],
}
