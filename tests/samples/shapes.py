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
    "ConstantPadNdBackward0": [
        of(lambda x: F.pad(x, (1, 2)), (3, 4)),
        of(lambda x: F.pad(x, (1, 0, 2, 1)), (2, 3, 4)),
        of(lambda x: F.pad(x, (0, 0)), (3,)),
        of(lambda x: F.pad(x, (-1, 2, 1, -2)), (4, 5)),
    ],
    "SqueezeBackward3": [of(lambda x: x.clone().squeeze_(), shape) for shape in ((1, 3, 1), (3, 4), ())],
    "SqueezeBackward4": [of(lambda x: x.clone().squeeze_(0), shape) for shape in ((1, 3, 1), (3, 4), ())],
    "SqueezeBackward5": [of(lambda x: x.clone().squeeze_((0, -1)), shape) for shape in ((1, 3, 1), (3, 1), (2, 3))],
    "UnsqueezeBackward1": [of(lambda x: x.clone().unsqueeze_(-1), shape) for shape in ((3, 4), (2, 3, 4), ())],
    "TBackward1": [of(lambda x: x.clone().t_(), shape) for shape in ((3, 4), (4,), (0, 2))],
    "TransposeBackward1": [of(lambda x: x.clone().transpose_(0, -1), shape) for shape in ((3, 4), (2, 3, 4), ())],
    "NarrowCopyBackward0": [
        of(lambda x: torch.narrow_copy(x, 1, 1, 2), (3, 4)),
        of(lambda x: torch.narrow_copy(x, -1, 2, 2), (2, 3, 4)),
        of(lambda x: torch.narrow_copy(x, 0, 0, 0), (3,)),
    ],
    "Rot90Backward0": [of(lambda x, k=k: torch.rot90(x, k, (0, -1)), (2, 3, 4)) for k in (0, 1, 2, -1)],
    "ChannelShuffleBackward0": [
        of(lambda x: F.channel_shuffle(x, 2), (2, 4, 3, 2)),
        of(lambda x: F.channel_shuffle(x, 3), (1, 6, 2)),
        of(lambda x: F.channel_shuffle(x, 1), (1, 2, 1, 1)),
    ],
    "PixelShuffleBackward0": [
        of(lambda x: F.pixel_shuffle(x, 2), (2, 8, 2, 3)),
        of(lambda x: F.pixel_shuffle(x, 3), (9, 1, 2)),
        of(lambda x: F.pixel_shuffle(x, 1), (2, 3, 2, 2)),
    ],
    "PixelUnshuffleBackward0": [
        of(lambda x: F.pixel_unshuffle(x, 2), (2, 2, 4, 6)),
        of(lambda x: F.pixel_unshuffle(x, 3), (1, 3, 6)),
        of(lambda x: F.pixel_unshuffle(x, 1), (2, 3, 2, 2)),
    ],
    # the copies that functionalisation makes of views
    "AliasBackward0_copy": entrywise(torch.alias_copy),
    "ViewBackward0_copy": [of(lambda x: torch.view_copy(x, (-1,)), shape) for shape in ((3, 4), (), (2, 3, 2))],
    "ExpandBackward0_copy": [of(lambda x: torch.expand_copy(x, (2, 3)), shape) for shape in ((3,), (2, 1), ())],
    "TBackward0_copy": [of(torch.t_copy, shape) for shape in ((3, 4), (4,), (0, 2))],
    "TransposeBackward0_copy": [of(lambda x: torch.transpose_copy(x, 0, -1), s) for s in ((3, 4), (2, 3, 4), ())],
    "PermuteBackward0_copy": [of(lambda x: torch.permute_copy(x, (-1, 0)), s) for s in ((3, 4), (1, 2), (0, 2))],
    "SelectBackward0_copy": [of(lambda x: torch.select_copy(x, -1, 0), s) for s in ((3, 4), (2, 3, 4), (1,))],
    "SliceBackward0_copy": [of(lambda x: torch.slice_copy(x, 0, 1, 3, 2), s) for s in ((3, 4), (4,), (2, 2, 2))],
    "SplitBackward0_copy": [of(lambda x: torch.split_copy(x, 2), s) for s in ((3, 4), (2,), (4, 1))],
    "SplitWithSizesBackward0_copy": [
        of(lambda x: torch.split_with_sizes_copy(x, [1, 2]), s) for s in ((3, 4), (3,), (3, 1, 2))
    ],
    "UnbindBackward0_copy": [of(torch.unbind_copy, s) for s in ((3, 4), (1,), (2, 3, 2))],
    "SqueezeBackward0_copy": [of(torch.squeeze_copy, s) for s in ((1, 3, 1), (3, 4), ())],
    "SqueezeBackward1_copy": [of(lambda x: torch.squeeze_copy(x, 0), s) for s in ((1, 3, 1), (3, 4), ())],
    "SqueezeBackward2_copy": [of(lambda x: torch.squeeze_copy(x, (0, -1)), s) for s in ((1, 3, 1), (3, 1), (2, 3))],
    "UnsqueezeBackward0_copy": [of(lambda x: torch.unsqueeze_copy(x, -1), s) for s in ((3, 4), (2, 3, 4), ())],
}
