"""The losses of torch.nn, which are those of torch.nn.functional, one family each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from tests.families.family import Family
from tests.families.fed import fed, learnt
from tests.samples.sample import integers, uniform

__all__ = ["LOSSES"]

MATRIX = (3, 4)
CLASSES, PICTURE = integers(3, below=4), integers(2, 3, 3, below=4)
TARGETS = uniform(*MATRIX)
SIGNS, SIGN = (TARGETS > 0.5).float() * 2 - 1, torch.tensor([1.0, -1.0, 1.0])
CLASS_WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 1.0])


REDUCTIONS = {kind: {"reduction": kind} for kind in ("mean", "sum", "none")}


def reduced(layer: Callable[..., nn.Module], *inputs: Any, **variants: Any) -> Family:
    """A loss as a mean, as a sum and number by number."""
    return fed(layer, *inputs, **REDUCTIONS, **variants)


class Aligned(nn.CTCLoss):
    """Sequences that are all as long as can be."""

    def forward(self, scores: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        lengths = [torch.full((len(words),), n) for n in (len(scores), words.shape[1])]
        return super().forward(scores.log_softmax(-1), words, *lengths)


LOSSES: dict[str, Family] = {
    "L1Loss": reduced(nn.L1Loss, MATRIX, TARGETS),
    "MSELoss": reduced(nn.MSELoss, MATRIX, TARGETS),
    "SmoothL1Loss": reduced(nn.SmoothL1Loss, MATRIX, TARGETS, sharp={"beta": 0.0}),
    "HuberLoss": reduced(nn.HuberLoss, MATRIX, TARGETS),
    "BCELoss": reduced(nn.BCELoss, learnt(1 - TARGETS), TARGETS, weighed={"weight": CLASS_WEIGHTS}),
    "BCEWithLogitsLoss": reduced(nn.BCEWithLogitsLoss, MATRIX, TARGETS, weighed={"pos_weight": CLASS_WEIGHTS}),
    "CrossEntropyLoss": reduced(
        nn.CrossEntropyLoss, MATRIX, CLASSES, smooth={"label_smoothing": 0.1, "weight": CLASS_WEIGHTS}
    ),
    "CrossEntropyLoss of pictures": reduced(nn.CrossEntropyLoss, (2, 4, 3, 3), PICTURE, ignoring={"ignore_index": 1}),
    "CrossEntropyLoss with shares": reduced(nn.CrossEntropyLoss, MATRIX, TARGETS),
    "LinearCrossEntropyLoss": reduced(partial(nn.LinearCrossEntropyLoss, 4, 5), MATRIX, CLASSES),
    "NLLLoss": reduced(nn.NLLLoss, MATRIX, CLASSES, weighed={"weight": CLASS_WEIGHTS}),
    "NLLLoss of pictures": reduced(nn.NLLLoss, (2, 4, 3, 3), PICTURE),
    "AdaptiveLogSoftmaxWithLoss": fed(
        partial(nn.AdaptiveLogSoftmaxWithLoss, 4, 9, [3, 6], div_value=2.0), MATRIX, torch.tensor([1, 4, 7])
    ),
    "CTCLoss": reduced(Aligned, (8, 3, 5), integers(3, 2, below=4) + 1, never={"zero_infinity": True}),
    "CosineEmbeddingLoss": reduced(nn.CosineEmbeddingLoss, MATRIX, MATRIX, SIGN),
    "GaussianNLLLoss": reduced(
        nn.GaussianNLLLoss, MATRIX, TARGETS, learnt(uniform(*MATRIX) + 0.1), full={"full": True}
    ),
    "HingeEmbeddingLoss": reduced(nn.HingeEmbeddingLoss, MATRIX, SIGNS),
    "KLDivLoss": fed(
        nn.KLDivLoss, MATRIX, TARGETS, mean={"reduction": "batchmean"}, logs={"reduction": "sum", "log_target": True}
    ),
    "MarginRankingLoss": reduced(nn.MarginRankingLoss, (3,), (3,), SIGN),
    "MultiLabelMarginLoss": reduced(nn.MultiLabelMarginLoss, MATRIX, torch.tensor([[3, 0, -1, 1]] * 3)),
    "MultiLabelSoftMarginLoss": reduced(nn.MultiLabelSoftMarginLoss, MATRIX, (TARGETS > 0.5).float()),
    "MultiMarginLoss": reduced(nn.MultiMarginLoss, MATRIX, CLASSES, squared={"p": 2}),
    "PoissonNLLLoss": reduced(
        nn.PoissonNLLLoss, MATRIX, 3 * TARGETS, full={"full": True}, rates={"log_input": False, "full": True}
    ),
    "SoftMarginLoss": reduced(nn.SoftMarginLoss, MATRIX, SIGNS),
    "TripletMarginLoss": reduced(nn.TripletMarginLoss, MATRIX, MATRIX, MATRIX, swapped={"swap": True, "p": 1.0}),
    "TripletMarginWithDistanceLoss": reduced(nn.TripletMarginWithDistanceLoss, MATRIX, MATRIX, MATRIX),
}
