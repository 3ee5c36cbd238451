"""Samples of laying out what a sliding window sees, and of putting it back."""

import torch
import torch.nn.functional as F

from tests.samples.sample import Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "UnfoldBackward0": [
        of(lambda x: x.unfold(1, 3, 1), (2, 6)),
        of(lambda x: x.unfold(-2, 2, 3), (2, 7, 3)),
        of(lambda x: x.unfold(0, 1, 1), ()),
    ],
    "UnfoldBackward0_copy": [
        of(lambda x: torch.unfold_copy(x, 1, 3, 1), (2, 6)),
        of(lambda x: torch.unfold_copy(x, -2, 2, 3), (2, 7, 3)),
        of(lambda x: torch.unfold_copy(x, 0, 2, 1), (2,)),
    ],
    "Im2ColBackward0": [
        of(lambda x: F.unfold(x, 2), (2, 3, 4, 5)),
        of(lambda x: F.unfold(x, (2, 3), dilation=2, padding=1, stride=2), (2, 5, 6)),
        of(lambda x: F.unfold(x, 1), (1, 1, 1, 1)),
    ],
    "Col2ImBackward0": [
        of(lambda x: F.fold(x, (4, 5), 2), (2, 12, 12)),
        of(lambda x: F.fold(x, (5, 6), (2, 3), dilation=2, padding=1, stride=2), (12, 6)),
        of(lambda x: F.fold(x, (1, 1), 1), (1, 1, 1)),
    ],
}
