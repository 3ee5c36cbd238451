"""Samples of softmax and normalisations."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import Sample, of, uniform


def legit(x: Tensor, weight: Tensor | None, bias: Tensor | None, training: bool) -> Tensor:
    """Batch normalisation as it is traced: running statistics are told to be written."""
    running = uniform(3), uniform(3) + 0.5
    return torch.ops.aten._native_batch_norm_legit(x, weight, bias, *running, training, 0.1, 1e-5)[0]


SAMPLES: dict[str, list[Sample]] = {
    "SoftmaxBackward0": [
        of(lambda x: x.softmax(1), (3, 4)),
        of(lambda x: x.softmax(-2), (2, 3, 4)),
        of(lambda x: x.softmax(0), (1,)),
    ],
    "SafeSoftmaxBackward0": [
        of(lambda x: torch._safe_softmax(x, 1), (3, 4)),
        of(lambda x: torch._safe_softmax(x, -2), (2, 3, 4)),
        of(lambda x: torch._safe_softmax(x.masked_fill(torch.arange(3)[:, None] == 1, -math.inf), 1), (3, 4)),
    ],
    "LogSoftmaxBackward0": [
        of(lambda x: x.log_softmax(1), (3, 4)),
        of(lambda x: x.log_softmax(-2), (2, 3, 4)),
        of(lambda x: x.log_softmax(0), (1,)),
    ],
    "NativeLayerNormBackward0": [
        of(lambda x, w, b: F.layer_norm(x, (4,), w, b), (3, 4), (4,), (4,)),
        of(lambda x, w: F.layer_norm(x, (3, 4), w), (2, 3, 4), (3, 4)),
        of(lambda x: F.layer_norm(x, (4,)), (3, 4)),
        of(lambda x, w, b: F.layer_norm(x.detach(), (4,), w, b), (3, 4), (4,), (4,)),
    ],
    "NativeGroupNormBackward0": [
        of(lambda x, w, b: torch.native_group_norm(x, w, b, 2, 4, 6, 2, 1e-5), (2, 4, 6), (4,), (4,)),
        of(lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
        of(lambda x, w, b: F.group_norm(x, 4, w, b), (2, 4, 2, 2), (4,), (4,)),
        of(lambda x: F.group_norm(x, 1), (2, 4, 3)),
    ],
    "NativeBatchNormBackward0": [
        of(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (4, 3), (3,), (3,)),
        of(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (2, 3, 2, 2), (3,), (3,)),
        of(lambda x: F.batch_norm(x, None, None, training=True), (4, 3, 2)),
        of(lambda x, w, b: F.batch_norm(x, uniform(3), uniform(3) + 0.5, w, b), (2, 3, 2, 2), (3,), (3,)),
    ],
    "NativeBatchNormLegitBackward0": [
        of(lambda x, w, b: legit(x, w, b, True), (4, 3), (3,), (3,)),
        of(lambda x, w, b: legit(x, w, b, False), (2, 3, 2, 2), (3,), (3,)),
        of(lambda x: legit(x, None, None, True), (4, 3, 2)),
    ],
}
