"""Samples of losses."""

import torch.nn.functional as F

from tests.samples.sample import Sample, integers, of, uniform

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
    "NllLossBackward0": [
        of(lambda x: F.nll_loss(x, integers(3, below=4)), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), ignore_index=1), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), reduction="none"), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(below=4), reduction="sum"), (4,)),
    ],
    "NllLoss2DBackward0": [
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4)), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), uniform(4), ignore_index=1), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), reduction="none"), (2, 4, 2, 3)),
    ],
}
