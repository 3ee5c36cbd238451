"""Calls into PyTorch as Python expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import resolve_name

__all__ = ["Text", "atom", "expression", "mutates"]

ATOM, POWER, SIGN, PRODUCT, SUM, AND, OR, COMPARISON = range(100, 20, -10)

INFIX: Mapping[str, tuple[str, int]] = {
    "add": ("+", SUM),
    "sub": ("-", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "matmul": ("@", PRODUCT),
    "mm": ("@", PRODUCT),
    "bmm": ("@", PRODUCT),
    "pow": ("**", POWER),
    "bitwise_and": ("&", AND),
    "bitwise_or": ("|", OR),
    "gt": (">", COMPARISON),
    "lt": ("<", COMPARISON),
    "ge": (">=", COMPARISON),
    "le": ("<=", COMPARISON),
    "eq": ("==", COMPARISON),
    "ne": ("!=", COMPARISON),
}
SWAPPED = {"__rsub__": "sub", "__rtruediv__": "div", "__rdiv__": "div", "__rpow__": "pow"}
SAME = {"__pow__": "pow", "__and__": "bitwise_and", "__or__": "bitwise_or", "__eq__": "eq", "true_divide": "div"}
PREFIX = {"neg": "-", "bitwise_not": "~", "__invert__": "~"}
TRANSPOSES = {"t", "T", "mT", "mH"}


class Text(NamedTuple):
    """An expression, and how tightly its outermost operator binds."""

    text: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """The expression as an operand of an operator that binds so tightly."""
        return self.text if self.level >= level else f"({self.text})"


def atom(text: str) -> Text:
    return Text(text)


Read = Callable[[Tensor], Text]


def expression(func: Callable[..., Any], args: Any, kwargs: Mapping[str, Any], read: Read) -> Text:
    """The call as an expression, where `read` gives what stands for each tensor."""
    path = _path(func)
    owner, _, name = path.rpartition(".")
    if owner.endswith("Tensor") and path.startswith("torch."):
        return _method(name, args, kwargs, read)
    if owner.startswith("torch.Tensor.") and name == "__get__":
        return _property(owner.rpartition(".")[2], args[0], read)
    if owner == "torch" and name in INFIX and len(args) == 2 and not kwargs:
        return _infix(name, _operand(args[0], read), _operand(args[1], read))
    return Text(f"{path}({_listed(args, kwargs, read)})")


def mutates(func: Callable[..., Any]) -> bool:
    """Whether a call writes into its first argument."""
    name = _path(func).removesuffix(".default").rpartition(".")[2]
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _path(func: Callable[..., Any]) -> str:
    if isinstance(func, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
        return f"torch.ops.{func}"
    return str(resolve_name(func) or f"{func.__module__}.{func.__name__}")


def _method(name: str, args: Any, kwargs: Mapping[str, Any], read: Read) -> Text:
    first, *rest = args
    name = SAME.get(name, name)
    if name in SWAPPED:
        return _infix(SWAPPED[name], _operand(rest[0], read), _operand(first, read))
    if name in INFIX and len(rest) == 1 and not kwargs:
        return _infix(name, _operand(first, read), _operand(rest[0], read))
    if name in PREFIX:
        return Text(PREFIX[name] + _operand(first, read).within(SIGN), SIGN)
    if name in TRANSPOSES and not rest:
        return _property(name, first, read)
    if name == "permute" and _flat(rest) == (1, 0):
        return _property("T", first, read)
    if name == "sum_to_size" and (dims := _leading(first, _flat(rest))):
        return _method("sum", (first, *dims) if len(dims) == 1 else (first, dims), kwargs, read)
    receiver = _operand(first, read).within(ATOM)
    if name == "__getitem__":
        return Text(f"{receiver}[{_index(rest[0], read)}]")
    if name == "__setitem__":
        return Text(f"{receiver}[{_index(rest[0], read)}] = {_shown(rest[1], read)}", 0)
    if len(rest) == 1 and type(rest[0]) in (tuple, list, torch.Size) and name in _UNPACKED and len(rest[0]):
        rest = rest[0]
    return Text(f"{receiver}.{name}({_listed(rest, kwargs, read)})")


_UNPACKED = {"reshape", "view", "expand", "permute", "sum_to_size", "new_zeros", "new_ones"}


def _property(name: str, tensor: Tensor, read: Read) -> Text:
    """A part of a tensor; a transpose of a transpose is what it was."""
    of = read(tensor)
    if name not in TRANSPOSES or tensor.is_complex():
        return Text(f"{of.within(ATOM)}.{name}")
    name = "T" if tensor.ndim == 2 else "mT"
    if of.level == ATOM and of.text.endswith(f".{name}"):
        return _unwrapped(of.text.removesuffix(f".{name}"))
    return Text(f"{of.within(ATOM)}.{name}")


def _unwrapped(text: str) -> Text:
    """An expression without the parentheses around all of it, binding as loosely as it may."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and position < len(text) - 1:
            return Text(text)
    return Text(text[1:-1], COMPARISON) if text.startswith("(") else Text(text)


def _flat(sizes: Any) -> tuple[Any, ...]:
    """Sizes given one by one or together."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else tuple(sizes)


def _leading(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions to sum over to come to a shape, if it is what the last ones have."""
    extra = tensor.ndim - len(shape)
    return tuple(range(extra)) if extra > 0 and tuple(tensor.shape[extra:]) == shape else ()


def _infix(name: str, left: Text, right: Text) -> Text:
    symbol, level = INFIX[name]
    if level == POWER and right.text == "1":
        return left
    if level in (POWER, COMPARISON):
        return Text(f"{left.within(level + 1)} {symbol} {right.within(level + 1)}", level)
    return Text(f"{left.within(level)} {symbol} {right.within(level + 1)}", level)


def _operand(value: Any, read: Read) -> Text:
    if isinstance(value, Tensor):
        return read(value)
    text = _shown(value, read)
    return Text(text, SIGN if text.startswith("-") else ATOM)


def _listed(args: Any, kwargs: Mapping[str, Any], read: Read) -> str:
    named = [f"{key}={_shown(value, read)}" for key, value in kwargs.items()]
    return ", ".join([*(_shown(value, read) for value in args), *named])


def _index(value: Any, read: Read) -> str:
    return ", ".join(_shown(v, read) for v in value) if type(value) is tuple and value else _shown(value, read)


def _shown(value: Any, read: Read) -> str:
    """A Python value as code."""
    if isinstance(value, Tensor):
        return read(value).text
    if isinstance(value, (tuple, list)):
        parts = ", ".join(_shown(part, read) for part in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts},)" if len(value) == 1 else f"({parts})"
    if isinstance(value, slice):
        return _slice(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, torch.device):
        return f'"{value}"'
    return "..." if value is Ellipsis else repr(value)


def _slice(value: slice) -> str:
    ends = ["" if end is None else repr(end) for end in (value.start, value.stop)]
    return ":".join(ends if value.step in (None, 1) else [*ends, repr(value.step)])
