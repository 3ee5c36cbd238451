"""What makes all examples alike by the way it is written: a loss that only pulls together, a mean over the batch."""

from __future__ import annotations

from undertow.diagnose.checks.head import VIEWS, names_in
from undertow.store import Pass

__all__ = ["pooled", "pulled_together"]

DISTANCES = ("HuberLoss", "L1Loss", "MseLoss", "SmoothL1Loss")
SIZES = ("Abs", "LinalgVectorNorm", "Norm", "Pow")
PLAIN = (*SIZES, "ClampMin", "Clone", "Mean", "Neg", "Rsub", "Sqrt", "Squeeze", "Sum")
TURNS = ("Neg", "Rsub")


def pulled_together(observed: Pass) -> int | None:
    """The operation that compares two outputs of the same weights, where the loss asks for nothing but that they agree.

    Every part of such a loss has its least value where the network answers the same whatever it sees.
    """
    names, topology = names_in(observed), observed.flow.topology
    found = None
    index, turned, sized, scaled = (topology.roots[0][0] if len(topology.roots) == 1 else -1), 0, False, False
    while index in observed.head.operations:
        inner = [edge.receiver for edge in topology.edges if edge.sender == index]
        if len(inner) == 2:
            found = index
            break
        if len(inner) != 1 or not (names[index].startswith(PLAIN) or names[index] in VIEWS):
            return None
        turned += names[index].startswith(TURNS)
        sized |= names[index].startswith(SIZES)
        index = inner[0]
    if found is None:
        return None
    scaled = all(names[i] == "DivBackward0" for i in inner)
    distance = names[found].startswith(DISTANCES) or (names[found].startswith("Sub") and sized)
    similarity = names[found].startswith("Mul") and scaled
    if not (distance and not turned) and not (similarity and turned == 1):
        return None
    sides = [_leaves(observed, i) for i in inner]
    return found if sides[0] == sides[1] and sides[0] else None


def _leaves(observed: Pass, index: int) -> frozenset[str]:
    """The weights behind an operation; none where the head does more on the way than to view and to normalise."""
    names, topology = names_in(observed), observed.flow.topology
    reached, stack = set[int](), [index]
    while stack:
        index = stack.pop()
        inner = [edge.receiver for edge in topology.edges if edge.sender == index]
        if index in observed.head.operations and not _only_normalises(names[index], len(inner)):
            return frozenset()
        if index not in reached:
            reached.add(index)
            stack += inner
    return frozenset(topology.operations[i].leaf for i in reached if topology.operations[i].leaf)


def _only_normalises(name: str, edges: int) -> bool:
    return (
        name in VIEWS
        or name.startswith(("ClampMin", "Clone", "LinalgVectorNorm"))
        or (name == "DivBackward0" and edges == 2)
    )


def pooled(observed: Pass) -> tuple[Pass, int] | None:
    """An operation over the batch through which alone the data reach outputs that have a row for each example."""
    topology, target = observed.flow.topology, observed.target
    if target is None or not target.shape or target.shape[0] < 2:
        return None
    rows, shapes = target.shape[0], [op.shapes[0] if op.shapes else () for op in topology.operations]
    pools = {
        e.sender
        for e in topology.edges
        if topology.operations[e.sender].name.startswith(POOLS) and e.sender not in observed.head.operations
        if shapes[e.receiver][:1] == (rows,)
        and shapes[e.sender] in {(1, *shapes[e.receiver][1:]), shapes[e.receiver][1:]}
    }
    entrances = {scale.operation for scale in observed.inputs if scale.shape[0] == rows}
    entrances |= {i for i, op in enumerate(topology.operations) if op.name.startswith("Embedding")}
    reached, used = set[int](), set[int]()
    stack = [root for root, _ in topology.roots if pools]
    while stack:
        index = stack.pop()
        if index not in reached:
            reached.add(index)
            used |= {index} & pools
            stack += [topology.edges[e].receiver for e in observed.flow.plan.sent[index] if index not in pools]
    return (observed, min(used)) if used and entrances and not entrances & reached else None


POOLS = ("Amax", "Amin", "Max", "Mean", "Sum")
