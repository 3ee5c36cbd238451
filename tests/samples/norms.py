"""Samples of norms and distances."""

import math

import torch

from tests.samples.sample import Sample, of

ORDERS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf)

SAMPLES: dict[str, list[Sample]] = {
    "WeightNormInterfaceBackward0": [
        of(lambda v, g: torch._weight_norm(v, g, 0), (3, 4), (3, 1)),
        of(lambda v, g: torch._weight_norm(v, g, 2), (2, 3, 4), (1, 1, 4)),
        of(lambda v, g: torch._weight_norm(v.detach(), g, 0), (3, 2, 2), (3, 1, 1)),
        of(lambda v, g: torch._weight_norm(v, g, 0), (1, 1), (1, 1)),
    ],
    "LinalgVectorNormBackward0": [
        of(torch.linalg.vector_norm, (3, 4)),
        of(lambda x: torch.linalg.vector_norm(x, 1, (0, -1), keepdim=True), (2, 3, 4)),
        of(lambda x: torch.linalg.vector_norm(x * 0, dim=0), (3, 2)),
        *[of(lambda x, p=p: torch.linalg.vector_norm(x, p, 1), (3, 4)) for p in ORDERS],
        of(lambda x: torch.linalg.vector_norm(x, -1.0, 1), (3, 4)),
        of(lambda x: torch.linalg.vector_norm(x * 0 + 1, math.inf), (3,)),
    ],
    "NormBackward0": [
        of(lambda x: torch.ops.aten.norm.Scalar(x, 2), (3, 4)),
        of(lambda x: torch.ops.aten.norm.Scalar(x * 0, 3), (3, 4)),
        of(lambda x: torch.ops.aten.norm.Scalar(x, 1), ()),
    ],
    "NormBackward1": [
        *[of(lambda x, p=p: torch.ops.aten.norm.ScalarOpt_dim(x, p, [1]), (3, 4)) for p in (1, 2, 3.5)],
        of(lambda x: torch.ops.aten.norm.ScalarOpt_dim(x * 0, 2, [0, -1], True), (2, 3, 4)),
        of(lambda x: torch.ops.aten.norm.ScalarOpt_dim(x, 2, [0]), ()),
    ],
    "NormBackward2": [
        of(lambda x, p=p: torch.ops.aten.norm.ScalarOpt_dtype(x, p, dtype=torch.float64), shape)
        for p, shape in ((2, (3, 4)), (1, ()), (3, (2, 3, 4)))
    ],
    "NormBackward3": [
        of(lambda x, p=p: torch.ops.aten.norm.ScalarOpt_dim_dtype(x, p, [-1], True, dtype=torch.float64), shape)
        for p, shape in ((2, (3, 4)), (1, ()), (3, (2, 3, 4)))
    ],
    "DistBackward0": [
        *[of(lambda x, y, p=p: torch.dist(x, y, p), (3, 4), (3, 4)) for p in ORDERS[1:]],
        of(torch.dist, (3, 1), (4,)),
        of(lambda x, y: torch.dist(x * 0, y * 0), (3,), (3,)),
        of(lambda x, y: torch.dist(x, y.detach(), 3), (), ()),
    ],
    "CdistBackward0": [
        *[of(lambda x, y, p=p: torch.cdist(x, y, p), (3, 2), (4, 2)) for p in ORDERS],
        of(lambda x, y: torch.cdist(x, y, 1.0), (2, 1, 3, 2), (5, 4, 2)),
        of(lambda x: torch.cdist(x, x.detach(), 2.0), (3, 2)),
        of(lambda x, y: torch.cdist(x, y, 2.0), (0, 2), (3, 2)),
    ],
    "EuclideanDistBackward0": [
        of(lambda x, y: torch.ops.aten._euclidean_dist(x, y), (3, 2), (4, 2)),
        of(lambda x, y: torch.ops.aten._euclidean_dist(x, y), (2, 3, 2), (2, 4, 2)),
        of(lambda x, y: torch.ops.aten._euclidean_dist(x, y.detach()), (1, 2), (4, 2)),
    ],
    "PdistBackward0": [
        *[of(lambda x, p=p: torch.pdist(x, p), (4, 3)) for p in ORDERS],
        of(lambda x: torch.pdist(x * 0), (3, 2)),
        of(torch.pdist, (2, 1)),
    ],
    "RenormBackward0": [
        *[of(lambda x, p=p: torch.renorm(x, p, 0, 1.5), (3, 4)) for p in (1, 2, 3.0)],
        of(lambda x: torch.renorm(x, 2, -1, 1.0), (2, 3, 4)),
        of(lambda x: torch.renorm(x, 2, 0, 100.0), (3, 4)),
    ],
}
