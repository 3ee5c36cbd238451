"""Running a computation for a whole batch at once by `torch.vmap`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["falling_back"]


@contextmanager
def falling_back() -> Iterator[None]:
    """Operations without a batched kernel (fused attention is one) run once for each point, and no warning is given."""
    functorch: Any = torch._C._functorch
    functorch._set_vmap_fallback_warning_enabled(False)
    try:
        yield
    finally:
        functorch._set_vmap_fallback_warning_enabled(True)
