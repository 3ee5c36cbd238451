"""The gradient is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

ZERO_SLOPED = frozenset(
    {
        "CeilBackward0",
        "FloorBackward0",
        "RoundBackward0",
        "RoundBackward1",
        "SignBackward0",
        "SgnBackward0",
        "TruncBackward0",
    }
)
"""Steps and plateaus: their derivative is 0 wherever it exists."""


REMEDY = (
    "Keep the value a tensor of the graph at that line; where the cut is meant, take these parameters out of the "
    "optimizer or freeze them."
)
REENTRANT = (
    "Call the checkpoint with use_reentrant=False (in transformers, gradient_checkpointing_kwargs), or let what goes "
    "into it require a gradient (enable_input_require_grads())."
)


@diagnosis(
    "UT103",
    "cut-gradient",
    message="{count} trained parameters of {where} get no gradient: {how}{at}",
    advice="{remedy}",
    source="PyTorch documentation, Autograd mechanics",
)
def cut_gradient(case: Case) -> Found:
    """Parameters that were used in the forward pass, and that no gradient reaches.

    ## What it means
    Somewhere between them and the loss the value left the graph (detach, no_grad, .data, argmax, a NumPy round
    trip), or passed an operation whose derivative is 0 everywhere (round, sign). The line is found by following
    values through one forward pass.

    ## When it is harmless
    Where it is meant: target networks, frozen trunks, stop-gradients. Parameters that no optimizer holds are
    therefore not reported, and where the loss falls in spite of a no_grad block, this is a remark.

    ## What to do
    Remove the cut, or state the intention: freeze the parameters.
    """
    held = _seen_held(case)
    for facts in _cuts(case):
        names = [name for name in facts["parameters"] if name in held and not _ever_reached(case, name)]
        if not names or (not facts["operation"] and not case.failed):
            continue
        operation = str(facts["operation"])
        how = f"`{operation}` takes the value out of the graph" if operation else "they are not on any way to the loss"
        if not facts["grad_enabled"]:
            how = "they are used under torch.no_grad()"
        if facts.get("checkpointed"):
            how = "they are used in a reentrant checkpoint, and nothing that goes into it requires a gradient"
        meant = not facts["grad_enabled"] and not facts["in_loss"]
        yield {
            "module": common_module([name.rpartition(".")[0] for name in names]),
            "operation": operation,
            "source": str(facts["source"]),
            "count": len(names),
            "parameters": names[:20],
            "how": how,
            "remedy": REENTRANT if facts.get("checkpointed") else REMEDY,
            "harm": case.harm(1.0, 0.7, 0.2 if meant or not operation else 0.6),
        }
        return
    yield from _flattened(case)


def _cuts(case: Case) -> list[dict[str, Any]]:
    """What was cut, one entry a line of code, the one that cuts off most parameters first."""
    lines: dict[tuple[object, bool], dict[str, Any]] = {}
    for facts in case.events("cut"):
        key = (facts["source"] or facts["operation"], facts["grad_enabled"])
        if key in lines:
            lines[key]["parameters"] = [*dict.fromkeys([*lines[key]["parameters"], *facts["parameters"]])]
            lines[key]["in_loss"] = lines[key]["in_loss"] or facts["in_loss"]
        else:
            lines[key] = {**facts}
    return sorted(
        lines.values(), key=lambda facts: (not facts["operation"], not facts["in_loss"], -len(facts["parameters"]))
    )


def _seen_held(case: Case) -> set[str]:
    """What an optimizer holds of which a step was observed: of another, the passes may be those not observed as well.

    Everything, where no optimizer is known.
    """
    seen = np.any([np.isfinite(u.weight) for u in case.run.updates], axis=0) if case.run.updates else None
    held = {n: p.name for n, p in enumerate(case.run.parameters) if p.optimizer >= 0}
    if not held:
        return {p.name for p in case.run.parameters}
    return {name for n, name in held.items() if seen is None or seen[n]}


def _ever_reached(case: Case, name: str) -> bool:
    return any(name in p.flow.topology.leaves() for p in case.run.passes)


def _flattened(case: Case) -> Iterator[dict[str, object]]:
    """Exact zeros born at an operation whose derivative is 0 everywhere."""
    for observed in case.passes[:1]:
        flow = observed.flow
        for edge in flow.vanishing_edges():
            operation = flow.topology.operations[edge.sender]
            if operation.name in ZERO_SLOPED:
                silent = [
                    op.leaf for i, op in enumerate(flow.topology.operations) if op.leaf and not flow.cotangents[i]
                ]
                if silent:
                    yield {
                        "module": case.module_of(observed, edge.sender),
                        "operation": operation.name,
                        "source": operation.source,
                        "count": len(silent),
                        "parameters": silent[:20],
                        "remedy": REMEDY,
                        "how": f"`{operation.name.split('Backward')[0].lower()}` has derivative 0 everywhere",
                        "harm": case.harm(1.0, 0.8, 0.6),
                    }
                    return
