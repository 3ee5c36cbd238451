"""`undertow.precision`: would this model train in that dtype, and with which loss scale?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undertow.engine.algebras import Narrowed, Rounded
from undertow.engine.carry import carried, destinations
from undertow.engine.graph import Graph, outputs_of
from undertow.engine.outset import seeds_of
from undertow.shown import Shown

__all__ = ["Precision", "precision"]

MOST = 120
"""The largest exponent of a loss scale that is tried; float32 ends at 127."""

SAME = 0.01
"""By how much less an error is the same, when nothing is lost and only the loss scale has changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Precision(Shown):
    """Whether gradients survive in a narrow dtype.

    Attributes:
        dtype: The dtype.
        loss_scale: The smallest power of two, 1 or more, by which to multiply the loss so that it works; the
            largest below 1 if 1 overflows. `None` if none works.
        tried: The loss scale that `gradients` are for: the one that works, or the last that was tried.
        gradients: For each leaf that is judged, its gradient beside the rounded one.
        noise: Leaves that are not judged, since rounding to the model's own dtype makes up their gradient already, as
            that of a bias before a batch normalisation, which is 0 but for rounding.
        tolerance: The relative error that each leaf's gradient may have.
    """

    dtype: torch.dtype
    loss_scale: float | None
    tried: float
    gradients: dict[str, Narrowed]
    noise: frozenset[str]
    tolerance: float

    @property
    def works(self) -> bool:
        """Whether some loss scale works."""
        return self.loss_scale is not None

    @property
    def worst(self) -> str:
        """The name of the leaf whose gradient is furthest off."""
        return max(self.gradients, key=lambda name: _error(self.gradients[name]), default="")

    def __str__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        if self.works:
            head = f"gradients survive in {kind} with loss scale {self.loss_scale:g}"
        else:
            head = f"no loss scale lets gradients survive in {kind}; with {self.tried:g}:"
        if not self.worst:
            return head
        found = self.gradients[self.worst]
        return (
            f"{head}\n  furthest off: {self.worst}, relative error {found.error:.2g} "
            f"(tolerated: {self.tolerance:.2g}), {found.lost:.1%} of its entries lost to zero, "
            f"{found.overflowed:.1%} overflowed"
        )


def precision(
    outputs: Tensor | Sequence[Tensor],
    dtype: torch.dtype,
    *,
    gradient: Tensor | Sequence[Tensor | None] | None = None,
    model: nn.Module | None = None,
    more_steps: float = 0.1,
) -> Precision:
    """Whether this backward pass would give usable gradients if its cotangents were kept in a narrow dtype.

    A loss scale *works* if nothing overflows and no leaf's gradient is further off than a relative error ε with 1 /
    (1 - ε²) = 1 + `more_steps`. Gradient descent with a gradient that is off by ε of its norm, in whatever
    direction, takes at most 1 / (1 - ε²) times the steps (Ajalloeian & Stich 2020, lemma 2 with m = ε²,
    arXiv:2008.00051), so by default the dtype may cost a tenth more steps. That is asked of each leaf by itself,
    since optimizers such as Adam bring each to the same size. Rounding errors are more like noise than like a bias,
    so this errs on the side of caution; what is not rounded here, and errs the other way, is said at
    `undertow.engine.algebras.Rounded`.

    Args:
        outputs: The loss, or several outputs. The graph stays as it is.
        dtype: `torch.float16`, `bfloat16`, `float8_e4m3fn`, `float8_e5m2`, or any other floating-point dtype.
        gradient: The cotangent of each output; may be left out for outputs of one element.
        model: Where the names of parameters come from.
        more_steps: Share of steps that the narrow dtype may cost.

    Returns:
        The smallest loss scale that works, if one does, with what becomes of each leaf's gradient.

    Raises:
        GraphError: As `undertow.sweep`, or a dtype that is no floating-point one.
    """
    outputs = outputs_of(outputs)
    graph = Graph.read(outputs)
    seeds, names = seeds_of(outputs, gradient), destinations(graph, None, model)
    tolerance = math.sqrt(more_steps / (1 + more_steps))

    # Three times the loss has three times the gradient, but for rounding.
    again = carried(graph, seeds, Rounded(seeds[0].dtype, 3.0), names).arrived
    noise = frozenset(name for name, gradient in again.items() if _error(gradient) > tolerance)
    judged = {name: place for name, place in names.items() if name not in noise}

    def tried(exponent: int) -> dict[str, Narrowed]:
        return carried(graph, seeds, Rounded(dtype, 2.0**exponent), judged).arrived

    exponent, gradients = _search(tried, tolerance)
    works = not _overflows(gradients) and _worst_error(gradients) <= tolerance
    return Precision(dtype, 2.0**exponent if works else None, 2.0**exponent, gradients, noise, tolerance)


def _search(tried: Callable[[int], dict[str, Narrowed]], tolerance: float) -> tuple[int, dict[str, Narrowed]]:
    """The exponent to answer for, and its gradients: too small a scale loses entries, too large a one overflows."""
    low, gradients = 0, tried(0)
    if _overflows(gradients):
        return _search_down(tried, gradients)
    if _worst_error(gradients) <= tolerance:
        return 0, gradients
    high = 1
    while not _enough(above := tried(high), tolerance):
        if high == MOST or _no_use(gradients, above):
            return high, above
        low, gradients, high = high, above, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        if _enough(between := tried(middle), tolerance):
            high, above = middle, between
        else:
            low, gradients = middle, between
    return (low, gradients) if _overflows(above) else (high, above)


def _search_down(
    tried: Callable[[int], dict[str, Narrowed]], gradients: dict[str, Narrowed]
) -> tuple[int, dict[str, Narrowed]]:
    """The largest exponent below 0 at which nothing overflows."""
    exponent = 0
    while _overflows(gradients) and exponent > -MOST:
        exponent -= 1
        gradients = tried(exponent)
    return exponent, gradients


def _enough(gradients: dict[str, Narrowed], tolerance: float) -> bool:
    """Whether the loss scale is large enough, or too large."""
    return _overflows(gradients) or _worst_error(gradients) <= tolerance


def _no_use(below: dict[str, Narrowed], above: dict[str, Narrowed]) -> bool:
    """Whether what is wrong is not for a loss scale to cure: nothing is lost, and a larger scale changes nothing."""
    return not any(g.lost for g in above.values()) and _worst_error(above) >= (1 - SAME) * _worst_error(below)


def _overflows(gradients: dict[str, Narrowed]) -> bool:
    return any(g.overflowed for g in gradients.values())


def _worst_error(gradients: dict[str, Narrowed]) -> float:
    return max(map(_error, gradients.values()), default=0.0)


def _error(gradient: Narrowed) -> float:
    """A number that compares: what is not a number is as bad as can be."""
    return math.inf if math.isnan(gradient.error) else gradient.error
