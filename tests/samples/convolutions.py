"""Samples of convolutions."""

import torch.nn.functional as F

from tests.samples.sample import IMAGE, Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "ConvolutionBackward0": [
        of(F.conv2d, IMAGE, (3, 4, 3, 3), (3,)),
        of(lambda x, w: F.conv2d(x, w, stride=2, padding=1, dilation=2, groups=2), IMAGE, (2, 2, 2, 2)),
        of(F.conv1d, (2, 3, 5), (2, 3, 2), (2,)),
        of(F.conv3d, (1, 2, 3, 3, 3), (2, 2, 2, 2, 2), (2,)),
        of(
            lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
            (2, 3, 3, 2),
            (3, 2, 2, 2),
            (2,),
        ),
        of(lambda x, w: F.conv2d(x.detach(), w), IMAGE, (3, 4, 1, 1)),
    ],
}
