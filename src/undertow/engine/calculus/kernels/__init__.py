"""PyTorch's fused products: what pulls a cotangent to all inputs of an operation in one go.

A kernel says nothing new: its operation's rule states the local derivative, and a test holds the two together.
It is used where all that is asked for is the gradient. It takes PyTorch's node, the cotangent of each output,
of which the first is present, and for each input whether its product is wanted; it answers with one product
for each input, or with `None` where the kernel does not apply and the maps have to do.
"""

from undertow.engine.calculus.kernels import (
    arithmetic,
    attention,
    convolutions,
    entrywise,
    losses,
    normalizations,
    products,
    recurrences,
    resampling,
    shapes,
)
from undertow.engine.calculus.kernels.kernel import Kernel

__all__ = [
    "Kernel",
    "arithmetic",
    "attention",
    "convolutions",
    "entrywise",
    "losses",
    "normalizations",
    "products",
    "recurrences",
    "resampling",
    "shapes",
]
