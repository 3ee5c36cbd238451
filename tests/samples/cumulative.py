"""Samples of products, and of what is added up or multiplied up along a dimension."""

import torch

from tests.samples.sample import M, Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "CumsumBackward0": [
        of(lambda x: x.cumsum(1), (3, 4)),
        of(lambda x: x.cumsum(-2), (2, 3, 4)),
        of(lambda x: x.cumsum(0), ()),
        of(lambda x: x.cumsum(0), (0, 2)),
    ],
    "CumprodBackward0": [
        of(lambda x: x.cumprod(1), (3, 4)),
        of(lambda x: x.cumprod(-2), (2, 3, 4)),
        of(lambda x: (x * M).cumprod(-1), (2, 3, 4)),
        of(lambda x: (x * ~M).cumprod(0), (3, 4)),
        of(lambda x: x.cumprod(0), ()),
    ],
    "LogcumsumexpBackward0": [
        of(lambda x: x.logcumsumexp(1), (3, 4)),
        of(lambda x: x.logcumsumexp(-2), (2, 3, 4)),
        of(lambda x: (x * 100).logcumsumexp(0), (5,)),
        of(lambda x: x.logcumsumexp(0), ()),
    ],
    "ProdBackward0": [
        of(torch.prod, (3, 4)),
        of(torch.prod, ()),
        of(lambda x: (x * torch.tensor([1.0, 0.0, 1.0])).prod(), (3,)),
        of(lambda x: (x * torch.tensor([0.0, 0.0, 1.0])).prod(), (3,)),
        of(torch.prod, (0,)),
    ],
    "ProdBackward1": [
        of(lambda x: x.prod(1), (3, 4)),
        of(lambda x: x.prod(-2, keepdim=True), (2, 3, 4)),
        of(lambda x: (x * ~M).prod(1), (3, 4)),
        of(lambda x: x.prod(0), ()),
    ],
}
