"""What a kernel is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

__all__ = ["Cotangents", "Kernel", "Products", "Wanted"]

Cotangents = Sequence[Any]
"""One for each output: a tensor, or `None`; the first is always a tensor."""

Wanted = Sequence[bool]
"""For each input, whether its product is wanted."""

Products = Sequence[Tensor | None]
"""One for each input; what stands where none was wanted is of no account."""

Kernel = Callable[[Any, Cotangents, Wanted], Products | None]
