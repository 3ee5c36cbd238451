"""The trace of a curvature by the surest way that leads to it: by sweeps, or by random probes, or by either in part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from undertow.curvature.controlled import controlled
from undertow.curvature.straight import beside, straight
from undertow.curvature.swept import Swept, swept
from undertow.curvature.trace import Trace, estimate, trace
from undertow.errors import MissingRuleError
from undertow.linear import gauss_newton, hessian
from undertow.noise import Estimate
from undertow.noise.estimate import total

if TYPE_CHECKING:
    from undertow.curvature.curvature import Curvature

__all__ = ["traced"]

NOTHING = torch.zeros(0, 1, dtype=torch.float64)


def traced(curved: Curvature, products: int) -> Trace:
    """Its trace, with so many products or sweeps at most for either part."""
    parameters = {name: p for name, p in curved.model.named_parameters() if p.requires_grad}
    served = [*parameters] if curved.of == "gauss-newton" else _straight(curved, parameters)
    found = swept(curved.model, curved.loss, curved.outputs, products)
    if found is None:
        return trace(curved.operator, products)
    parts = {name: _told(found, found.rows[name]) for name in served}
    whole = _told(found, torch.stack([found.rows[name] for name in served]).sum(0))
    rest = {name: p for name, p in parameters.items() if name not in parts}
    if not rest:
        return Trace(whole, parts, found.sweeps, _how(curved, found))
    probed = _probed(curved, found, rest, products)
    if not parts:
        return replace(probed, products=found.sweeps + probed.products)
    by_tensor = {name: (parts | {**probed.by_tensor})[name] for name in parameters}
    how = f"{len(parts)} of {len(parameters)} tensors {_how(curved, found)}; the others {probed.how}"
    return Trace(total([whole, probed.whole]), by_tensor, found.sweeps + probed.products, how)


def _probed(curved: Curvature, found: Swept, rest: Mapping[str, Tensor], products: int) -> Trace:
    """The blocks of some tensors by probes, with the help of the Gauss-Newton matrix where its trace is exact."""
    operator = hessian(curved.loss, rest)
    if not found.exact:
        return trace(operator, products)
    try:
        near = gauss_newton(curved.loss, [*curved.outputs], rest)
        return controlled(operator, near, {name: _told(found, found.rows[name]) for name in rest}, products)
    except MissingRuleError:
        return trace(operator, products)


def _straight(curved: Curvature, parameters: Mapping[str, Tensor]) -> list[str]:
    """Those by which the diagonal of the Hessian is that of its Gauss-Newton part."""
    outputs = [output for output in curved.outputs if isinstance(output, Tensor) and output.requires_grad]
    if len(outputs) != len(curved.outputs) or any(output.is_complex() for output in outputs):
        return []
    able = straight(outputs, parameters) - beside(curved.loss, outputs, parameters)
    return [name for name in parameters if name in able]


def _told(found: Swept, rows: Tensor) -> Estimate:
    return Estimate(float(rows), 0.0) if found.exact else estimate(NOTHING, rows[:, None])


def _how(curved: Curvature, found: Swept) -> str:
    way = f"exact, by {found.sweeps} sweeps" if found.exact else f"by {found.sweeps} sweeps of random sums"
    if curved.of == "gauss-newton":
        return way
    return f"{way}: the outputs are piecewise linear in each number, so the diagonal is the Gauss-Newton matrix's"
