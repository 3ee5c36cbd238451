"""Samples of losses."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import Sample, integers, of, uniform

SIGNS = (uniform(3, 4) > 0.5).double() * 2 - 1
LABELS = torch.tensor([[3, 0, -1, 1], [1, 1, 2, -1], [-1, 0, 0, 0]])


def ctc(words: Tensor, *lengths: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """With lengths in tensors, and impossible alignments counted as nothing."""
    return lambda x: torch._ctc_loss(x, words, *map(torch.tensor, lengths), zero_infinity=True)[0]


SAMPLES: dict[str, list[Sample]] = {
    "MseLossBackward0": [
        of(F.mse_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.mse_loss(x, y, reduction="sum"), (3, 4), (3, 4)),
        of(lambda x: F.mse_loss(x, uniform(3, 4), reduction="none"), (3, 4)),
    ],
    "SmoothL1LossBackward0": [
        of(F.smooth_l1_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.smooth_l1_loss(x, y, reduction="sum", beta=0.3), (3, 4), (3, 4)),
        of(lambda x: F.smooth_l1_loss(x, uniform(3, 4), reduction="none", beta=2.0), (3, 4)),
    ],
    "HuberLossBackward0": [
        of(F.huber_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.huber_loss(x, y, reduction="sum", delta=0.3), (3, 4), (3, 4)),
        of(lambda x: F.huber_loss(x, uniform(3, 4), reduction="none"), (3, 4)),
    ],
    "BinaryCrossEntropyBackward0": [
        of(F.binary_cross_entropy, (3, 4), (3, 4), low=0.1, high=0.9),
        of(lambda x: F.binary_cross_entropy(x, uniform(3, 4), uniform(4), reduction="sum"), (3, 4), low=0.1, high=0.9),
        of(lambda x: F.binary_cross_entropy(x * 0, uniform(3), reduction="none"), (3,)),
    ],
    "BinaryCrossEntropyWithLogitsBackward0": [
        of(F.binary_cross_entropy_with_logits, (3, 4), (3, 4)),
        of(
            lambda x, y: F.binary_cross_entropy_with_logits(x, y, uniform(4), reduction="sum", pos_weight=uniform(4)),
            (3, 4),
            (3, 4),
        ),
        of(lambda x: F.binary_cross_entropy_with_logits(x, uniform(3), reduction="none"), (3,)),
    ],
    "SoftMarginLossBackward0": [
        of(lambda x: F.soft_margin_loss(x, SIGNS), (3, 4)),
        of(lambda x: F.soft_margin_loss(x, SIGNS, reduction="none"), (3, 4)),
        of(lambda x: F.soft_margin_loss(x, torch.ones(()), reduction="sum"), ()),
    ],
    "MultiMarginLossBackward0": [
        of(lambda x: F.multi_margin_loss(x, integers(3, below=4)), (3, 4)),
        of(lambda x: F.multi_margin_loss(x, integers(3, below=4), p=2, weight=uniform(4), reduction="none"), (3, 4)),
        of(lambda x: F.multi_margin_loss(x, integers(below=4), margin=0.5, reduction="sum"), (4,)),
        of(lambda x: F.multi_margin_loss(x * 0, integers(3, below=4), margin=0), (3, 4)),
    ],
    "MultilabelMarginLossBackward0": [
        of(lambda x: F.multilabel_margin_loss(x, LABELS), (3, 4)),
        of(lambda x: F.multilabel_margin_loss(x, LABELS, reduction="none"), (3, 4)),
        of(lambda x: F.multilabel_margin_loss(x, LABELS[0], reduction="sum"), (4,)),
    ],
    "CtcLossBackward0": [
        of(lambda x: F.ctc_loss(x, integers(3, 2, below=4) + 1, (8, 6, 7), (2, 1, 0)), (8, 3, 5)),
        of(
            lambda x: F.ctc_loss(x.log_softmax(-1), integers(6, below=4) + 1, (8, 8), (2, 4), reduction="sum"),
            (8, 2, 5),
        ),
        of(lambda x: F.ctc_loss(x, integers(2, below=4) + 1, (8,), (2,), reduction="none"), (8, 5)),
        of(lambda x: F.ctc_loss(x, integers(1, 3, below=1) + 1, (3,), (3,), zero_infinity=True), (3, 1, 2)),
    ],
    "CtcLossBackward1": [
        of(ctc(integers(3, 2, below=4) + 1, (8, 6, 7), (2, 1, 0)), (8, 3, 5)),
        of(ctc(integers(2, 2, below=4) + 1, (8, 8), (2, 1)), (8, 2, 5)),
        of(ctc(integers(1, 3, below=1) + 1, (3,), (3,)), (3, 1, 2)),
    ],
    "NllLossBackward0": [
        of(lambda x: F.nll_loss(x, integers(3, below=4)), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), ignore_index=1), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), reduction="none"), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(below=4), reduction="sum"), (4,)),
        of(lambda x: F.nll_loss(x, torch.full((3,), -100)), (3, 4)),
        of(lambda x: F.nll_loss(x, torch.tensor(1), uniform(4), ignore_index=1), (4,)),
    ],
    "NllLoss2DBackward0": [
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4)), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), uniform(4), ignore_index=1), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), reduction="none"), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, torch.full((2, 2, 3), 3), uniform(4), ignore_index=3), (2, 4, 2, 3)),
    ],
}
