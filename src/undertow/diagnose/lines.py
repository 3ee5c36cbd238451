"""The user's line behind what was set or called outside the graph: an optimizer made, a step, a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undertow.diagnose.case import Case
from undertow.diagnose.outcome import main_site

__all__ = ["line_of"]


def line_of(case: Case, act: str, facts: Mapping[str, Any]) -> str:
    """Where the user did this, such as `train.py:41`; empty where it is not known.

    Args:
        case: The run.
        act: `backward`, or what was done with an optimizer: `made`, `scheduled`, `step`, `zeroed` or `clipped`.
        facts: What was found; where there are several optimizers, the parameters it names tell which one is meant.
    """
    if act == "backward":
        site = main_site(case.run)
        return "" if site is None else case.run.sites[site].source
    lines = {(told["optimizer"], told["act"]): str(told["source"]) for told in case.events("line")}
    named = {name for name in (facts.get("weight"), *facts.get("parameters", ())) if name}
    held = [p for p in case.run.parameters if p.optimizer >= 0]
    meant = {p.optimizer for p in held if p.name in named} or {p.optimizer for p in held}
    sources = {lines.get((number, act), "") for number in meant}
    return sources.pop() if len(sources) == 1 else ""
