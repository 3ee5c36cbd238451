"""Small forward passes of each node type that has a rule: a plain one, a broadcast or batched one, an edge.

One file for each file of rules in `undertow.engine.calculus`.
"""

from tests.samples import (
    activations,
    arithmetic,
    attention,
    choices,
    convolutions,
    cumulative,
    diagonals,
    entrywise,
    inplace,
    losses,
    normalizations,
    norms,
    orderings,
    pairs,
    picks,
    pooling,
    products,
    recurrences,
    reductions,
    resampling,
    sampling,
    scatters,
    segments,
    shapes,
    special,
    windows,
)
from tests.samples.sample import Sample

__all__ = ["FILES", "SAMPLES", "Sample"]

FILES = [
    activations,
    arithmetic,
    attention,
    choices,
    convolutions,
    cumulative,
    diagonals,
    entrywise,
    inplace,
    losses,
    normalizations,
    norms,
    orderings,
    pairs,
    picks,
    pooling,
    products,
    recurrences,
    reductions,
    resampling,
    sampling,
    scatters,
    segments,
    shapes,
    special,
    windows,
]

SAMPLES: dict[str, list[Sample]] = {name: samples for file in FILES for name, samples in file.SAMPLES.items()}
