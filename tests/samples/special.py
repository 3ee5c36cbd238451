"""Samples of special functions."""

import torch

from tests.samples.sample import Sample, at, entrywise

SAMPLES: dict[str, list[Sample]] = {
    "LgammaBackward0": entrywise(torch.lgamma, 0.1, 4),
    "DigammaBackward0": entrywise(torch.digamma, 0.1, 4),
    "PolygammaBackward0": [
        *entrywise(lambda x: torch.polygamma(1, x), 0.1, 4),
        at(lambda x: torch.polygamma(2, x), 0.5),
    ],
    "MvlgammaBackward0": [*entrywise(lambda x: torch.mvlgamma(x, 3), 1.1, 4), at(lambda x: torch.mvlgamma(x, 1), 0.5)],
    "ErfinvBackward0": entrywise(torch.erfinv, -0.9, 0.9),
    "SpecialErfcxBackward0": entrywise(torch.special.erfcx),
    "SpecialNdtriBackward0": entrywise(torch.special.ndtri, 0.1, 0.9),
    "SpecialLogNdtrBackward0": [*entrywise(torch.special.log_ndtr), at(torch.special.log_ndtr, -30.0, 30.0)],
    "LogitBackward0": [
        *entrywise(torch.logit, 0.1, 0.9),
        *entrywise(lambda x: torch.logit(x, 0.2), 0.01, 0.99),
        at(lambda x: torch.logit(x, 0.25), 0.25, 0.75),
    ],
    "SincBackward0": [*entrywise(torch.sinc), at(torch.sinc, 0.0, 1.0)],
    "SpecialEntrBackward0": entrywise(torch.special.entr, 0.1, 3),
    "I0Backward0": [*entrywise(torch.i0), at(torch.i0, 0.0)],
    "SpecialI0EBackward0": [*entrywise(torch.special.i0e), at(torch.special.i0e, 0.0)],
    "SpecialI1Backward0": [*entrywise(torch.special.i1), at(torch.special.i1, 0.0)],
    "SpecialI1EBackward0": [*entrywise(torch.special.i1e), at(torch.special.i1e, 0.0)],
}
