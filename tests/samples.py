"""Small forward passes of each node type that has a rule: a plain one, a broadcast or batched one, an edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.engine.graph import Graph

__all__ = ["SAMPLES", "Sample"]


@dataclass(frozen=True)
class Sample:
    """A function of some float64 tensors of these shapes, with entries drawn between two numbers."""

    run: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    low: float = -2.0
    high: float = 2.0

    def nodes(self, name: str) -> list[Any]:
        """The nodes of one type that running it records."""
        generator = torch.Generator().manual_seed(0)
        inputs = [
            torch.empty(shape, dtype=torch.float64).uniform_(self.low, self.high, generator=generator).requires_grad_()
            for shape in self.shapes
        ]
        torch.manual_seed(0)
        result = self.run(*inputs)
        outputs = [result] if isinstance(result, Tensor) else [*result]
        return [node for node in Graph.read(outputs).nodes if type(node).__name__ == name]


def of(run: Callable[..., Any], *shapes: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Sample:
    return Sample(run, shapes, low, high)


def entrywise(run: Callable[[Tensor], Tensor], low: float = -2.0, high: float = 2.0) -> list[Sample]:
    return [of(run, shape, low=low, high=high) for shape in ((3, 4), (), (0, 2))]


def at(run: Callable[[Tensor], Tensor], *points: float) -> Sample:
    """At exactly these points: the kinks of a function."""
    return of(lambda x: run(x * 0 + torch.tensor(points, dtype=x.dtype)), (len(points),))


def integers(*shape: int, below: int) -> Tensor:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(1))


def uniform(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


M = torch.eye(3, 4) > 0
IMAGE = (2, 4, 5, 6)

SAMPLES: dict[str, list[Sample]] = {
    # entry by entry
    "ExpBackward0": entrywise(torch.exp),
    "Exp2Backward0": entrywise(torch.exp2),
    "Expm1Backward0": entrywise(torch.expm1),
    "LogBackward0": entrywise(torch.log, 0.1, 3),
    "Log2Backward0": entrywise(torch.log2, 0.1, 3),
    "Log10Backward0": entrywise(torch.log10, 0.1, 3),
    "Log1PBackward0": entrywise(torch.log1p, -0.9, 3),
    "SqrtBackward0": entrywise(torch.sqrt, 0.1, 3),
    "RsqrtBackward0": entrywise(torch.rsqrt, 0.1, 3),
    "ReciprocalBackward0": entrywise(torch.reciprocal, 0.1, 3),
    "AbsBackward0": [*entrywise(torch.abs), at(torch.abs, 0.0, -1.0)],
    "SinBackward0": entrywise(torch.sin),
    "CosBackward0": entrywise(torch.cos),
    "TanBackward0": entrywise(torch.tan, -1, 1),
    "SinhBackward0": entrywise(torch.sinh),
    "CoshBackward0": entrywise(torch.cosh),
    "AsinBackward0": entrywise(torch.asin, -0.9, 0.9),
    "AcosBackward0": entrywise(torch.acos, -0.9, 0.9),
    "AtanBackward0": entrywise(torch.atan),
    "ErfBackward0": entrywise(torch.erf),
    "ErfcBackward0": entrywise(torch.erfc),
    "TanhBackward0": entrywise(torch.tanh),
    "SigmoidBackward0": entrywise(torch.sigmoid),
    "LogSigmoidBackward0": entrywise(F.logsigmoid),
    "ReluBackward0": [*entrywise(F.relu), at(F.relu, 0.0, 1.0), of(lambda x: F.relu_(x.clone()), (3,))],
    "ThresholdBackward0": [*entrywise(lambda x: F.threshold(x, 0.5, 0.1)), at(lambda x: F.threshold(x, 0.5, 9), 0.5)],
    "ThresholdBackward1": entrywise(lambda x: F.threshold_(x.clone(), 0.5, 0.1)),
    "HardtanhBackward0": [*entrywise(F.hardtanh), at(F.hardtanh, -1.0, 1.0), of(F.relu6, (3,), high=9)],
    "ClampMinBackward0": [*entrywise(lambda x: x.clamp_min(0.2)), at(lambda x: x.clamp_min(0.5), 0.5)],
    "ClampMaxBackward0": [*entrywise(lambda x: x.clamp_max(0.2)), at(lambda x: x.clamp_max(0.5), 0.5)],
    "ClampBackward1": [
        *entrywise(lambda x: x.clamp(-1, 0.5)),
        at(lambda x: x.clamp(-1, 0.5), -1.0, 0.5),
        of(lambda x: x.clamp(min=0.1), (3,)),
        of(lambda x: x.clamp(max=0.1), (3,)),
    ],
    "NegBackward0": entrywise(torch.neg),
    "CeilBackward0": entrywise(torch.ceil),
    "FloorBackward0": entrywise(torch.floor),
    "RoundBackward0": entrywise(torch.round),
    "SignBackward0": entrywise(torch.sign),
    "TruncBackward0": entrywise(torch.trunc),
    "PowBackward0": [*entrywise(lambda x: x**2.5, 0.1, 2), *entrywise(lambda x: x**3), at(lambda x: x**0, 0.0, 2.0)],
    "PowBackward2": [*entrywise(lambda x: 2.5**x), of(lambda x: 0**x, (3,), low=0.5)],
    "GeluBackward0": [*entrywise(F.gelu), *entrywise(lambda x: F.gelu(x, approximate="tanh"))],
    "SiluBackward0": entrywise(F.silu),
    "MishBackward0": entrywise(F.mish),
    "HardswishBackward0": [*entrywise(F.hardswish, -4, 4), at(F.hardswish, -3.0, 3.0)],
    "HardsigmoidBackward0": [*entrywise(F.hardsigmoid, -4, 4), at(F.hardsigmoid, -3.0, 3.0)],
    "LeakyReluBackward0": [*entrywise(lambda x: F.leaky_relu(x, 0.1)), at(F.leaky_relu, 0.0)],
    "LeakyReluBackward1": [
        *entrywise(lambda x: F.leaky_relu_(x.clone(), 0.1)),
        at(lambda x: F.leaky_relu_(x.clone()), 0),
    ],
    # 1 / alpha is rounded to float32 by PyTorch's derivative, so alpha is a power of two here
    "CeluBackward0": [*entrywise(lambda x: F.celu(x, 0.5)), at(F.celu, 0.0)],
    "SoftplusBackward0": [*entrywise(F.softplus), of(lambda x: F.softplus(x, 2, 1), (5,))],
    "EluBackward0": [*entrywise(lambda x: F.elu(x, 0.7)), *entrywise(F.selu), at(F.elu, 0.0)],
    # several tensors, entry by entry
    "AddBackward0": [
        of(lambda x, y: x + y, (3, 4), (3, 4)),
        of(lambda x, y: torch.add(x, y, alpha=2.5), (3, 4), (4,)),
        of(lambda x: x + 1, ()),
    ],
    "AddBackward1": [of(lambda x: torch.ops.aten.add.Scalar(x, 2.0), shape) for shape in ((3, 4), (), (0,))],
    "SubBackward0": [
        of(lambda x, y: x - y, (3, 4), (3, 4)),
        of(lambda x, y: torch.sub(x, y, alpha=2.5), (1, 4), (3, 1)),
        of(lambda x: x - 1, ()),
    ],
    "SubBackward1": [of(lambda x: torch.ops.aten.sub.Scalar(x, 2.0), shape) for shape in ((3, 4), (), (0,))],
    "RsubBackward0": [
        of(torch.rsub, (3, 4), (3, 4)),
        of(lambda x, y: torch.rsub(x, y, alpha=2.5), (3, 4), (4,)),
        of(torch.rsub, (), ()),
    ],
    "RsubBackward1": entrywise(lambda x: 1 - x),
    "MulBackward0": [
        of(lambda x, y: x * y, (3, 4), (3, 4)),
        of(lambda x, y: x * y, (2, 1, 4), (3, 1)),
        of(lambda x: x * 2.5, ()),
        of(lambda x, y: x * y.detach(), (3, 4), (4,)),
    ],
    "MulBackward1": [of(lambda x: torch.ops.aten.mul.Scalar(x, 2.5), shape) for shape in ((3, 4), (), (0,))],
    "DivBackward0": [
        of(lambda x, y: x / y, (3, 4), (3, 4), low=0.2),
        of(lambda x, y: x / y, (2, 1, 4), (3, 1), low=0.2),
        of(lambda x: x / 2.5, ()),
    ],
    "DivBackward1": [of(lambda x: torch.ops.aten.div.Scalar(x, 2.5), shape) for shape in ((3, 4), (), (0,))],
    "PowBackward1": [
        of(torch.pow, (3, 4), (3, 4), low=0.2),
        of(torch.pow, (3, 4), (4,), low=0.2),
        of(lambda x, y: (x * 0) ** (y * 0), (2,), (2,)),
    ],
    "AddcmulBackward0": [
        of(torch.addcmul, (3, 4), (3, 4), (3, 4)),
        of(lambda x, y, z: torch.addcmul(x, y, z, value=2.5), (4,), (3, 1), (3, 4)),
        of(torch.addcmul, (), (), ()),
    ],
    "AddcdivBackward0": [
        of(torch.addcdiv, (3, 4), (3, 4), (3, 4), low=0.2),
        of(lambda x, y, z: torch.addcdiv(x, y, z, value=2.5), (4,), (3, 1), (3, 4), low=0.2),
        of(torch.addcdiv, (), (), ()),
    ],
    "LerpBackward0": [
        of(lambda x, y: torch.lerp(x, y, 0.3), (3, 4), (3, 4)),
        of(lambda x, y: torch.lerp(x, y, 0.3), (3, 1), (4,)),
        of(lambda x, y: torch.lerp(x, y, 1.0), (), ()),
    ],
    "MaximumBackward0": [
        of(torch.maximum, (3, 4), (3, 4)),
        of(torch.maximum, (3, 4), (4,)),
        of(lambda x, y: torch.maximum(x * 0, y * 0), (3,), (3,)),
    ],
    "MinimumBackward0": [
        of(torch.minimum, (3, 4), (3, 4)),
        of(torch.minimum, (3, 4), (4,)),
        of(lambda x, y: torch.minimum(x * 0, y * 0), (3,), (3,)),
    ],
    "WhereBackward0": [
        of(lambda x, y: torch.where(M, x, y), (3, 4), (3, 4)),
        of(lambda x, y: torch.where(M, x, y), (4,), (3, 1)),
        of(lambda x: torch.where(M, x, 0.0), (3, 4)),
    ],
    "MaskedFillBackward0": [
        of(lambda x: x.masked_fill(M, 2.0), (3, 4)),
        of(lambda x: x.masked_fill(M, 2.0), (2, 3, 4)),
        of(lambda x: x.masked_fill(M[0, 0], 2.0), ()),
    ],
    "MaskedFillBackward1": [
        of(lambda x, v: x.masked_fill(M, v), (3, 4), ()),
        of(lambda x, v: x.masked_fill(M, v), (2, 3, 4), ()),
        of(lambda x, v: x.detach().masked_fill(M, v), (3, 4), ()),
    ],
    "NativeDropoutBackward0": [
        of(lambda x: torch.native_dropout(x, 0.4, True)[0], (3, 4)),
        of(lambda x: torch.native_dropout(x, 0.0, True)[0], (2, 3, 4)),
        of(lambda x: torch.native_dropout(x, 1.0, True)[0], (4,)),
    ],
    # matrix products
    "MmBackward0": [
        of(torch.mm, (3, 4), (4, 5)),
        of(lambda a, b: a @ b.t(), (3, 4), (5, 4)),
        of(torch.mm, (0, 4), (4, 5)),
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
    # moves
    "AliasBackward0": entrywise(lambda x: x[...]),
    "CloneBackward0": entrywise(torch.clone),
    "ToCopyBackward0": [of(lambda x: x.float().double(), shape) for shape in ((3, 4), (), (0,))],
    "ReshapeAliasBackward0": [
        of(lambda x: torch.ops.aten._reshape_alias(x, (3, 4), (4, 1)), (2, 6)),
        of(lambda x: torch.ops.aten._reshape_alias(x, (12,), (1,)), (2, 6)),
        of(lambda x: torch.ops.aten._reshape_alias(x, (2, 1, 6), (6, 6, 1)), (2, 6)),
    ],
    "ViewBackward0": [
        of(lambda x: x.view(12), (3, 4)),
        of(lambda x: x.view(()), (1,)),
        of(lambda x: x.view(0, 5), (0,)),
    ],
    "UnsafeViewBackward0": [
        of(lambda x: x.t().reshape(12), (3, 4)),
        of(lambda a, b: F.linear(a, b), (2, 3, 4), (5, 4)),
        of(lambda x: torch.ops.aten._unsafe_view(x, ()), (1,)),
    ],
    "SqueezeBackward0": [of(torch.squeeze, shape) for shape in ((1, 3, 1), (3, 4), ())],
    "SqueezeBackward1": [
        of(lambda x: x.squeeze(0), (1, 3, 1)),
        of(lambda x: x.squeeze(-1), (1, 3, 1)),
        of(lambda x: x.squeeze(0), (3, 4)),
    ],
    "SqueezeBackward2": [
        of(lambda x: x.squeeze((0, 2)), (1, 3, 1)),
        of(lambda x: x.squeeze((-1,)), (1, 3, 1)),
        of(lambda x: x.squeeze((0, 1)), (3, 1)),
    ],
    "UnsqueezeBackward0": [
        of(lambda x: x.unsqueeze(1), (3, 4)),
        of(lambda x: x.unsqueeze(-1), (3, 4)),
        of(lambda x: x.unsqueeze(0), ()),
    ],
    "ExpandBackward0": [
        of(lambda x: x.expand(2, 3, 4), (3, 1)),
        of(lambda x: x.expand(2, -1, 4), (1, 3, 1)),
        of(lambda x: x.expand(3), ()),
    ],
    "RepeatBackward0": [
        of(lambda x: x.repeat(2, 3), (2, 3)),
        of(lambda x: x.repeat(2, 1, 2), (2, 3)),
        of(lambda x: x.repeat(3), ()),
    ],
    "TBackward0": [of(torch.t, (3, 4)), of(torch.t, (4,)), of(torch.t, (0, 2))],
    "TransposeBackward0": [
        of(lambda x: x.transpose(0, 1), (3, 4)),
        of(lambda x: x.transpose(-1, 0), (2, 3, 4)),
        of(lambda x: x.transpose(0, 0), ()),
    ],
    "PermuteBackward0": [
        of(lambda x: x.permute(2, 0, 1), (2, 3, 4)),
        of(lambda x: x.permute(-1, 0, -2), (2, 3, 4)),
        of(lambda x: x.permute(()), ()),
    ],
    "SelectBackward0": [
        of(lambda x: x[1], (3, 4)),
        of(lambda x: x.select(-1, -2), (2, 3, 4)),
        of(lambda x: x[0], (1,)),
    ],
    "SliceBackward0": [
        of(lambda x: x[:, 1:3], (3, 4)),
        of(lambda x: x[-4:-1:2], (5, 2)),
        of(lambda x: x[2:], (2, 3)),
    ],
    "SplitBackward0": [
        of(lambda x: x.split(3, 1), (2, 7)),
        of(lambda x: x.chunk(2, -1), (2, 3, 4)),
        of(lambda x: x.split(5), (3,)),
    ],
    "SplitWithSizesBackward0": [
        of(lambda x: x.split([1, 3], 1), (2, 4)),
        of(lambda x: x.split([2, 0, 1], -1), (2, 3)),
        of(lambda x: x.split([3]), (3,)),
    ],
    "UnbindBackward0": [
        of(lambda x: x.unbind(0), (3, 4)),
        of(lambda x: x.unbind(-1), (2, 3)),
        of(lambda x: x.unbind(), (1,)),
    ],
    "StackBackward0": [
        of(lambda x, y: torch.stack([x, y], 1), (3, 4), (3, 4)),
        of(lambda x, y: torch.stack([x, y.detach()], -1), (3, 4), (3, 4)),
        of(lambda x: torch.stack([x]), ()),
    ],
    "CatBackward0": [
        of(lambda x, y: torch.cat([x, y], 1), (3, 4), (3, 2)),
        of(lambda x, y: torch.cat([x, y, x], -1), (2, 3, 4), (2, 3, 1)),
        of(lambda x, y: torch.cat([x, y]), (0,), (2, 3)),
    ],
    "FlipBackward0": [
        of(lambda x: x.flip(0), (3, 4)),
        of(lambda x: x.flip(-1, 0), (2, 3, 4)),
        of(lambda x: x.flip(0), (1,)),
    ],
    "RollBackward0": [
        of(lambda x: x.roll(1, 0), (3, 4)),
        of(lambda x: x.roll((-1, 2), (-1, 0)), (3, 4)),
        of(lambda x: x.roll(2), (3, 4)),
    ],
    "TrilBackward0": [of(torch.tril, (3, 4)), of(lambda x: x.tril(-1), (2, 3, 3)), of(lambda x: x.tril(1), (3, 3))],
    "TriuBackward0": [of(torch.triu, (3, 4)), of(lambda x: x.triu(-1), (2, 3, 3)), of(lambda x: x.triu(1), (3, 3))],
    "ConstantPadNdBackward0": [
        of(lambda x: F.pad(x, (1, 2)), (3, 4)),
        of(lambda x: F.pad(x, (1, 0, 2, 1)), (2, 3, 4)),
        of(lambda x: F.pad(x, (0, 0)), (3,)),
    ],
    # over dimensions
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
    # groups of entries that see each other
    "SoftmaxBackward0": [
        of(lambda x: x.softmax(1), (3, 4)),
        of(lambda x: x.softmax(-2), (2, 3, 4)),
        of(lambda x: x.softmax(0), (1,)),
    ],
    "LogSoftmaxBackward0": [
        of(lambda x: x.log_softmax(1), (3, 4)),
        of(lambda x: x.log_softmax(-2), (2, 3, 4)),
        of(lambda x: x.log_softmax(0), (1,)),
    ],
    "NativeLayerNormBackward0": [
        of(lambda x, w, b: F.layer_norm(x, (4,), w, b), (3, 4), (4,), (4,)),
        of(lambda x, w: F.layer_norm(x, (3, 4), w), (2, 3, 4), (3, 4)),
        of(lambda x: F.layer_norm(x, (4,)), (3, 4)),
        of(lambda x, w, b: F.layer_norm(x.detach(), (4,), w, b), (3, 4), (4,), (4,)),
    ],
    "NativeGroupNormBackward0": [
        of(lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
        of(lambda x, w, b: F.group_norm(x, 4, w, b), (2, 4, 2, 2), (4,), (4,)),
        of(lambda x: F.group_norm(x, 1), (2, 4, 3)),
    ],
    "NativeBatchNormBackward0": [
        of(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (4, 3), (3,), (3,)),
        of(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (2, 3, 2, 2), (3,), (3,)),
        of(lambda x: F.batch_norm(x, None, None, training=True), (4, 3, 2)),
        of(lambda x, w, b: F.batch_norm(x, uniform(3), uniform(3) + 0.5, w, b), (2, 3, 2, 2), (3,), (3,)),
    ],
    # convolutions and pooling
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
    # picks
    "EmbeddingBackward0": [
        of(lambda w: F.embedding(integers(2, 3, below=4), w), (4, 3)),
        of(lambda w: F.embedding(integers(5, below=4), w, padding_idx=1), (4, 3)),
        of(lambda w: F.embedding(integers(below=4), w), (4, 3)),
    ],
    "IndexBackward0": [
        of(lambda x: x[integers(5, below=3)], (3, 4)),
        of(lambda x: x[:, integers(2, 2, below=3)], (2, 3, 2)),
        of(lambda x: x[M], (3, 4)),
        of(lambda x: x[integers(3, below=2), :, integers(3, below=2)], (2, 3, 2)),
    ],
    "IndexSelectBackward0": [
        of(lambda x: x.index_select(0, integers(5, below=3)), (3, 4)),
        of(lambda x: x.index_select(-1, integers(5, below=3)), (2, 3)),
        of(lambda x: x.index_select(0, integers(1, below=1)), (1,)),
    ],
    "GatherBackward0": [
        of(lambda x: x.gather(1, integers(3, 2, below=4)), (3, 4)),
        of(lambda x: x.gather(-1, integers(1, 3, below=4)), (3, 4)),
        of(lambda x: x.gather(0, integers(3, below=1)), (1,)),
    ],
    "MaskedSelectBackward0": [
        of(lambda x: x.masked_select(M), (3, 4)),
        of(lambda x: x.masked_select(M[None]), (1, 3, 4)),
        of(lambda x: x.masked_select(M & ~M), (3, 4)),
    ],
    # losses
    "MseLossBackward0": [
        of(F.mse_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.mse_loss(x, y, reduction="sum"), (3, 4), (3, 4)),
        of(lambda x: F.mse_loss(x, uniform(3, 4), reduction="none"), (3, 4)),
    ],
    "SmoothL1LossBackward0": [
        of(F.smooth_l1_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.smooth_l1_loss(x, y, reduction="sum", beta=0.3), (3, 4), (3, 4)),
        of(lambda x: F.smooth_l1_loss(x, uniform(3, 4), reduction="none", beta=2.0), (3, 4)),
    ],
    "HuberLossBackward0": [
        of(F.huber_loss, (3, 4), (3, 4)),
        of(lambda x, y: F.huber_loss(x, y, reduction="sum", delta=0.3), (3, 4), (3, 4)),
        of(lambda x: F.huber_loss(x, uniform(3, 4), reduction="none"), (3, 4)),
    ],
    "BinaryCrossEntropyBackward0": [
        of(F.binary_cross_entropy, (3, 4), (3, 4), low=0.1, high=0.9),
        of(lambda x: F.binary_cross_entropy(x, uniform(3, 4), uniform(4), reduction="sum"), (3, 4), low=0.1, high=0.9),
        of(lambda x: F.binary_cross_entropy(x * 0, uniform(3), reduction="none"), (3,)),
    ],
    "BinaryCrossEntropyWithLogitsBackward0": [
        of(F.binary_cross_entropy_with_logits, (3, 4), (3, 4)),
        of(
            lambda x, y: F.binary_cross_entropy_with_logits(x, y, uniform(4), reduction="sum", pos_weight=uniform(4)),
            (3, 4),
            (3, 4),
        ),
        of(lambda x: F.binary_cross_entropy_with_logits(x, uniform(3), reduction="none"), (3,)),
    ],
    "NllLossBackward0": [
        of(lambda x: F.nll_loss(x, integers(3, below=4)), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), ignore_index=1), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(3, below=4), uniform(4), reduction="none"), (3, 4)),
        of(lambda x: F.nll_loss(x, integers(below=4), reduction="sum"), (4,)),
    ],
    "NllLoss2DBackward0": [
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4)), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), uniform(4), ignore_index=1), (2, 4, 2, 3)),
        of(lambda x: F.nll_loss(x, integers(2, 2, 3, below=4), reduction="none"), (2, 4, 2, 3)),
    ],
    "ScaledDotProductFlashAttentionForCpuBackward0": [
        of(F.scaled_dot_product_attention, *[(2, 2, 3, 4)] * 3),
        of(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3), *[(1, 2, 3, 4)] * 3),
        of(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=~M), (1, 2, 3, 4), *[(1, 2, 4, 4)] * 2),
    ],
}
