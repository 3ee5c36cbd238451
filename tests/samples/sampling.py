"""Samples of sampling an image at points between its pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import Sample, of, uniform

IMAGES = {2: (2, 3, 4, 5), 3: (2, 2, 3, 4, 2)}


def sampled(space: int) -> list[Sample]:
    """Within and beyond the edges, by every mode and filling, at an image of one pixel, at no point, at pixels."""
    grid = (2, *[2, 3, 2][:space], space)
    return [
        *[
            of(
                lambda x, g, mode=mode, fill=fill, corners=corners: F.grid_sample(x, g, mode, fill, corners),
                IMAGES[space],
                grid,
            )
            for mode in ("bilinear", "nearest", "bicubic")[: 5 - space]
            for fill in ("zeros", "border", "reflection")
            for corners in (False, True)
        ],
        of(lambda x, g: F.grid_sample(x, g, align_corners=False), (1, 1, *[1] * space), (1, *[2] * space, space)),
        of(lambda x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=True), *_one_pixel(space)),
        of(lambda x, g: F.grid_sample(x, g, align_corners=False), IMAGES[space], (2, *[0] * space, space)),
        of(lambda x: F.grid_sample(x, _still(space), align_corners=True), IMAGES[space]),
        of(lambda g: F.grid_sample(uniform(*IMAGES[space]).to(g.dtype), g, align_corners=True), grid),
    ]


def _one_pixel(space: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (1, 1, *[1] * space), (1, *[2] * space, space)


def _still(space: int) -> Tensor:
    """The pixels themselves, their edges included."""
    matrix = torch.eye(space, space + 1, dtype=torch.float64).expand(2, -1, -1)
    return F.affine_grid(matrix, list(IMAGES[space]), align_corners=True)


SAMPLES: dict[str, list[Sample]] = {
    "GridSampler2DBackward0": sampled(2),
    "GridSampler3DBackward0": sampled(3),
    "AffineGridGeneratorBackward0": [
        of(lambda m: F.affine_grid(m, [2, 3, 4, 5], align_corners=False), (2, 2, 3)),
        of(lambda m: F.affine_grid(m, [2, 3, 4, 5], align_corners=True), (2, 2, 3)),
        of(lambda m: F.affine_grid(m, [1, 2, 3, 1, 4], align_corners=False), (1, 3, 4)),
    ],
}
