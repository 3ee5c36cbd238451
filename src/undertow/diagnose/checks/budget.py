"""What was paid for and brought nothing: gradients that nobody uses, steps at the start that do not help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import distinct
from undertow.diagnose.course import PARTS, idle
from undertow.diagnose.table import Found, diagnosis
from undertow.engine.graph import Topology

__all__ = ["EARLY"]

WORTH = 0.1
"""Of the operations of a backward pass: what less of them is for nothing is not worth a remark."""


@diagnosis(
    "UT001",
    "gradient-for-nothing",
    message="{share:.0%} of the {operations} operations of a backward pass lead only to {leaf}, which is no parameter "
    "and which no optimizer moves: the gradient is carried through {which} for nothing",
    advice="Leave requires_grad off for it (or detach it): what lies between it and the first layer that is trained is "
    "then left out of the backward pass, and of the memory that the forward pass keeps for it.",
    source="PyTorch, Autograd mechanics: an operation is recorded if any of its inputs requires a gradient",
)
def gradient_for_nothing(case: Case) -> Found:
    """A part of the backward pass that leads to nothing that is trained.

    ## What it means
    A tensor that is no parameter requires a gradient, mostly an input, and layers that are frozen lie behind it.
    Without it the backward pass would end at the first layer that is trained; with it, it goes on through the frozen
    ones to the input. The share is counted in the graph, operation by operation, and is exact; what it costs in time
    depends on how large these are. Parameters of modules that no optimizer holds are UT304.

    ## When it is harmless
    Where that gradient is what is wanted: adversarial examples, saliency, a prompt or a latent code that is moved by
    hand. It is never more than a remark.

    ## What to do
    Do not ask for it.
    """
    held = {p.name for p in case.run.parameters if p.optimizer >= 0}
    kinds = {p.name: p.kind for p in case.run.parameters}
    found = [facts for seen in distinct(case) if held and (facts := _wasted(seen.flow.topology, held, kinds))]
    if found:
        yield max(found, key=lambda facts: facts["share"]) | {"onset": "start", "harm": 0.1}


def _wasted(topology: Topology, held: set[str], kinds: Mapping[str, str]) -> dict[str, Any] | None:
    """The operations from which nothing but leaves that are no parameters, and that nobody moves, can be reached."""
    operations = topology.operations
    loose = {i for i, op in enumerate(operations) if op.leaf and op.leaf not in held and not kinds.get(op.leaf)}
    if not loose or not any(op.leaf in held for op in operations):
        return None
    useful = {i for i, op in enumerate(operations) if op.leaf and i not in loose}
    for edge in sorted(topology.edges, key=lambda edge: -edge.sender):
        if edge.receiver in useful:
            useful.add(edge.sender)
    inner = [i for i, op in enumerate(operations) if not op.leaf]
    idle_ones = [i for i in inner if i not in useful]
    modules = sorted({operations[i].module for i in idle_ones} - {""})
    if not modules or len(idle_ones) < WORTH * len(inner):
        return None
    return {
        "share": len(idle_ones) / len(inner),
        "operations": len(inner),
        "leaf": operations[min(loose)].leaf,
        "which": ", ".join(modules[:3]) + (f" and {len(modules) - 3} more" if len(modules) > 3 else ""),
        "module": modules[0],
    }


EARLY = 4
"""Twentieths of the run that have to be idle for a remark."""


@diagnosis(
    "UT002",
    "idle-start",
    message="the first {share:.0%} to {share_most:.0%} of the steps ({seconds:.2g} s) brought less than a twentieth of "
    "what the run gained: the loss stood at {first:.3g} until about step {step}, and is {last:.3g} at the end",
    advice="Look at what held it there: a warm-up that is long, a rate that was small at first, an initialisation from "
    "which little gradient flows (undertow.preflight). A run that ends after so many steps shows nothing.",
    source="the loss itself, by the line through its means over twentieths of the run",
)
def idle_start(case: Case) -> Found:
    """Steps at the start of a run that brought next to nothing, though it learned later.

    ## What it means
    The loss stands on a plateau from the start, and then falls. Its length is told with an interval: up to the lower
    end, a fall of more than a twentieth of what the run gained in all is ruled out (two standard errors of the line
    through the means of twentieths of the run); from the upper end on, such a fall is sure.

    ## When it is harmless
    Where tasks have to be found before they can be learned (long memories, symmetric targets): then only another
    initialisation or curriculum shortens it. It is never more than a remark.

    ## What to do
    Compare the gradient over depth at the first steps with that at the end of the plateau.
    """
    seen = case.course()
    stood = idle(seen.values) if seen is not None and case.learned else None
    if seen is None or stood is None or stood[0] < EARLY:
        return
    size = len(seen.values) // PARTS
    end = size * stood[0]
    yield {
        "share": stood[0] / PARTS,
        "share_most": stood[1] / PARTS,
        "first": float(seen.values[:end].mean()),
        "last": case.outcome.last,
        "step": int(seen.steps[end]),
        "seconds": float(seen.seconds[end] - seen.seconds[0]),
        "onset": "start",
        "harm": 0.1,
    }
