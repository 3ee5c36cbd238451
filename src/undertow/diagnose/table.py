"""The one table of diagnoses, and how to write in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from undertow.diagnose.case import Case
from undertow.diagnose.causes import EFFECTS
from undertow.diagnose.finding import Finding
from undertow.diagnose.lines import line_of
from undertow.errors import RegistryError, UndertowError

__all__ = ["DIAGNOSES", "Diagnosis", "diagnosis", "explain"]

FAMILIES = {
    "UT0": "budget",
    "UT1": "signal",
    "UT2": "units",
    "UT3": "updates",
    "UT4": "loss",
    "UT5": "data",
    "UT6": "mode",
    "UT7": "dynamics",
    "UT8": "numerics",
    "UT9": "transfer",
}

Found = Iterator[dict[str, Any]]
"""What a check yields: the evidence of one finding, and where it is, and how harmful."""

PLACE = ("module", "operation", "source", "harm")
WORDS = (
    "all_there_is",
    "before",
    "called",
    "dtype",
    "expects",
    "extent",
    "factor",
    "found",
    "fresh",
    "gap",
    "give_or_take",
    "guessing",
    "how",
    "jump",
    "loader",
    "met",
    "missing",
    "more",
    "others",
    "remedy",
    "setting",
    "signals",
    "since",
    "squash",
    "stale",
    "statistics",
    "story",
    "through",
    "unequal",
    "where_summed",
    "which",
    "who",
)
"""What a check yields for its templates alone, and what is not evidence."""


@dataclass(frozen=True)
class Diagnosis:
    """A fault that can be recognised in a stored run.

    Attributes:
        code: Such as `UT101`; the first digit is the family.
        name: Names the fault, and reads after "allow …".
        message: A template over the evidence.
        advice: What to do, in a sentence or two; a template likewise.
        source: Where the mechanism is described.
        page: What it means, when it is harmless, what to do.
        act: What the user did at the line to look at, where no operation of the graph is at fault: see `line_of`.
    """

    code: str
    name: str
    message: str
    advice: str
    source: str
    page: str
    check: Callable[[Case], Found]
    act: str = ""

    @property
    def family(self) -> str:
        return FAMILIES[self.code[:3]]

    @property
    def explains(self) -> frozenset[str]:
        """Codes of what this fault brings about: found together, they are its symptoms."""
        return EFFECTS.get(self.code, frozenset())

    def __call__(self, case: Case) -> Iterator[Finding]:
        for facts in self.check(case):
            place = {name: facts.pop(name) for name in PLACE if name in facts}
            act = facts.pop("act", self.act)
            if act and not place.get("source"):
                place["source"] = line_of(case, act, facts)
            evidence = {name: value for name, value in facts.items() if name not in WORDS}
            yield Finding(
                code=self.code,
                name=self.name,
                family=self.family,
                message=self.message.format_map(_Words(facts, place)),
                advice=self.advice.format_map(_Words(facts, place)),
                evidence=evidence,
                **place,
            )


class _Words(dict[str, Any]):
    """Facts and place together, for templates; an empty module is the model itself."""

    def __init__(self, facts: Mapping[str, Any], place: Mapping[str, Any]):
        super().__init__(facts)
        self["where"] = place.get("module") or "the model"
        self["at"] = f" ({place['source']})" if place.get("source") else ""
        self["operation"] = str(place.get("operation", "")).removesuffix("0").removesuffix("Backward")


DIAGNOSES: dict[str, Diagnosis] = {}


def diagnosis(
    code: str, name: str, *, message: str, advice: str, source: str, act: str = ""
) -> Callable[[Callable[[Case], Found]], Diagnosis]:
    """Enter a check into the table. Its docstring is the diagnosis's page.

    Raises:
        RegistryError: The code or the name is taken, or is not of the right form.
    """

    def enter(check: Callable[[Case], Found]) -> Diagnosis:
        if not re.fullmatch(r"UT\d\d\d", code) or not re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
            raise RegistryError(
                f"{code} {name!r} is no code and name of a diagnosis\n  They look like UT101 'dead-units'."
            )
        if code in DIAGNOSES or any(other.name == name for other in DIAGNOSES.values()):
            raise RegistryError(f"{code} {name!r} is in the table already\n  Choose another code and name.")
        page = inspect.getdoc(check) or ""
        DIAGNOSES[code] = Diagnosis(code, name, message, advice, source, page, check, act)
        return DIAGNOSES[code]

    return enter


def explain(code: str) -> tuple[str, str]:
    """The title and the page of a diagnosis, by its code or its name; the page is Markdown.

    Raises:
        UndertowError: There is no such diagnosis.
    """
    found = DIAGNOSES.get(code.upper()) or next((d for d in DIAGNOSES.values() if d.name == code.lower()), None)
    if found is None:
        known = "\n".join(f"    {d.code}  {d.name}" for d in sorted(DIAGNOSES.values(), key=lambda d: d.code))
        raise UndertowError(f"there is no diagnosis {code!r}\n  These there are:\n{known}")
    return f"{found.code} {found.name}", f"{found.page}\n\n## Source\n{found.source}"
