"""Samples of sums, means and variances over dimensions."""

import torch

from tests.samples.sample import Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "SumBackward0": [of(torch.sum, shape) for shape in ((3, 4), (), (0, 2))],
    "SumBackward1": [
        of(lambda x: x.sum(1), (3, 4)),
        of(lambda x: x.sum((0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: x.sum(()), (3,)),
        of(lambda x: x.sum(0), ()),
    ],
    "MeanBackward0": [of(torch.mean, shape) for shape in ((3, 4), (), (1, 1))],
    "MeanBackward1": [
        of(lambda x: x.mean(1), (3, 4)),
        of(lambda x: x.mean((0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: x.mean(0), ()),
    ],
    "LogsumexpBackward0": [
        of(lambda x: x.logsumexp(1), (3, 4)),
        of(lambda x: x.logsumexp((0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: x.logsumexp(0), (1,)),
    ],
    "VarBackward0": [
        of(lambda x: x.var(1), (3, 4)),
        of(lambda x: x.var((0, -1), correction=0, keepdim=True), (2, 3, 4)),
        of(torch.var, (3,)),
    ],
    "StdBackward0": [
        of(lambda x: x.std(1), (3, 4)),
        of(lambda x: x.std((0, -1), correction=0, keepdim=True), (2, 3, 4)),
        of(lambda x: (x * 0).std(0), (3, 2)),
    ],
    "NansumBackward0": [
        of(torch.nansum, (3, 4)),
        of(lambda x: (x / x.floor().clamp(0, 1) * x.floor().clamp(0, 1)).nansum((0, -1), keepdim=True), (2, 3, 4)),
        of(torch.nansum, ()),
    ],
    "VarMeanBackward0": [
        of(lambda x: torch.var_mean(x, 1), (3, 4)),
        of(lambda x: torch.var_mean(x, (0, -1), correction=0, keepdim=True), (2, 3, 4)),
        of(lambda x: torch.var_mean(x)[0], (3,)),
    ],
    "StdMeanBackward0": [
        of(lambda x: torch.std_mean(x, 1), (3, 4)),
        of(lambda x: torch.std_mean(x, (0, -1), correction=0, keepdim=True), (2, 3, 4)),
        of(lambda x: torch.std_mean(x * 0, 0), (3, 2)),
    ],
}
