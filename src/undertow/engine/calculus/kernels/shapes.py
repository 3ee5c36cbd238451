"""Through what takes a tensor apart: putting it together writes each entry once, where slices would each be padded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted
from undertow.engine.calculus.node import signed

__all__ = ["split", "unbind"]


def split(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (torch.cat(_filled(node, cotangents), signed(node._saved_dim)),)


def unbind(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (torch.stack(_filled(node, cotangents), signed(node._saved_dim)),)


def _filled(node: Any, cotangents: Cotangents) -> list[Tensor]:
    """The cotangents, with zeros for those outputs that nothing reached."""
    some = cotangents[0]
    outputs = node._input_metadata
    return [some.new_zeros(o.shape) if c is None else c for c, o in zip(cotangents, outputs, strict=True)]
