"""Samples of matrix products."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.samples.sample import Sample, of


def grouped(a: Tensor, b: Tensor, *ends: int) -> Tensor:
    """PyTorch computes it in no wider numbers than float32, and of rows that are aligned."""
    return F.grouped_mm(a.float(), b.float(), offs=torch.tensor(ends, dtype=torch.int32) if ends else None)


SAMPLES: dict[str, list[Sample]] = {
    "MmBackward0": [
        of(torch.mm, (3, 4), (4, 5)),
        of(lambda a, b: a @ b.t(), (3, 4), (5, 4)),
        of(torch.mm, (0, 4), (4, 5)),
    ],
    "TrilinearBackward0": [
        of(lambda x, w, y: torch._trilinear(x, w, y, [1, 3], [0], [1, 2], [2, 3]), (5, 3), (2, 3, 4), (5, 4)),
        of(lambda x, y: torch._trilinear(x, x.new_ones(3, 4), y, [1], [0], [1], [2]), (5, 4), (5, 4)),
        of(lambda x, w, y: F.bilinear(x, y, w), (0, 3), (2, 3, 4), (0, 4)),
    ],
    "BmmBackward0": [
        of(torch.bmm, (2, 3, 4), (2, 4, 5)),
        of(lambda a, b: a @ b, (2, 1, 3, 4), (5, 4, 2)),
        of(torch.bmm, (0, 3, 4), (0, 4, 5)),
    ],
    "AddmmBackward0": [
        of(torch.addmm, (3, 5), (3, 4), (4, 5)),
        of(lambda c, a, b: torch.addmm(c, a, b, alpha=2.5, beta=0.5), (5,), (3, 4), (4, 5)),
        of(lambda x, w, b: F.linear(x, w, b), (2, 3, 4), (5, 4), (5,)),
    ],
    "BaddbmmBackward0": [
        of(torch.baddbmm, (2, 3, 5), (2, 3, 4), (2, 4, 5)),
        of(lambda c, a, b: torch.baddbmm(c, a, b, alpha=2.5, beta=0.5), (5,), (2, 3, 4), (2, 4, 5)),
        of(torch.baddbmm, (0, 3, 5), (0, 3, 4), (0, 4, 5)),
    ],
    "MvBackward0": [of(torch.mv, (3, 4), (4,)), of(lambda a, x: a.t() @ x, (4, 3), (4,)), of(torch.mv, (0, 4), (4,))],
    "AddmvBackward0": [
        of(torch.addmv, (3,), (3, 4), (4,)),
        of(lambda c, a, x: torch.addmv(c, a, x, alpha=2.5, beta=0.5), (1,), (3, 4), (4,)),
        of(torch.addmv, (1,), (1, 1), (1,)),
    ],
    "DotBackward0": [
        of(torch.dot, (4,), (4,)),
        of(lambda x, y: x.dot(y.detach()), (4,), (4,)),
        of(torch.dot, (1,), (1,)),
    ],
    "GroupedMmBackward0": [
        of(lambda a, b: grouped(a, b, 2, 2, 5), (5, 4), (3, 4, 8)),
        of(lambda a, b: grouped(a, b, 1, 4), (2, 3, 4), (4, 4)),
        of(lambda a, b: grouped(a, b, 3, 4), (3, 4), (4, 4)),
        of(grouped, (2, 3, 4), (2, 4, 4)),
        of(lambda a, b: grouped(a.detach(), b.transpose(1, 2), 3, 5), (5, 4), (2, 8, 4)),
    ],
    "VdotBackward0": [
        of(torch.vdot, (4,), (4,)),
        of(lambda x, y: torch.vdot(x, y.detach()), (4,), (4,)),
        of(torch.vdot, (1,), (1,)),
    ],
    "AddbmmBackward0": [
        of(torch.addbmm, (3, 5), (2, 3, 4), (2, 4, 5)),
        of(lambda x, a, b: torch.addbmm(x, a, b, beta=0.5, alpha=-2), (5,), (2, 3, 4), (2, 4, 5)),
        of(lambda a, b: torch.addbmm(torch.zeros(1, 1, dtype=a.dtype), a, b.detach()), (1, 1, 1), (1, 1, 1)),
    ],
    "AddrBackward0": [
        of(torch.addr, (3, 4), (3,), (4,)),
        of(lambda x, a, b: torch.addr(x, a, b, beta=0.5, alpha=-2), (4,), (3,), (4,)),
        of(lambda a, b: torch.addr(torch.zeros(1, 1, dtype=a.dtype), a, b.detach()), (1,), (1,)),
    ],
    "LinalgCrossBackward0": [
        of(torch.linalg.cross, (2, 3), (2, 3)),
        of(lambda x, y: torch.linalg.cross(x, y, dim=1), (2, 3, 4), (1, 3, 1)),
        of(lambda x: torch.linalg.cross(x, x.detach()), (3,)),
    ],
}
