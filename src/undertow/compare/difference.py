"""One thing that differs between two runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is otherwise in the second run than in the first.

    Attributes:
        kind: What sort of thing: `setting`, `structure`, `data`, `loss`, `verdict`, `gradient`, `update`, `weight`,
            `rate` or `pace`.
        name: What it is of: an option, an operation, a parameter.
        left, right: How it is in the first run and in the second, in words.
        since: The first optimizer step from which on it differs; 0 for what was so from the start.
        decades: log10 of second over first, where that says something; infinite where one of them is 0.
        others: How many more parameters differ in the same way from about the same step on.
    """

    kind: str
    name: str
    left: str
    right: str
    since: int = 0
    decades: float = math.nan
    others: int = 0
