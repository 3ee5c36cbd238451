"""Samples of sorting, and of what is first, last or in the middle in some order."""

from collections.abc import Callable
from typing import Any

import torch

from tests.samples.sample import Sample, of


def over_dim(run: Callable[..., Any]) -> list[Sample]:
    """What gives values and indices along a dimension: plain, with the dimension kept, of one number, and of ties."""
    return [
        of(lambda x: run(x, dim=1)[0], (3, 4)),
        of(lambda x: run(x, dim=-1, keepdim=True)[0], (2, 3, 4)),
        of(lambda x: run(x, dim=0)[0], ()),
        of(lambda x: run(x * 0, dim=0)[0], (3, 2)),
    ]


SAMPLES: dict[str, list[Sample]] = {
    "MaxBackward0": [
        of(lambda x: x.max(1)[0], (3, 4)),
        of(lambda x: x.max(-1, keepdim=True)[0], (2, 3, 4)),
        of(lambda x: x.max(0)[0], ()),
    ],
    "MinBackward0": [
        of(lambda x: x.min(1)[0], (3, 4)),
        of(lambda x: x.min(-1, keepdim=True)[0], (2, 3, 4)),
        of(lambda x: x.min(0)[0], ()),
    ],
    "MaxBackward1": [of(torch.max, (3, 4)), of(torch.max, ()), of(lambda x: (x * 0).max(), (3,))],
    "MinBackward1": [of(torch.min, (3, 4)), of(torch.min, ()), of(lambda x: (x * 0).min(), (3,))],
    "AmaxBackward0": [
        of(lambda x: x.amax(1), (3, 4)),
        of(lambda x: x.amax((0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: (x * 0).amax(0), (3, 2)),
    ],
    "AminBackward0": [
        of(lambda x: x.amin(1), (3, 4)),
        of(lambda x: x.amin((0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: (x * 0).amin(0), (3, 2)),
    ],
    "SortBackward0": [
        of(lambda x: x.sort(1)[0], (3, 4)),
        of(lambda x: x.sort(0, descending=True)[0], (3, 4)),
        of(lambda x: x.sort(0)[0], ()),
    ],
    "TopkBackward0": [
        of(lambda x: x.topk(2, 1)[0], (3, 4)),
        of(lambda x: x.topk(2, 0, largest=False)[0], (3, 4)),
        of(lambda x: x.topk(1, 0)[0], ()),
    ],
    "SortBackward1": [
        of(lambda x: x.sort(stable=True, dim=1)[0], (3, 4)),
        of(lambda x: (x * 0).sort(stable=True, dim=0, descending=True)[0], (3, 4)),
        of(lambda x: x.sort(stable=True, dim=0)[0], ()),
    ],
    "KthvalueBackward0": over_dim(lambda x, **given: torch.kthvalue(x, 1, **given)),
    "MedianBackward0": [of(torch.median, (3, 4)), of(torch.median, ()), of(lambda x: (x * 0).median(), (3,))],
    "MedianBackward1": over_dim(torch.median),
    "NanmedianBackward0": [
        of(torch.nanmedian, (3, 4)),
        of(torch.nanmedian, ()),
        of(lambda x: (x / 0 - x / 0).nanmedian(), (3,)),
    ],
    "NanmedianBackward1": over_dim(torch.nanmedian),
    "ModeBackward0": over_dim(torch.mode),
    "CummaxBackward0": [
        of(lambda x: x.cummax(1)[0], (3, 4)),
        of(lambda x: x.cummax(-2)[0], (2, 3, 4)),
        of(lambda x: (x * 0).cummax(0)[0], (3,)),
        of(lambda x: x.cummax(0)[0], ()),
    ],
    "CumminBackward0": [
        of(lambda x: x.cummin(1)[0], (3, 4)),
        of(lambda x: x.cummin(-2)[0], (2, 3, 4)),
        of(lambda x: (x * 0).cummin(0)[0], (3,)),
        of(lambda x: x.cummin(0)[0], ()),
    ],
    "AminmaxBackward0": [
        of(torch.aminmax, (3, 4)),
        of(lambda x: torch.aminmax(x, dim=-1, keepdim=True), (2, 3, 4)),
        of(lambda x: torch.aminmax(x * 0, dim=0), (3, 2)),
        of(lambda x: torch.aminmax(x).max, ()),
    ],
}
