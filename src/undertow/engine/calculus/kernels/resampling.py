"""Through resampling, every dimension at once, and through sampling at points."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Kernel, Products, Wanted

__all__ = ["grid_sample", "resampled"]


def resampled(operation: str, scales: tuple[str, ...], *, aligned: bool) -> Kernel:
    """By the backward kernel of the operation of this name, which may line up corners."""
    backward: Any = getattr(torch.ops.aten, operation + "_backward").default

    def kernel(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
        source = tuple(node._saved_self_sym_sizes)
        corners = (node._saved_align_corners,) if aligned else ()
        factors = [getattr(node, "_saved_" + scale) for scale in scales]
        return (backward(cotangents[0], cotangents[0].shape[-len(scales) :], source, *corners, *factors),)

    return kernel


grid_sampler_2d_backward: Any = torch.ops.aten.grid_sampler_2d_backward.default
grid_sampler_3d_backward: Any = torch.ops.aten.grid_sampler_3d_backward.default


def grid_sample(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products:
    x, mode = node._saved_input, node._saved_interpolation_mode
    backward = grid_sampler_2d_backward if x.ndim == 4 else grid_sampler_3d_backward
    rest = node._saved_grid, mode, node._saved_padding_mode, node._saved_align_corners
    answer: Products = backward(cotangents[0], x, *rest, wanted)
    return answer
