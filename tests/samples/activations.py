"""Samples of activation functions."""

import torch.nn.functional as F

from tests.samples.sample import Sample, at, entrywise, of

SAMPLES: dict[str, list[Sample]] = {
    "LogSigmoidBackward0": entrywise(F.logsigmoid),
    "ReluBackward0": [*entrywise(F.relu), at(F.relu, 0.0, 1.0), of(lambda x: F.relu_(x.clone()), (3,))],
    "ThresholdBackward0": [*entrywise(lambda x: F.threshold(x, 0.5, 0.1)), at(lambda x: F.threshold(x, 0.5, 9), 0.5)],
    "ThresholdBackward1": entrywise(lambda x: F.threshold_(x.clone(), 0.5, 0.1)),
    "HardtanhBackward0": [*entrywise(F.hardtanh), at(F.hardtanh, -1.0, 1.0), of(F.relu6, (3,), high=9)],
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
    "HardshrinkBackward0": [*entrywise(F.hardshrink), at(F.hardshrink, -0.5, 0.5, 0.0)],
    "SoftshrinkBackward0": [*entrywise(F.softshrink), at(F.softshrink, -0.5, 0.5, 0.0)],
    "PreluKernelBackward0": [
        of(F.prelu, (2, 3, 4), (3,)),
        of(F.prelu, (3, 4), (1,)),
        of(lambda x, w: F.prelu(x * 0, w), (3, 4), (1,)),
        of(lambda x, w: F.prelu(x.detach(), w), (3, 4), (4,)),
    ],
    "RreluWithNoiseBackward0": [
        of(lambda x: F.rrelu(x, training=True), (3, 4)),
        of(F.rrelu, (2, 3, 4)),
        of(lambda x: F.rrelu(x, 0.2, 0.2, training=True), ()),
    ],
    "RreluWithNoiseBackward1": [
        of(lambda x: F.rrelu_(x.clone(), training=True), (3, 4)),
        of(lambda x: F.rrelu_(x.clone()), (2, 3, 4)),
        of(lambda x: F.rrelu_(x.clone(), 0.2, 0.2, training=True), ()),
    ],
    "GluBackward0": [of(F.glu, (3, 4)), of(lambda x: F.glu(x, 1), (2, 4, 3)), of(F.glu, (2, 0))],
}
