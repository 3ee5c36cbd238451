"""Samples of views and other moves."""

import torch
import torch.nn.functional as F

from tests.samples.sample import Sample, entrywise, of, uniform

SAMPLES: dict[str, list[Sample]] = {
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
    "UnsafeSplitBackward0": [
        of(lambda x: x.unsafe_split(3, 1), (2, 7)),
        of(lambda x: x.unsafe_chunk(2, -1), (2, 3, 4)),
        of(lambda x: x.unsafe_split(5), (3,)),
    ],
    "UnsafeSplitWithSizesBackward0": [
        of(lambda x: x.unsafe_split_with_sizes([1, 3], 1), (2, 4)),
        of(lambda x: x.unsafe_split_with_sizes([2, 0, 1], -1), (2, 3)),
        of(lambda x: x.unsafe_split_with_sizes([3]), (3,)),
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
        of(lambda x, y: torch.cat([uniform(2, 3), x, uniform(2, 1), y, uniform(2, 2)], -1), (2, 2), (2, 1)),
        of(lambda x, y: torch.cat([uniform(0), x, uniform(2, 2), y]), (3, 2), (0,)),
        of(lambda x, y: torch.cat([uniform(2, 0, 3), x, y], 1), (2, 0, 3), (2, 2, 3)),
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
}
