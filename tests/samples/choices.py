"""Samples of operations that choose, entry by entry, which input passes."""

import torch

from tests.samples.sample import M, Sample, entrywise, of

SAMPLES: dict[str, list[Sample]] = {
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
    "FmaxBackward0": [
        of(torch.fmax, (3, 4), (3, 4)),
        of(torch.fmax, (3, 4), (4,)),
        of(lambda x, y: torch.fmax(x * 0, y * 0), (3,), (3,)),
        of(lambda x, y: torch.fmax(x / 0 - x / 0, y), (3,), (3,)),
    ],
    "FminBackward0": [
        of(torch.fmin, (3, 4), (3, 4)),
        of(torch.fmin, (3, 4), (4,)),
        of(lambda x, y: torch.fmin(x * 0, y * 0), (3,), (3,)),
        of(lambda x, y: torch.fmin(x, y / 0 - y / 0), (3,), (3,)),
    ],
    "ClampMinBackward1": [
        of(torch.clamp_min, (3, 4), (3, 4)),
        of(torch.clamp_min, (3, 4), (4,)),
        of(lambda x, y: torch.clamp_min(x * 0, y * 0), (3,), (3,)),
    ],
    "ClampMaxBackward1": [
        of(torch.clamp_max, (3, 4), (3, 4)),
        of(torch.clamp_max, (3, 4), (4,)),
        of(lambda x, y: torch.clamp_max(x * 0, y * 0), (3,), (3,)),
    ],
    "ClampBackward0": [
        of(torch.clamp, (3, 4), (3, 4), (3, 4)),
        of(torch.clamp, (3, 4), (4,), (3, 1)),
        of(lambda x, low: torch.clamp(x, min=low), (3, 4), (4,)),
        of(lambda x, high: torch.clamp(x, max=high), (3, 4), (4,)),
        of(lambda x, y, z: torch.clamp(x * 0, y * 0, z * 0), (3,), (3,), (3,)),
    ],
    "CopysignBackward0": [
        of(torch.copysign, (3, 4), (3, 4)),
        of(torch.copysign, (3, 4), (4,)),
        of(lambda x, y: torch.copysign(x * 0, y), (3,), (3,)),
    ],
    "CopysignBackward1": entrywise(lambda x: torch.copysign(x, -2.0)),
    "NextafterBackward0": [
        of(torch.nextafter, (3, 4), (3, 4)),
        of(torch.nextafter, (3, 4), (4,)),
        of(lambda x: torch.nextafter(x, x), (3,)),
    ],
}
