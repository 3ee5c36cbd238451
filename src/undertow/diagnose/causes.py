"""What can cause what: the graph in which one cause is looked for, and what tells causes apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CERTAIN", "EFFECTS", "FEEDBACK", "POSSIBLE", "STAGES", "Possibility", "apart", "decides"]


def _codes(told: str) -> frozenset[str]:
    return frozenset(told.split())


STAGES: Mapping[str, frozenset[str]] = {
    "program": _codes(
        "UT103 UT303 UT304 UT305 UT306 UT307 UT401 UT402 UT403 UT404 UT405 UT409 UT503",
    ),
    "settings": _codes(
        "UT001 UT107 UT203 UT309 UT312 UT407 UT501 UT502 UT504 UT505 UT506 UT507 UT508 UT601 UT602 UT603 UT604",
    ),
    "network": _codes("UT101 UT102 UT104 UT105 UT108 UT201 UT202 UT204 UT205 UT308"),
    "steps": _codes("UT301 UT302 UT310 UT311 UT901 UT902"),
    "course": _codes("UT002 UT406 UT408 UT701 UT702 UT703 UT704 UT705 UT706 UT707 UT708 UT801 UT802"),
}
"""From what a person wrote to what came of it. A fault brings about others of its own stage or of later ones.

`program`: read off the graph, or the books of the optimizer. `settings`: numbers and data that somebody chose.
`network`: the state that signal and units are in. `steps`: how far the optimizer went. `course`: the loss.
"""

FEEDBACK = ("network", "steps", "course")
"""Stages that training closes into a circle: among them either may have come first, and the onset tells."""

CERTAIN = STAGES["program"]
"""Without a threshold: ranked before what is measured."""

_STILL = "UT302 UT701"
_SIZE = "UT102 UT201 UT202 UT301 UT701 UT702 UT801"

EFFECTS: Mapping[str, frozenset[str]] = {
    cause: _codes(effects)
    for cause, effects in {
        "UT001": "",
        "UT002": "",
        "UT101": f"UT301 UT311 {_STILL} UT204 UT205 UT308 UT406 UT902",
        "UT102": "UT201 UT202 UT204 UT205 UT301 UT310 UT406 UT408 UT701 UT702 UT801",
        "UT103": f"UT101 {_STILL} UT304 UT406",
        "UT104": f"UT101 UT311 {_STILL} UT201 UT308 UT902",
        "UT105": f"UT101 {_STILL} UT205 UT902",
        "UT107": f"{_STILL} UT205 UT406 UT702",
        "UT108": f"UT101 {_STILL} UT406 UT902",
        "UT201": f"UT101 {_STILL} UT204 UT205 UT406 UT902",
        "UT202": f"UT101 UT102 UT408 {_STILL} UT204 UT205 UT406 UT902",
        "UT203": f"UT101 UT201 UT202 UT204 UT205 {_STILL} UT406 UT902",
        "UT204": f"{_STILL} UT205",
        "UT205": f"UT101 {_STILL} UT204 UT406",
        "UT301": "UT101 UT102 UT105 UT201 UT202 UT204 UT205 UT308 UT406 UT701 UT702 UT801",
        "UT302": "UT308 UT406 UT701 UT902",
        "UT303": f"{_SIZE} UT204 UT205 UT406",
        "UT304": f"{_STILL} UT406",
        "UT305": f"{_STILL} UT406",
        "UT306": f"UT303 {_STILL} UT406",
        "UT307": f"UT303 {_STILL} UT308 UT406",
        "UT308": f"{_STILL} UT902",
        "UT309": f"UT101 UT201 UT204 UT205 UT301 {_STILL} UT308 UT406",
        "UT310": f"{_STILL} UT308",
        "UT311": f"{_STILL} UT308",
        "UT312": f"{_SIZE} UT204 UT205 UT302 UT406",
        "UT401": f"UT101 UT202 UT301 {_STILL} UT406",
        "UT402": f"UT101 UT201 UT202 UT205 UT301 {_STILL} UT406 UT408 UT409 UT702 UT801",
        "UT403": f"UT101 UT103 UT201 UT205 {_STILL} UT401 UT404 UT406 UT504",
        "UT404": f"UT101 UT201 UT204 UT205 UT301 {_STILL} UT406",
        "UT405": f"UT101 UT201 UT202 UT204 UT205 UT301 {_STILL} UT406 UT508",
        "UT406": "UT701",
        "UT407": f"{_SIZE} UT204 UT205 UT310 UT406 UT408",
        "UT408": "UT301 UT702 UT801",
        "UT409": f"{_SIZE} UT101 UT204 UT205 UT406 UT408",
        "UT501": f"{_SIZE} UT101 UT105 UT204 UT205 UT302 UT406 UT408",
        "UT502": f"{_STILL} UT205 UT406",
        "UT503": f"{_SIZE} UT204 UT205 UT406 UT409",
        "UT504": f"UT101 UT201 UT202 UT205 {_STILL} UT406",
        "UT505": "UT201 UT202 UT205 UT406 UT701",
        "UT506": "UT701 UT705",
        "UT507": "UT201 UT202 UT204 UT205 UT301 UT406 UT504 UT701 UT702 UT708",
        "UT508": f"{_SIZE} UT101 UT204 UT205 UT302 UT310 UT406 UT408",
        "UT601": f"{_SIZE} UT101 UT204 UT205 UT302 UT406 UT408 UT501",
        "UT602": "UT101 UT204 UT205 UT301 UT302 UT406 UT502 UT504 UT701 UT702 UT801",
        "UT603": "UT101 UT201 UT204 UT205 UT302 UT406 UT701",
        "UT604": f"{_SIZE} UT204 UT205 UT310 UT406",
        "UT701": "",
        "UT702": "UT201 UT202 UT204 UT205 UT406 UT701 UT801",
        "UT703": "",
        "UT704": "",
        "UT705": "",
        "UT706": "",
        "UT707": "",
        "UT708": "",
        "UT802": "UT801",
        "UT901": "UT301 UT101 UT201 UT202 UT204 UT205 UT406 UT701 UT702 UT703",
        "UT902": "",
        "UT801": "UT101 UT102 UT301 UT406 UT701",
    }.items()
}
"""What each fault can bring about: found together with it, they are its symptoms."""

_APART = {
    ("UT101", "UT302"): "Take 100 times the learning rate: if the first layers still stand still, the signal vanishes.",
    ("UT102", "UT301"): "Take a hundredth of the learning rate: if the loss still jumps at once, it is the weights.",
    ("UT301", "UT501"): "Standardise the inputs and keep the rate: if the loss then falls, it was the inputs.",
    ("UT301", "UT508"): "Standardise the targets and keep the rate: if the loss then falls, it was the targets.",
}


@dataclass(frozen=True, slots=True)
class Possibility:
    """Something else that looks the same from here, and the cheapest observation that would decide.

    Attributes:
        what: The other cause, in words.
        decides: What to try, and what it would mean.
    """

    what: str
    decides: str


_BY_HEART = "Train on ten examples: a network that can see the answer learns them by heart. If it does not, "
_LABELS = Possibility("the labels carry nothing about the inputs", _BY_HEART + "the labels are not the reason.")
_BLIND = Possibility(
    "the network cannot see what the labels depend on",
    "Fit a linear model, or a network twice as wide, to the same batches: if that learns, the network is too weak.",
)
_SHORT = Possibility("the run was too short", "Let it run ten times as long, or double the learning rate.")
_RATE = Possibility("the learning rate", "Try a tenth and ten times the learning rate for as many steps.")
_ALIKE = Possibility("inputs that hardly differ", "Compare two examples of a batch before they enter.")
_COMMON = Possibility(
    "something that was not observed brought about both this and the loss",
    "Change this alone and run as many steps again: if the loss then goes its old way, it was something else.",
)

POSSIBLE: Mapping[str, tuple[Possibility, ...]] = {
    "UT205": (_ALIKE,),
    "UT406": (_LABELS, _BLIND),
    "UT505": (_LABELS, _SHORT),
    "UT701": (_LABELS, _BLIND, _SHORT),
    "UT702": (_RATE, Possibility("data that changed on the way", "Look at the batches before and after that step.")),
}
"""By code: what the same facts could also come from, of what no diagnosis measures; it would have been found."""


def apart(first: str, second: str) -> str:
    """What would tell two faults apart that were both found; empty where nothing needs to."""
    return _APART.get((min(first, second), max(first, second)), "")


def decides(code: str, outcome: str) -> tuple[Possibility, ...]:
    """What else is possible where this fault was found; without a fault, where the training went so."""
    if code:
        return POSSIBLE.get(code, () if code in CERTAIN else (_COMMON,))
    if outcome == "falling":
        return (_SHORT,)
    return (_RATE, _LABELS, _BLIND, _SHORT) if outcome in {"stalled", "diverged"} else ()
