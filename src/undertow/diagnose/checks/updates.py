"""Faults of the updates: piled up, or not made at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Parameter, Pass

__all__ = ["held_in_waiting", "left_out", "reached"]

WIDE = ("float32", "float64")


@diagnosis(
    "UT303",
    "gradients-never-zeroed",
    act="step",
    message="on {share:.0%} of the observed steps `.grad` still held the last step's gradient "
    "when the backward pass began",
    advice="Call optimizer.zero_grad() once a step, before loss.backward().",
    source="PyTorch documentation of Optimizer.zero_grad",
)
def gradients_never_zeroed(case: Case) -> Found:
    """Each step follows the sum of all gradients so far.

    ## What it means
    PyTorch adds to `.grad`. Without zeroing, the step is momentum that never decays: the weights run past every
    minimum, farther each time.

    ## When it is harmless
    Accumulating over micro-batches is not this: there `.grad` is empty when the first of them begins.

    ## What to do
    Zero the gradients after each step.
    """
    held = np.array([p.optimizer for p in case.run.parameters])
    for number in sorted({*held[held >= 0]}):
        piled = _piled(case, held == number)
        if len(piled) >= 2 and np.mean(piled) >= 0.5:
            yield {"share": float(np.mean(piled)), "steps": len(piled), "harm": case.harm(1.0, 0.9, 0.7)}
            return


def _piled(case: Case, mine: NDArray[np.bool_]) -> list[bool]:
    """Of each observed step of one optimizer, whether most of its gradients were there before."""
    found = []
    for updates in case.run.updates:
        stepped = mine & np.isfinite(updates.update) & np.isfinite(updates.carried)
        if updates.step > case.start and stepped.any():
            found.append(bool((updates.carried[stepped] > 0).mean() > 0.5))
    return found


@diagnosis(
    "UT304",
    "parameters-not-held",
    act="made",
    message="{count} parameters of {where} get a gradient and are moved by no optimizer{stale}",
    advice="{remedy}",
    source="PyTorch documentation of torch.optim",
)
def parameters_not_held(case: Case) -> Found:
    """Parameters that the backward pass pays for and that no optimizer moves.

    ## What it means
    The optimizer was given other parameters: those of an old model, of a part of it, or of a module that keeps
    its layers in a plain list, where `parameters()` does not find them. That it goes on holding tensors which are in
    no graph, of the shapes of those left out or of the same width, shows that these took their place afterwards.
    Layers that are as they were made, and that what is trained has to pass on its way to the loss, were forgotten:
    they answer at random.

    ## When it is harmless
    Where only a head is meant to be trained. Then freezing the rest saves its backward pass; where the loss falls
    this is a remark, unless what was left out are layers as they were made behind those that are trained, and the loss
    is not known to have come far below that of guessing. Parameters in half precision of which the optimizer holds
    copies in full are not meant.

    ## What to do
    Hand the optimizer `model.parameters()` of the model that is trained, after everything has been built.
    """
    if not case.run.optimizers or not case.run.updates:
        return
    names = reached(case.run.passes)
    waiting = held_in_waiting(case)
    loose = [p for p in _loose(case, names) if p.kind and p.name not in waiting]
    if not loose or _have_masters(case, loose, names):
        return
    held = [p for p in case.run.parameters if p.optimizer >= 0 and p.name in names]
    unregistered = any("[" in p.name or "(" in p.name or p.kind == "Tensor" for p in loose)
    replaced = _replaced(case, loose, names)
    stale = f", which holds {replaced} tensors of the same shapes that are in no graph" if replaced else ""
    stale = ", which holds none of the parameters that are trained" if not held else stale
    remedy = "Give the optimizer model.parameters() of this very model, after it has been built."
    if unregistered:
        remedy = (
            "Make them nn.Parameter, or modules kept as attributes or in an nn.ModuleList: parameters() misses them."
        )
    yield {
        "module": common_module([p.module for p in loose]),
        "count": len(loose),
        "parameters": [p.name for p in loose[:20]],
        "share": sum(p.size for p in loose) / sum(p.size for p in [*loose, *held]),
        "stale": stale,
        "remedy": remedy,
        "harm": 1.0 if not held or replaced else 0.8 if unregistered else left_out(case, [p.name for p in loose]),
    }


def _loose(case: Case, names: set[str]) -> list[Parameter]:
    return [p for p in case.run.parameters if p.optimizer < 0 and p.trainable and p.name in names]


def held_in_waiting(case: Case) -> dict[str, str]:
    """Parameters that got a gradient and that an optimizer holds which never stepped, with its kind."""
    told = {name: facts["optimizer"] for facts in case.events("waiting") for name in facts["parameters"]}
    return {p.name: told[p.name] for p in _loose(case, reached(case.run.passes)) if p.name in told} if told else {}


def left_out(case: Case, loose: Sequence[str]) -> float:
    """How harmful it is that these are not moved while others are."""
    if _heads_as_made(case, {*loose}):
        return case.harm(1.0, 0.6, 0.6 if math.isnan(case.skill) else 0.3, 0.6)
    return case.harm(1.0, 0.6, 0.3, _untrained(case))


def _heads_as_made(case: Case, loose: set[str]) -> bool:
    """Whether layers as they were made, left out, lie between what an optimizer holds and the loss."""
    made = {name for facts in case.events("loose") for name in facts["parameters"]} & loose
    held = {p.name for p in case.run.parameters if p.optimizer >= 0}
    return bool(made) and any(_behind(p, made) & held for p in case.passes[:1])


def _meeting(index: int, above: Mapping[int, int], ahead: Mapping[int, Sequence[int]]) -> int:
    """The operation at which a leaf meets something else."""
    while index in above and len(ahead.get(index, ())) < 2:
        index = above[index]
    return index


def _behind(observed: Pass, heads: set[str]) -> set[str]:
    """The leaves that lie behind the operations which use these."""
    topology = observed.flow.topology
    leaves = {index: name for name, index in topology.leaves().items()}
    ahead: dict[int, list[int]] = {}
    for edge in topology.edges:
        ahead.setdefault(edge.sender, []).append(edge.receiver)
    reached: set[int] = set()
    above = {edge.receiver: edge.sender for edge in topology.edges}
    stack = [_meeting(index, above, ahead) for index, leaf in leaves.items() if leaf in heads]
    while stack:
        index = stack.pop()
        if index not in reached:
            reached.add(index)
            stack += ahead.get(index, ())
    return {leaves[index] for index in reached if index in leaves}


def _replaced(case: Case, loose: Sequence[Parameter], names: set[str]) -> int:
    """How many tensors of no module an optimizer holds, of the shape or width of one left out, that get no gradient."""
    shapes, moved = {p.shape for p in loose}, _moved(case)
    widths = {p.shape[1:] for p in loose if len(p.shape) > 1}
    return sum(
        p.optimizer >= 0
        and not p.kind
        and p.name not in names
        and (p.shape in shapes or (len(p.shape) > 1 and p.shape[1:] in widths))
        and number not in moved
        for number, p in enumerate(case.run.parameters)
    )


def _moved(case: Case) -> set[int]:
    """Numbers of the parameters that an optimizer moved at some observed step."""
    return {int(n) for u in case.run.updates for n in np.flatnonzero(np.nan_to_num(u.update) != 0)}


def _have_masters(case: Case, loose: Sequence[Parameter], names: set[str]) -> bool:
    """Whether each has a copy of its own that the optimizer moves in its stead, in a wider type: mixed precision."""
    copies = Counter(
        p.shape for p in case.run.parameters if p.optimizer >= 0 and p.name not in names and p.dtype in WIDE
    )
    needed = Counter(p.shape for p in loose)
    return not any(p.dtype in WIDE for p in loose) and all(copies[shape] >= count for shape, count in needed.items())


def _untrained(case: Case) -> float:
    """How harmful left-out parameters are where something, but not much, was learned."""
    return 0.6 if case.skill < 0.5 else 0.3


def reached(passes: Sequence[Pass]) -> set[str]:
    """Parameters that one of these passes brought a gradient."""
    found: set[str] = set()
    for p in passes:
        if new := {leaf: index for leaf, index in p.flow.plan.leaves.items() if leaf not in found}:
            cotangents = p.flow.cotangents
            found.update(leaf for leaf, index in new.items() if cotangents[index] > 0)
    return found
