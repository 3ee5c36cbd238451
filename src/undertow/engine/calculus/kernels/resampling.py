"""Through resampling, every dimension at once."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Kernel, Products, Wanted

__all__ = ["resampled"]


def resampled(operation: str, scales: tuple[str, ...], *, aligned: bool) -> Kernel:
    """By the backward kernel of the operation of this name, which may line up corners."""
    backward: Any = getattr(torch.ops.aten, operation + "_backward").default

    def kernel(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
        source = tuple(node._saved_self_sym_sizes)
        corners = (node._saved_align_corners,) if aligned else ()
        factors = [getattr(node, "_saved_" + scale) for scale in scales]
        return (backward(cotangents[0], cotangents[0].shape[-len(scales) :], source, *corners, *factors),)

    return kernel
