"""Samples of reductions and orderings over dimensions."""

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
    "LinalgVectorNormBackward0": [
        of(torch.linalg.vector_norm, (3, 4)),
        of(lambda x: torch.linalg.vector_norm(x, 1, (0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: torch.linalg.vector_norm(x * 0, dim=0), (3, 2)),
    ],
}
