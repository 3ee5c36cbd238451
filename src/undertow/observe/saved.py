"""Reading what the forward pass saved for the backward pass."""

from __future__ import annotations

from typing import Any

from torch import Tensor

__all__ = ["saved", "signed"]


def saved(node: Any, name: str) -> Tensor | None:
    """A tensor that an operation saved; `None` of none or several, if it changed, or if reading would recompute it."""
    raw = getattr(node, f"_raw_saved_{name}", None)
    if raw is None or isinstance(raw, tuple) or raw.unpack_hook is not None:
        return None
    try:
        value = getattr(node, f"_saved_{name}")
    except RuntimeError:
        return None
    return value if isinstance(value, Tensor) else None


def signed(number: int) -> int:
    """A number that PyTorch saved as 64 bits without a sign; the calculus, which is not loaded here, has its own."""
    return number - (1 << 64) if number >= 1 << 63 else number
