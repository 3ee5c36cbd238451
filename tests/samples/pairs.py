"""Samples of functions of two numbers, entry by entry."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.samples.sample import Sample, entrywise, of, uniform


def both(run: Callable[..., Tensor], low: float = -2.0) -> list[Sample]:
    """Two tensors alike, one broadcast, one that is fixed, and none."""
    return [
        of(run, (3, 4), (3, 4), low=low),
        of(run, (3, 4), (4,), low=low),
        of(lambda x, y: run(x, y.detach()), (), (), low=low),
        of(run, (0, 2), (2,), low=low),
        of(run, (3, 1), (4,), low=low),
    ]


SAMPLES: dict[str, list[Sample]] = {
    "Atan2Backward0": [*both(torch.atan2), of(lambda x, y: torch.atan2(x * 0, y * 0), (3,), (3,))],
    "HypotBackward0": both(torch.hypot),
    "FmodBackward1": both(torch.fmod),
    "RemainderBackward1": both(torch.remainder),
    "LogaddexpBackward0": [*both(torch.logaddexp), of(lambda x, y: torch.logaddexp(x * 1e3, y), (3,), (3,))],
    "Logaddexp2Backward0": [*both(torch.logaddexp2), of(lambda x, y: torch.logaddexp2(x * 1e3, y), (3,), (3,))],
    "LdexpBackward0": both(torch.ldexp),
    "XlogyBackward0": [*both(torch.xlogy, 0.1), of(lambda x, y: torch.xlogy(x * 0, y - 1), (3,), (3,), low=0)],
    "XlogyBackward1": entrywise(lambda y: torch.xlogy(2.5, y), 0.1),
    "XlogyBackward2": [*entrywise(lambda x: torch.xlogy(x, 2.5)), of(lambda x: torch.xlogy(x * 0, 0.0), (3,))],
    "SpecialXlog1PyBackward0": [
        *both(torch.special.xlog1py, -0.9),
        of(lambda x, y: torch.special.xlog1py(x * 0, y * 0 - 1), (3,), (3,)),
    ],
    "SpecialXlog1PyBackward1": entrywise(lambda y: torch.special.xlog1py(2.5, y), -0.9),
    "SpecialXlog1PyBackward2": [
        *entrywise(lambda x: torch.special.xlog1py(x, 2.5)),
        of(lambda x: torch.special.xlog1py(x * 0, -1.0), (3,)),
    ],
    "SpecialZetaBackward0": [
        of(lambda q: torch.special.zeta(uniform(3, 4) + 1.5, q), (3, 4), low=0.1),
        of(lambda q: torch.special.zeta(uniform(3, 4) + 1.5, q), (4,), low=0.1),
        of(lambda q: torch.special.zeta(uniform() + 1.5, q), (), low=0.1),
    ],
    "SpecialZetaBackward1": entrywise(lambda q: torch.special.zeta(2.5, q), 0.1),
    "IgammaBackward0": [
        of(lambda x: torch.igamma(uniform(3, 4) + 0.5, x), (3, 4), low=0.1),
        of(lambda x: torch.igamma(uniform(3, 4) + 0.5, x), (4,), low=0.1),
        of(lambda x: torch.igamma(uniform() + 0.5, x), (), low=0.1),
    ],
    "IgammacBackward0": [
        of(lambda x: torch.igammac(uniform(3, 4) + 0.5, x), (3, 4), low=0.1),
        of(lambda x: torch.igammac(uniform(3, 4) + 0.5, x), (4,), low=0.1),
        of(lambda x: torch.igammac(uniform() + 0.5, x), (), low=0.1),
    ],
}
