"""Which parameters were cut off from the loss, and by which call."""

from __future__ import annotations

from typing import Any

from undertow.engine.graph import Graph
from undertow.observe.cuts import Cut
from undertow.observe.roster import Roster

__all__ = ["severed"]


def severed(cuts: list[Cut], roster: Roster, reached: set[int], in_loss: frozenset[Cut]) -> list[dict[str, Any]]:
    """For each call that cut parameters off from the loss: which, where, and by what.

    Args:
        cuts: The calls.
        roster: Who takes part.
        reached: Identities of the leaves that the loss depends on.
        in_loss: The calls that the loss itself descends from.
    """
    unreached = {
        id(parameter): parameter
        for parameter in roster.called_parameters()
        if parameter.requires_grad and id(parameter) not in reached
    }
    found = []
    for cut in sorted(cuts, key=lambda cut: cut not in in_loss):
        behind = {id(leaf) for leaf in cut.leaves}
        if cut.nodes:
            behind |= {id(leaf) for _, leaf in Graph.behind([(node, 0) for node in cut.nodes]).leaves()}
        names = [roster.name_of(unreached.pop(key)) for key in [*unreached] if key in behind]
        if names:
            facts = {"operation": cut.operation, "source": cut.source, "grad_enabled": cut.grad_enabled}
            facts["checkpointed"] = cut.checkpointed
            found.append(facts | {"parameters": names[:50], "count": len(names), "in_loss": cut in in_loss})
    if unreached:
        names = [roster.name_of(parameter) for parameter in unreached.values()]
        found.append({"operation": "", "source": "", "grad_enabled": True, "parameters": names[:50]})
        found[-1] |= {"count": len(names), "in_loss": False}
    return found
