"""The layers of torch.nn, one family each."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from tests.families.family import Family
from tests.families.fed import fed
from tests.samples.sample import integers

__all__ = ["ELSEWHERE", "LAYERS"]

LINE, PLANE, BOX = (2, 4, 8), (2, 4, 6, 7), (2, 4, 5, 6, 5)
SPACES = {1: LINE, 2: PLANE, 3: BOX}
MATRIX, SEQUENCE, MEMORY = (3, 6), (5, 2, 8), (4, 2, 8)

ELSEWHERE = {
    "Module, Container, Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict": "hold layers or numbers",
    "RNNBase, RNNCellBase": "what recurrent layers have in common",
    "RNN, GRU, LSTM, RNNCell, GRUCell, LSTMCell": "recurrent models",
    "DataParallel, SyncBatchNorm": "run on a GPU only",
    "NLLLoss2d": "an old name of NLLLoss",
}
"""Modules of torch.nn that are no families of layers, and why. Lazy layers become the ones they stand for."""

ENTRYWISE = """
CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish PReLU RReLU ReLU ReLU6 SELU SiLU
Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink Dropout AlphaDropout Identity Flatten
"""

PADDING = {"CircularPad": (1, 2), "ReflectionPad": (1, 2), "ReplicationPad": (1, 2), "ZeroPad": (1, -1)}

BATCHED = {"stride_dilation": {"stride": 2, "dilation": 2}, "grouped": {"groups": 2, "bias": False}}


def each(build, dims=(1, 2, 3)):
    """A family for each number of dimensions that a layer comes in."""
    return {name: family for d in dims for name, family in build(d).items()}


def convolutions(d: int) -> dict[str, Family]:
    def of(name, **variants):
        return fed(partial(getattr(nn, f"{name}{d}d"), 4, 6, 3), SPACES[d], plain={}, **BATCHED, **variants)

    modes = {mode: {"padding": 1, "padding_mode": mode} for mode in ("reflect", "replicate", "circular")}
    return {
        f"Conv{d}d": of("Conv", same={"padding": "same"}, **modes),
        f"ConvTranspose{d}d": of("ConvTranspose", padded={"stride": 2, "padding": 1, "output_padding": 1}),
    }


def pools(d: int) -> dict[str, Family]:
    def of(name, *arguments, **variants):
        return fed(partial(getattr(nn, f"{name}{d}d"), *arguments), SPACES[d], **variants)

    where = (torch.arange(torch.Size(SPACES[d][2:]).numel()) * 2**d).reshape(SPACES[d][2:]).expand(SPACES[d])
    return {
        f"AdaptiveAvgPool{d}d": of("AdaptiveAvgPool", 3),
        f"AdaptiveMaxPool{d}d": of("AdaptiveMaxPool", 3),
        f"AvgPool{d}d": of("AvgPool", 2, plain={}, padded={"padding": 1, "ceil_mode": True}),
        f"LPPool{d}d": of("LPPool", 2, 2),
        f"MaxPool{d}d": of("MaxPool", 3, plain={}, padded={"padding": 1, "stride": 2, "ceil_mode": True}),
        f"MaxUnpool{d}d": fed(partial(getattr(nn, f"MaxUnpool{d}d"), 2), SPACES[d], where),
        **({f"FractionalMaxPool{d}d": of("FractionalMaxPool", 2, plain={"output_size": 2})} if d > 1 else {}),
    }


def normalisations(d: int) -> dict[str, Family]:
    return {
        f"BatchNorm{d}d": fed(partial(getattr(nn, f"BatchNorm{d}d"), 4), SPACES[d], plain={}, bare={"affine": False}),
        f"InstanceNorm{d}d": fed(
            partial(getattr(nn, f"InstanceNorm{d}d"), 4), SPACES[d], plain={}, affine={"affine": True}
        ),
        f"Dropout{d}d": fed(getattr(nn, f"Dropout{d}d"), SPACES[d]),
    }


def paddings(d: int) -> dict[str, Family]:
    found = {
        f"{name}{d}d": fed(partial(getattr(nn, f"{name}{d}d"), sides * d), SPACES[d]) for name, sides in PADDING.items()
    }
    return found | {f"ConstantPad{d}d": fed(partial(getattr(nn, f"ConstantPad{d}d"), (1, 2) * d, 0.5), SPACES[d])}


def upsampling() -> dict[str, Family]:
    kinds = {"nearest": LINE, "nearest-exact": PLANE, "linear": LINE, "bilinear": PLANE, "bicubic": PLANE}
    kinds |= {"trilinear": BOX, "area": PLANE}
    found = {f"Upsample {mode}": fed(partial(nn.Upsample, scale_factor=2, mode=mode), x) for mode, x in kinds.items()}
    found |= {f"Upsample nearest {d}d": fed(partial(nn.Upsample, scale_factor=2), SPACES[d]) for d in (2, 3)}
    return found | {
        "UpsamplingBilinear2d": fed(partial(nn.UpsamplingBilinear2d, scale_factor=2), PLANE),
        "UpsamplingNearest2d": fed(partial(nn.UpsamplingNearest2d, scale_factor=2), PLANE),
    }


def transformers() -> dict[str, Family]:
    sides = {"dim_feedforward": 12, "dropout": 0.1}
    encoder = partial(nn.TransformerEncoderLayer, 8, 2, **sides)
    decoder = partial(nn.TransformerDecoderLayer, 8, 2, **sides)
    kinds = {"plain": {}, "gelu_first": {"activation": "gelu", "norm_first": True}}
    return {
        "MultiheadAttention": fed(
            partial(nn.MultiheadAttention, 8, 2), SEQUENCE, MEMORY, MEMORY, plain={}, dropout={"dropout": 0.1}
        ),
        "TransformerEncoderLayer": fed(encoder, SEQUENCE, **kinds),
        "TransformerDecoderLayer": fed(decoder, SEQUENCE, MEMORY, **kinds),
        "TransformerEncoder": fed(lambda: nn.TransformerEncoder(encoder(), 1, enable_nested_tensor=False), SEQUENCE),
        "TransformerDecoder": fed(lambda: nn.TransformerDecoder(decoder(), 1), SEQUENCE, MEMORY),
        "Transformer": fed(lambda: transformer(sides), MEMORY, SEQUENCE),
    }


def transformer(sides: dict[str, float]) -> nn.Module:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, **sides), 1, enable_nested_tensor=False)
    return nn.Transformer(8, 2, 1, 1, custom_encoder=encoder, **sides)


WORDS = integers(2, 5, below=7)

LAYERS: dict[str, Family] = {
    **{name: fed(getattr(nn, name), (2, 3, 4)) for name in ENTRYWISE.split()},
    "GELU": fed(nn.GELU, MATRIX, plain={}, tanh={"approximate": "tanh"}),
    "GLU": fed(nn.GLU, MATRIX),
    "Threshold": fed(partial(nn.Threshold, 0.1, 0.5), MATRIX),
    **{name: fed(partial(getattr(nn, name), -1), MATRIX) for name in ("Softmax", "LogSoftmax", "Softmin")},
    "Softmax2d": fed(nn.Softmax2d, PLANE),
    "Linear": fed(partial(nn.Linear, 6, 4), (2, *MATRIX), plain={}, bare={"bias": False}),
    "Bilinear": fed(partial(nn.Bilinear, 6, 5, 4), MATRIX, (3, 5)),
    "CosineSimilarity": fed(nn.CosineSimilarity, MATRIX, MATRIX),
    "PairwiseDistance": fed(nn.PairwiseDistance, MATRIX, MATRIX),
    "Unflatten": fed(partial(nn.Unflatten, 1, (2, 3)), MATRIX),
    "FeatureAlphaDropout": fed(nn.FeatureAlphaDropout, PLANE),
    "ChannelShuffle": fed(partial(nn.ChannelShuffle, 2), PLANE),
    "PixelShuffle": fed(partial(nn.PixelShuffle, 2), PLANE),
    "PixelUnshuffle": fed(partial(nn.PixelUnshuffle, 2), (2, 1, 4, 6)),
    "Unfold": fed(partial(nn.Unfold, 2), PLANE),
    "Fold": fed(partial(nn.Fold, (4, 5), 2), (2, 8, 12)),
    "CrossMapLRN2d": fed(partial(nn.CrossMapLRN2d, 2), PLANE),
    "LocalResponseNorm": fed(partial(nn.LocalResponseNorm, 2), PLANE),
    "GroupNorm": fed(partial(nn.GroupNorm, 2, 4), PLANE, plain={}, bare={"affine": False}),
    "LayerNorm": fed(partial(nn.LayerNorm, 6), MATRIX, plain={}, bare={"elementwise_affine": False}),
    "RMSNorm": fed(partial(nn.RMSNorm, 6), MATRIX, plain={}, bare={"elementwise_affine": False}),
    "Embedding": fed(
        partial(nn.Embedding, 7, 4), WORDS, plain={}, padded={"padding_idx": 2, "scale_grad_by_freq": True}
    ),
    "Embedding, sparse gradients": fed(partial(nn.Embedding, 7, 4, sparse=True), WORDS),
    "EmbeddingBag": fed(
        partial(nn.EmbeddingBag, 7, 4), WORDS, **{mode: {"mode": mode} for mode in ("sum", "mean", "max")}
    ),
    **each(convolutions),
    **each(pools),
    **each(normalisations),
    **each(paddings),
    **upsampling(),
    **transformers(),
}
