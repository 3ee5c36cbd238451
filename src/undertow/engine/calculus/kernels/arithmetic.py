"""Through what combines tensors entry by entry: a number or a small tensor is not spread out, the product is summed."""

from __future__ import annotations

from typing import Any

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted

__all__ = ["add", "div", "mul"]


def add(node: Any, cotangents: Cotangents, _: Wanted) -> Products | None:
    return (cotangents[0], cotangents[0]) if node._saved_alpha == 1 else None


def mul(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    cotangent = cotangents[0]
    if cotangent.is_complex():
        return None
    return (
        cotangent * node._saved_other if wanted[0] else None,
        cotangent * node._saved_self if wanted[1] else None,
    )


def div(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    cotangent, below = cotangents[0], node._saved_other
    if cotangent.is_complex():
        return None
    return (
        cotangent / below if wanted[0] else None,
        -cotangent * (node._saved_self / below / below) if wanted[1] else None,
    )
