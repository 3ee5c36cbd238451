"""Through moves, without a map to state them; what took a tensor apart is put together by writing each entry once."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted
from undertow.engine.calculus.node import input_shapes, output_shape, signed

__all__ = ["cat", "split", "t", "transpose", "unbind", "view"]


def view(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (cotangents[0].reshape(node._saved_self_sym_sizes),)


def t(_: Any, cotangents: Cotangents, __: Wanted) -> Products:
    return (cotangents[0].t(),)


def transpose(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (cotangents[0].transpose(signed(node._saved_dim0), signed(node._saved_dim1)),)


def cat(node: Any, cotangents: Cotangents, _: Wanted) -> Products | None:
    target, parts = output_shape(node), input_shapes(node)
    dim = signed(node._saved_dim)
    lengths = [part[dim] if part and len(part) == len(target) else 0 for part in parts]
    if sum(lengths) != target[dim]:
        return None  # how long a part is that needs no gradient, the node does not tell
    starts = accumulate(lengths, initial=0)
    return [
        cotangents[0].narrow(dim, start, part[dim]) if part and len(part) == len(target) else None
        for part, start in zip(parts, starts, strict=False)
    ]


def split(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (torch.cat(_filled(node, cotangents), signed(node._saved_dim)),)


def unbind(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (torch.stack(_filled(node, cotangents), signed(node._saved_dim)),)


def _filled(node: Any, cotangents: Cotangents) -> list[Tensor]:
    """The cotangents, with zeros for those outputs that nothing reached."""
    some = cotangents[0]
    outputs = node._input_metadata
    return [some.new_zeros(o.shape) if c is None else c for c, o in zip(cotangents, outputs, strict=True)]
