"""Samples of reducing segments."""

import torch

from tests.samples.sample import Sample, of

LENGTHS = torch.tensor([2, 0, 3, 1])
ROWS = torch.tensor([[1, 3], [4, 0]])


def reduced(by: str) -> list[Sample]:
    """Segments of a list, of rows of a matrix, of each row by itself, by where they begin, and after a start."""
    offsets = torch.tensor([0, 1, 4, 6])
    return [
        of(lambda x: torch.segment_reduce(x, by, lengths=LENGTHS), (6,)),
        of(lambda x: torch.segment_reduce(x, by, lengths=LENGTHS), (6, 2)),
        of(lambda x: torch.segment_reduce(x, by, lengths=ROWS, axis=1), (2, 4, 3)),
        of(lambda x: torch.segment_reduce(x, by, offsets=offsets), (6, 3)),
        of(lambda x: torch.segment_reduce(x, by, lengths=torch.tensor([6]), initial=1.0), (6,)),
    ]


SAMPLES: dict[str, list[Sample]] = {
    "SegmentReduceBackward0": [sample for by in ("sum", "mean", "max", "min", "prod") for sample in reduced(by)],
}
