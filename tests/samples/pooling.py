"""Samples of pooling."""

import torch
import torch.nn.functional as F

from tests.samples.sample import IMAGE, Sample, of

BOX = (2, 2, 4, 4, 5)

SAMPLES: dict[str, list[Sample]] = {
    "MaxPool2DWithIndicesBackward0": [
        of(lambda x: F.max_pool2d(x, 2), IMAGE),
        of(lambda x: F.max_pool2d(x, 3, stride=1, padding=1), IMAGE),
        of(lambda x: F.max_pool1d(x, 2), (2, 3, 5)),
    ],
    "AdaptiveMaxPool2DBackward0": [
        of(lambda x: F.adaptive_max_pool2d(x, 2), IMAGE),
        of(lambda x: F.adaptive_max_pool2d(x, (3, 1)), (2, 4, 5)),
        of(lambda x: F.adaptive_max_pool2d(x, 1), (1, 1, 3, 3)),
    ],
    "AvgPool2DBackward0": [
        of(lambda x: F.avg_pool2d(x, 2), IMAGE),
        of(lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
        of(lambda x: F.avg_pool2d(x, 2, divisor_override=3), (4, 3, 3)),
    ],
    "AdaptiveAvgPool2DBackward0": [
        of(lambda x: F.adaptive_avg_pool2d(x, 2), IMAGE),
        of(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), (4, 5, 6)),
        of(lambda x: F.adaptive_avg_pool2d(x, 3), (1, 1, 3, 3)),
    ],
    "MaxPool3DWithIndicesBackward0": [
        of(lambda x: F.max_pool3d(x, 2), BOX),
        of(lambda x: F.max_pool3d(x, 3, stride=1, padding=1), (2, 3, 3, 3)),
        of(lambda x: F.max_pool3d(x * 0, 2), (1, 2, 2, 2)),
    ],
    "AdaptiveMaxPool3DBackward0": [
        of(lambda x: F.adaptive_max_pool3d(x, 2), BOX),
        of(lambda x: F.adaptive_max_pool3d(x, (3, 1, 2)), (2, 3, 4, 5)),
        of(lambda x: F.adaptive_max_pool3d(x, 1), (1, 1, 2, 2, 2)),
    ],
    "FractionalMaxPool2DBackward0": [
        of(lambda x: F.fractional_max_pool2d(x, 2, output_size=(3, 4)), IMAGE),
        of(lambda x: F.fractional_max_pool2d(x, (2, 3), output_size=2), (4, 5, 6)),
        of(lambda x: F.fractional_max_pool2d(x, 1, output_size=2), (1, 2, 2)),
    ],
    "FractionalMaxPool3DBackward0": [
        of(lambda x: F.fractional_max_pool3d(x, 2, output_size=(1, 2, 2)), BOX),
        of(lambda x: F.fractional_max_pool3d(x, 2, output_size=2), (2, 4, 4, 5)),
        of(lambda x: F.fractional_max_pool3d(x, 1, output_size=2), (1, 3, 3, 3)),
    ],
    "MaxUnpool2DBackward0": [
        of(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (2, 3, 4, 6)),
        of(lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), (2, 3, 4)),
        of(lambda x: F.max_unpool2d(x, torch.tensor([[[0, 3], [4, 9]]]), 2, output_size=(4, 4)), (1, 2, 2)),
    ],
    "MaxUnpool3DBackward0": [
        of(lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), (2, 2, 4, 2, 2)),
        of(lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), (3, 2, 4, 4)),
        of(lambda x: F.max_unpool3d(*F.max_pool3d(x, 1, return_indices=True), 1), (1, 2, 2, 2)),
    ],
    "AvgPool3DBackward0": [
        of(lambda x: F.avg_pool3d(x, 2), BOX),
        of(lambda x: F.avg_pool3d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 4, 4, 5)),
        of(lambda x: F.avg_pool3d(x, 3, 2, 1, ceil_mode=True), (2, 4, 4, 5)),
        of(lambda x: F.avg_pool3d(x, 2, divisor_override=3), (1, 3, 3, 3)),
    ],
    "AdaptiveAvgPool3DBackward0": [
        of(lambda x: F.adaptive_avg_pool3d(x, 2), BOX),
        of(lambda x: F.adaptive_avg_pool3d(x, (3, 4, 2)), (2, 4, 5, 6)),
        of(lambda x: F.adaptive_avg_pool3d(x, 3), (1, 1, 2, 2, 2)),
    ],
}
