"""Whether a function is the one that was used before, as far as that can be told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from torch import Tensor, nn

__all__ = ["identity"]

PLAIN = (type(None), bool, int, float, complex, str, bytes)


def identity(function: Any) -> str:
    """A fingerprint of what a function computes.

    Of a Python function its code counts, its defaults, what it closes over, and what it reads of its own module:
    numbers, strings, tuples of these, tensors, modules, and functions in turn. Of a `torch.nn.Module` its class, its
    settings, its weights and its buffers count; of a `functools.partial`, what it is made of. A list, a dictionary and
    any other object count by their type alone, since a counter in one may go on: what is changed in them is not seen,
    nor what a library does otherwise in another version.
    """
    return hashlib.sha256("\n".join(_told(function, set())).encode()).hexdigest()


def _told(value: Any, met: set[int]) -> Iterator[str]:
    """What counts of a value, in words. Functions that were met are not gone through again."""
    if isinstance(value, PLAIN):
        yield repr(value)
    elif isinstance(value, (tuple, partial)):
        parts = value if isinstance(value, tuple) else (value.func, *value.args, *sorted(value.keywords.items()))
        for part in parts:
            yield from _told(part, met)
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)} {value.detach().cpu().reshape(-1).tolist()}"
    elif isinstance(value, nn.Module):
        yield f"{type(value).__module__}.{type(value).__qualname__} {value!r}"
        settings = {k: v for k, v in vars(value).items() if isinstance(v, PLAIN)}
        yield from _told((*sorted(settings.items()), *value.state_dict().items()), met)
    elif isinstance(value, MethodType):
        yield from _told((value.__func__, value.__self__), met)
    elif isinstance(value, FunctionType):
        yield from () if id(value) in met else _function(value, met | {id(value)})
    else:
        yield f"{type(value).__module__}.{type(value).__qualname__} {getattr(value, '__qualname__', '')}"


def _function(function: FunctionType, met: set[int]) -> Iterator[str]:
    yield f"{function.__module__}.{function.__qualname__}"
    yield from _code(function.__code__)
    closed = tuple(cell.cell_contents for cell in function.__closure__ or ())
    keywords = tuple(sorted((function.__kwdefaults__ or {}).items()))
    yield from _told((*closed, *(function.__defaults__ or ()), *keywords), met)
    for name in function.__code__.co_names:
        read = function.__globals__.get(name)
        if not isinstance(read, FunctionType) or read.__module__ == function.__module__:
            yield name
            yield from _told(read, met)


def _code(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names}"
    for constant in code.co_consts:
        yield from _code(constant) if isinstance(constant, CodeType) else (repr(constant),)
