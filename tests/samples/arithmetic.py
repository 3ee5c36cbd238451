"""Samples of operations that combine tensors entry by entry."""

import torch

from tests.samples.sample import Sample, entrywise, of, uniform

SAMPLES: dict[str, list[Sample]] = {
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
    "NativeDropoutBackward0": [
        of(lambda x: torch.native_dropout(x, 0.4, True)[0], (3, 4)),
        of(lambda x: torch.native_dropout(x, 0.0, True)[0], (2, 3, 4)),
        of(lambda x: torch.native_dropout(x, 1.0, True)[0], (4,)),
    ],
    "DivBackward2": [
        of(lambda x, y: torch.div(x, y, rounding_mode="floor"), (3, 4), (3, 4), low=0.2),
        of(lambda x, y: torch.div(x, y, rounding_mode="trunc"), (2, 1, 4), (3, 1), low=0.2),
        of(lambda x, y: torch.div(x, y, rounding_mode=None), (3, 4), (4,), low=0.2),
        of(lambda x: torch.div(x, 0.7, rounding_mode="floor"), ()),
    ],
    "LerpBackward1": [
        of(torch.lerp, (3, 4), (3, 4), (3, 4)),
        of(torch.lerp, (3, 1), (4,), (2, 1, 1)),
        of(lambda x, y: torch.lerp(x, y, uniform(4)), (4,), (4,)),
    ],
    "FillBackward1": [of(torch.fill, (3, 4), ()), of(torch.fill, (), ()), of(torch.fill, (0, 2), ())],
    "FillBackward3": [of(lambda x, v: x.clone().fill_(v), shape, ()) for shape in ((3, 4), (), (0, 2))],
    "BernoulliBackward1": [
        of(lambda x, p: x.clone().bernoulli_(p.detach()), (3, 4), (3, 4), low=0, high=1),
        of(lambda x, p: x.clone().bernoulli_(p), (3, 4), (3, 4), low=0, high=1),
        of(lambda x, p: x.clone().bernoulli_(p), (), (), low=0, high=1),
    ],
    "NormalBackward1": entrywise(lambda x: torch.normal(x, 1.0)),
    "NormalBackward2": entrywise(lambda x: torch.normal(0.0, x), 0, 2),
    "NormalBackward3": [
        of(torch.normal, (3, 4), (3, 4), low=0),
        of(torch.normal, (3, 4), (4,), low=0),
        of(torch.normal, (), (), low=0),
    ],
    "CopyBackwards": [
        of(lambda x, y: (x * 1).copy_(y), (3, 4), (3, 4)),
        of(lambda x, y: (x * 1).copy_(y), (3, 4), (4,)),
        of(lambda y: torch.zeros(()).copy_(y), ()),
    ],
}
