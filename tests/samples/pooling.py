"""Samples of pooling."""

import torch.nn.functional as F

from tests.samples.sample import IMAGE, Sample, of

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
}
