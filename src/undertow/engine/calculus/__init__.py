"""The local derivative of each operation, stated once."""

from undertow.engine.calculus import (
    activations,
    arithmetic,
    attention,
    choices,
    convolutions,
    entrywise,
    losses,
    normalizations,
    pairs,
    picks,
    products,
    reductions,
    shapes,
    special,
)
from undertow.engine.calculus.table import CALCULUS, KERNELS, Local, Rule, derivative, elementwise, masked, pulled_by

__all__ = [
    "CALCULUS",
    "KERNELS",
    "Local",
    "Rule",
    "activations",
    "arithmetic",
    "attention",
    "choices",
    "convolutions",
    "derivative",
    "elementwise",
    "entrywise",
    "losses",
    "masked",
    "normalizations",
    "pairs",
    "picks",
    "products",
    "pulled_by",
    "reductions",
    "shapes",
    "special",
]
