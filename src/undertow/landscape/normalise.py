"""How long a direction is made, so that slices of differently scaled networks can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from undertow.errors import LandscapeError

__all__ = ["Normalisation", "normalised"]

Normalisation = Literal["filter", "layer", "whole", "none"]

Direction = Mapping[str, Tensor]


def normalised(direction: Direction, weights: Direction, by: Normalisation) -> dict[str, Tensor]:
    """A direction scaled to the size of the weights.

    "filter" gives each slice of a weight along its first dimension (the filter of a unit) the norm that the weight's
    own slice has, "layer" each weight as a whole, "whole" all of them together. With "filter" and "layer", biases,
    the weights of normalisations and all other parameters of fewer than two dimensions are not moved: they have no
    filters, and moving them by their norm changes the function without any change of scale being undone.

    Raises:
        LandscapeError: There is no such normalisation.

    Source:
        Li, Xu, Taylor, Studer & Goldstein 2018, arXiv:1712.09913, section 4, and their code (`ignore='biasbn'`).
    """
    if by == "none":
        return dict(direction)
    if by == "whole":
        ratio = _norm(weights) / _norm(direction).clamp_min(torch.finfo(torch.float64).tiny)
        return {name: part * ratio.to(part.device, part.dtype) for name, part in direction.items()}
    if by not in ("filter", "layer"):
        raise LandscapeError(f"directions are normalised by 'filter', 'layer', 'whole' or 'none', not {by!r}")
    return {name: _scaled(part, weights[name], 1 if by == "filter" else 0) for name, part in direction.items()}


def _scaled(part: Tensor, weight: Tensor, kept: int) -> Tensor:
    if weight.ndim < 2:
        return torch.zeros_like(part)
    axes = tuple(range(kept, weight.ndim))
    sizes = torch.linalg.vector_norm(part, dim=axes, keepdim=True)
    wanted = torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
    scaled: Tensor = part * (wanted / sizes.clamp_min(torch.finfo(part.dtype).tiny))
    return scaled


def _norm(direction: Direction) -> Tensor:
    parts = [torch.linalg.vector_norm(part.double()).cpu() for part in direction.values()]
    whole: Tensor = torch.linalg.vector_norm(torch.stack(parts))
    return whole
