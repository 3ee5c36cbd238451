"""Numbers as people read them, and the terms of the report, each explained in a line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = [
    "TERMS",
    "VERDICTS",
    "clock",
    "decades",
    "distance",
    "duration",
    "number",
    "plain",
    "sentence",
    "short_operation",
]

VERDICTS = {
    "sick": "This network is not learning as it should",
    "healthy": "This training is healthy",
    "undecided": "The observations do not settle it",
    "not-applicable": "Nothing was trained by backpropagation here",
}

TERMS = {
    "decade": "A decade is a factor of ten: −3 decades means a thousand times smaller.",
    "share": "A share is the part of a gradient that came along one connection, by squared size; shares sum to 100 %.",
    "gain": "Gain is what left an operation over what entered it: 0.1 loses one decade.",
    "norm": "The norm is the overall size of a gradient, the root of the sum of its squared entries.",
}


def number(value: float, digits: int = 3) -> str:
    """A number to `digits` digits, with words for what is none."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "−infinite"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    short = f"{value:.{digits}g}"
    return (f"{float(short):,.0f}" if 1e3 <= abs(value) < 1e6 else short).replace("-", "−")


def decades(value: float) -> str:
    """A signed number of decades; the sign is a real minus."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    rounded = 0.0 if abs(value) < 0.005 else value
    return f"{rounded:+.2f}".replace("-", "−") if abs(rounded) < 9.995 else f"{rounded:+.1f}".replace("-", "−")


def distance(value: float) -> str:
    """Decades between two sizes, in words: `2.00 decades smaller (about 100 times)`."""
    return (
        f"{decades(abs(value))[1:]} decades {'smaller' if value < 0 else 'larger'} (about {_times(abs(value))} times)"
    )


def _times(power: float) -> str:
    if power >= 15:
        return f"10^{power:.0f}"
    thousands = min(int(power) // 3, 4)
    word = ("", " thousand", " million", " billion", " trillion")[thousands]
    return f"{float(f'{10 ** (power - 3 * thousands):.2g}'):g}{word}"


def duration(seconds: float) -> str:
    """A time span in its two largest units."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def clock(moment: object) -> str:
    """When something was, from seconds since 1970 or a text in ISO form; empty where it is not known."""
    if isinstance(moment, (int, float)):
        return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")
    return str(moment)[:16].replace("T", " ") if moment else ""


def plain(value: Any) -> str:
    """Any fact as one line of text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(plain, value))
    return str(value)


def sentence(text: str) -> str:
    """Words as a sentence: a capital first, unless a name stands there, and a full stop."""
    first, _, _ = text.partition(" ")
    opened = text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text
    return opened + "." if opened[-1:].isalnum() or opened.endswith((")", "`")) else opened


def short_operation(name: str) -> str:
    """`SigmoidBackward0` as `Sigmoid`: the operation of the forward pass, as a person knows it."""
    head, found, tail = name.rpartition("Backward")
    return head if found and head and (not tail or tail.isdigit()) else name
