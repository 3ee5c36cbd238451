"""Directions to look along: random, downhill, the sharpest, towards another solution, along a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from undertow.curvature import eigen
from undertow.errors import LandscapeError
from undertow.landscape.problem import Problem
from undertow.linear import hessian

__all__ = ["difference", "gradient", "principal", "random", "sharpest", "weights"]

Point = Mapping[str, Tensor]


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that are trained, by name."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def random(model: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Independent normal numbers, drawn on the CPU from this seed alone, so that they are the same on any device."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device)
        for name, p in weights(model).items()
    }


def gradient(problem: Problem) -> dict[str, Tensor]:
    """The gradient of the loss: uphill."""
    model = problem.prepared()
    with torch.enable_grad():
        inputs = _trained(model)
        found = torch.autograd.grad(_gathered_loss(problem, model), [*inputs.values()], allow_unused=True)
    pairs = zip(inputs.items(), found, strict=True)
    return {name: torch.zeros_like(p) if g is None else g.detach() for (name, p), g in pairs}


def sharpest(problem: Problem, count: int = 1) -> list[dict[str, Tensor]]:
    """Unit eigenvectors of the loss's Hessian with the largest eigenvalues, the largest first.

    Found by `undertow.curvature.eigen`. Fused attention has no second derivative on the CPU, so attention is written
    out here.
    """
    model = problem.prepared()
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        found = eigen(hessian(_gathered_loss(problem, model), _trained(model)), count)
    return [pair.vector for pair in found.pairs]


def difference(start: Point, end: Point) -> dict[str, Tensor]:
    """What must be added to one point to reach another: not normalised, since it leads to a real place.

    Raises:
        LandscapeError: The other point lacks a parameter, or has it in another shape.
    """
    unfit = [name for name, t in start.items() if name not in end or end[name].shape != t.shape]
    if unfit:
        raise LandscapeError(
            f"these points are not of one model: {', '.join(unfit[:3])} is missing or of another shape\n"
            "  Points are state dicts, or parameters by name, of the same architecture."
        )
    return {name: end[name].detach().to(tensor) - tensor for name, tensor in start.items()}


def principal(
    model: nn.Module, checkpoints: Sequence[Point], count: int = 2
) -> tuple[list[dict[str, Tensor]], list[float]]:
    """Unit principal directions of a trajectory about where the model is now, and the share of its spread along each.

    Raises:
        LandscapeError: There are fewer checkpoints, other than the model itself, than directions asked for.

    Source:
        Li et al. 2018, arXiv:1712.09913, section 7.
    """
    here = weights(model)
    steps = [difference(here, checkpoint) for checkpoint in checkpoints]
    names = [*here]
    rows = torch.stack([torch.cat([step[name].flatten().double().cpu() for name in names]) for step in steps])
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    order = values.argsort(descending=True)[:count]
    if len(order) < count or values[order[-1]] <= 1e-12 * values.max():
        raise LandscapeError(
            f"{len(checkpoints)} checkpoints do not span {count} directions\n"
            "  Pass more checkpoints of the run, other than the point that the model is at."
        )
    flat = torch.nn.functional.normalize(vectors[:, order].T @ rows, dim=1)
    shares = (values[order] / values.clamp_min(0).sum()).tolist()
    return [_unflat(row, here) for row in flat], shares


def _unflat(row: Tensor, like: Point) -> dict[str, Tensor]:
    parts = row.split([tensor.numel() for tensor in like.values()])
    return {name: part.reshape(t.shape).to(t) for (name, t), part in zip(like.items(), parts, strict=True)}


def _trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _gathered_loss(problem: Problem, model: nn.Module) -> Tensor:
    with torch.no_grad():
        problem.gathered(model)
    return problem.loss(model)
