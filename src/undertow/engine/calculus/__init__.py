"""The local derivative of each operation, stated once."""

from undertow.engine.calculus import (
    arithmetic,
    attention,
    convolutions,
    entrywise,
    losses,
    normalizations,
    picks,
    products,
    reductions,
    shapes,
)
from undertow.engine.calculus.table import CALCULUS, KERNELS, Local, Rule, derivative, elementwise, masked, pulled_by

__all__ = [
    "CALCULUS",
    "KERNELS",
    "Local",
    "Rule",
    "arithmetic",
    "attention",
    "convolutions",
    "derivative",
    "elementwise",
    "entrywise",
    "losses",
    "masked",
    "normalizations",
    "picks",
    "products",
    "pulled_by",
    "reductions",
    "shapes",
]
