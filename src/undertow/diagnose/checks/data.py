"""Faults of the data, as the network meets them."""

from __future__ import annotations

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import InputScale

__all__: list[str] = []

LARGE = 10.0
"""Root mean square of the inputs: weights are made for 1."""

UNEQUAL = 100.0
"""Spread of the widest features over the narrowest."""


@diagnosis(
    "UT501",
    "unscaled-inputs",
    message="the inputs of {where} lie between {low:.3g} and {high:.3g} (root mean square {rms:.3g}){unequal}, "
    "and weights are made for about 1",
    advice="Standardise each feature to mean 0 and deviation 1 (for images: divide by 255), "
    "or begin with a normalisation layer.",
    explains=("UT102", "UT201", "UT202", "UT301", "UT701", "UT801"),
    source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
)
def unscaled_inputs(case: Case) -> Found:
    """Inputs of a size, or of sizes, that initial weights are not made for.

    ## What it means
    The first layer's outputs and gradients grow with its inputs: activations saturate or die, the steps of the
    first layer are far too large for it, and features of small scale are not heard beside those of large scale.

    ## When it is harmless
    Behind a normalisation layer (then it is not reported), and where the loss falls all the same (a remark).

    ## What to do
    Standardise, with the statistics of the training set.
    """
    scales = [(p, i) for p in case.passes[:4] for i in p.inputs if _is_data(p.head.operations, i)]
    if not scales:
        return
    observed, scale = max(scales, key=lambda item: _badness(item[1]))
    if _badness(scale) < 1:
        return
    ratio = scale.spread_high / scale.spread_low if scale.spread_low > 0 else 1.0
    yield case.place(observed, scale.operation) | {
        "low": scale.low,
        "high": scale.high,
        "rms": scale.rms,
        "mean": scale.mean,
        "spread_ratio": ratio,
        "unequal": f", its features' spreads {ratio:.0f}-fold apart" if ratio > UNEQUAL else "",
        "harm": case.harm(0.95, 0.3, 0.1, 0.6),
    }


def _is_data(head: tuple[int, ...], scale: InputScale) -> bool:
    return scale.operation not in head and len(scale.shape) > 1


def _badness(scale: InputScale) -> float:
    """1 at the threshold: too large altogether, or features far apart where some are large."""
    ratio = scale.spread_high / scale.spread_low if scale.spread_low > 0 else 1.0
    apart = ratio / UNEQUAL if scale.rms > 3 else 0.0
    return max(scale.rms / LARGE, apart)
