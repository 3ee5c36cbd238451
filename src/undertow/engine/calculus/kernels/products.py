"""Through matrix products, without a map for each factor in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted
from undertow.engine.maps.matmul import times

__all__ = ["addmm", "bmm", "mm"]


def mm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    cotangent = cotangents[0]
    if cotangent.is_complex():
        return None
    return (
        times(cotangent, node._saved_mat2.t()) if wanted[0] else None,
        _by_right(node._saved_self, cotangent, node._saved_mat2_sym_strides) if wanted[1] else None,
    )


def addmm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    cotangent = cotangents[0]
    if cotangent.is_complex() or node._saved_alpha != 1 or node._saved_beta != 1:
        return None
    return (
        cotangent,
        times(cotangent, node._saved_mat2.t()) if wanted[1] else None,
        _by_right(node._saved_mat1, cotangent, node._saved_mat2_sym_strides) if wanted[2] else None,
    )


def bmm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    cotangent = cotangents[0]
    if cotangent.is_complex():
        return None
    return (
        cotangent.bmm(node._saved_mat2.mT) if wanted[0] else None,
        node._saved_self.mT.bmm(cotangent) if wanted[1] else None,
    )


def _by_right(left: Tensor, cotangent: Tensor, strides: Sequence[int]) -> Tensor:
    """How left · right answers to the right factor, laid out in memory as that factor is, so that it can be `.grad`."""
    if strides[0] == 1 and strides[1] == left.shape[1]:
        return times(cotangent.t(), left).t()
    return times(left.t(), cotangent)
