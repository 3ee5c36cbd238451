"""Samples of resampling, and of padding by what is near."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import Sample, of

SPACES = {1: (2, 3, 4), 2: (2, 1, 3, 4), 3: (1, 2, 3, 2, 2)}


def resized(mode: str, space: int, **given: bool) -> list[Sample]:
    """Up and down to a size, and by a factor that is no whole number."""
    shape = SPACES[space]
    return [
        of(lambda x: F.interpolate(x, size=[5, 3, 2][:space], mode=mode, **given), shape),
        of(lambda x: F.interpolate(x, scale_factor=1.7, mode=mode, recompute_scale_factor=False, **given), shape),
        of(lambda x: F.interpolate(x, size=[1] * space, mode=mode, **given), shape),
    ]


def smooth(mode: str, space: int) -> list[Sample]:
    return [*resized(mode, space), *resized(mode, space, align_corners=True)]


def sharp(operation: Callable[..., Tensor]) -> list[Sample]:
    sizes = [5, 3], [2, 2], [1, 1]
    return [of(lambda x, size=size: operation(x, size, False, None, None), SPACES[2]) for size in sizes]


def padded(mode: str, space: int) -> list[Sample]:
    shape = SPACES[space]
    return [
        of(lambda x: F.pad(x, [1] * 2 * space, mode=mode), shape),
        of(lambda x: F.pad(x, [0, 1, 1, 0, 1, 1][: 2 * space], mode=mode), shape[1:]),
        of(lambda x: F.pad(x, [-1, 1] + [0, 0] * (space - 1), mode=mode), shape),
    ]


SAMPLES: dict[str, list[Sample]] = {
    "UpsampleNearest1DBackward0": resized("nearest", 1),
    "UpsampleNearest2DBackward0": resized("nearest", 2),
    "UpsampleNearest3DBackward0": resized("nearest", 3),
    "UpsampleNearestExact1DBackward0": resized("nearest-exact", 1),
    "UpsampleNearestExact2DBackward0": resized("nearest-exact", 2),
    "UpsampleNearestExact3DBackward0": resized("nearest-exact", 3),
    "UpsampleLinear1DBackward0": smooth("linear", 1),
    "UpsampleBilinear2DBackward0": smooth("bilinear", 2),
    "UpsampleBicubic2DBackward0": smooth("bicubic", 2),
    "UpsampleTrilinear3DBackward0": smooth("trilinear", 3),
    "UpsampleBilinear2DAaBackward0": sharp(torch.ops.aten._upsample_bilinear2d_aa),
    "UpsampleBicubic2DAaBackward0": sharp(torch.ops.aten._upsample_bicubic2d_aa),
    "UpsampleLanczos2DAaBackward0": sharp(torch.ops.aten._upsample_lanczos2d_aa),
    "ReflectionPad1DBackward0": padded("reflect", 1),
    "ReflectionPad2DBackward0": padded("reflect", 2),
    "ReflectionPad3DBackward0": padded("reflect", 3),
    "ReplicationPad1DBackward0": padded("replicate", 1),
    "ReplicationPad2DBackward0": padded("replicate", 2),
    "ReplicationPad3DBackward0": padded("replicate", 3),
}
