"""Shapes of output and target that a loss accepts and should not: read off the graph."""

from __future__ import annotations

import math

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import LIMITS, below, distinct, names_in
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

COMBINES = {"AddBackward0": "added to", "DivBackward0": "divided by", "MulBackward0": "multiplied by"}

ENTRYWISE = frozenset(
    {"AbsBackward0", "ExpBackward0", "LogBackward0", "LogSigmoidBackward0", "MaximumBackward0", "MinimumBackward0",
     "NegBackward0", "PowBackward0", "ReluBackward0", "RsubBackward1", "SigmoidBackward0", "SoftplusBackward0",
     "TanhBackward0"}
) | LIMITS  # fmt: skip
"""What treats all pairs alike, and takes nothing in that could tell which of them are meant."""

JOINS = frozenset({"AddBackward0", "DivBackward0", "MulBackward0", "SubBackward0"})

FUSED = frozenset({"HuberLossBackward0", "MseLossBackward0", "SmoothL1LossBackward0"})
"""Comparisons that average as well."""

WHOLE = frozenset({"MeanBackward0", "SumBackward0"})
"""Over every entry."""

COMPARISONS = frozenset(
    {"HuberLossBackward0", "L1LossBackward0", "MseLossBackward0", "SmoothL1LossBackward0", "SubBackward0"}
)


@diagnosis(
    "UT403",
    "single-output-cross-entropy",
    message="{how}",
    advice="{remedy}",
    source="by definition of the softmax",
)
def single_output_cross_entropy(case: Case) -> Found:
    """A softmax, or cross-entropy, over a single output.

    ## What it means
    A softmax over one number is 1 whatever the number is. No gradient comes out of it. A softmax over the wrong
    dimension, that of the batch, makes examples compete instead of classes; alone in its batch, an example gets 1.

    ## When it is harmless
    Never, before a loss.

    ## What to do
    For two classes: one output and BCEWithLogitsLoss, or two outputs and CrossEntropyLoss.
    """
    for observed in distinct(case):
        for index, size in observed.head.softmax_sizes.items():
            if size == 1 and observed.flow.topology.operations[index].shapes[0][:1] != (1,):
                yield case.place(observed, index) | {"outputs": 1, "how": OVER_ONE, "remedy": FOR_ONE, "harm": 1.0}
                return
            if _over_examples(observed, index, size):
                yield case.place(observed, index) | {
                    "outputs": size,
                    "how": f"a softmax runs over the {size} examples of the batch, and not over the classes: "
                    "what is answered for one example depends on the others",
                    "remedy": "Take the softmax over the classes: dim=1, or dim=-1.",
                    "harm": 0.95,
                }
                return


OVER_ONE = "a softmax over one output is always 1: the loss is a constant and its gradient exactly 0"
FOR_ONE = "Use one output with BCEWithLogitsLoss, or as many outputs as there are classes."

LAYERS = frozenset({"AddmmBackward0", "ReluBackward0", "TanhBackward0"})


def _over_examples(observed: Pass, index: int, size: int) -> bool:
    """Whether a softmax over the scores of a layer runs along the batch, which the target has as many entries as."""
    shape, target = observed.flow.topology.operations[index].shapes[0], observed.target
    names = names_in(observed)
    along = len(shape) == 2 and size == shape[0] and shape[1] not in (1, size)
    from_layer = {names[i] for i in below(observed, index)} <= LAYERS
    return along and from_layer and target is not None and target.shape[:1] == (size,)


@diagnosis(
    "UT404",
    "target-broadcast",
    message="output {output} and target broadcast to {shape}: each output is {met} every target of the batch",
    advice="Give both the same shape, for instance target.unsqueeze(1) or output.squeeze(1){at}.",
    source="PyTorch's warning on mse_loss with differing sizes",
)
def target_broadcast(case: Case) -> Found:
    """Output and target of shapes (N, 1) and (N,), which broadcast to (N, N).

    ## What it means
    Each prediction is pulled towards the mean of all targets: the network learns to answer that mean. The mean of
    the products of each output with each advantage is the product of their means: which belongs to which is lost.

    ## When it is harmless
    Where all pairs are wanted, as in ranking and contrastive losses: then both sides come from the network,
    and it is not reported.

    ## What to do
    Make the shapes equal.
    """
    for observed in distinct(case):
        topology = observed.flow.topology
        for edge in topology.edges:
            sender, receiver = topology.operations[edge.sender], topology.operations[edge.receiver]
            given = receiver.shapes[edge.slot]
            outer = _is_outer(sender.shapes, given)
            if not outer and not _crosses_examples(sender.shapes, given):
                continue
            met = _met(observed, edge.sender, _of_the_network(case, observed))
            if (not outer or edge.sender not in observed.head.operations) and not _all_averaged(observed, edge.sender):
                continue
            if not met:
                continue
            yield case.place(observed, edge.sender) | {
                "output": _size(receiver.shapes[edge.slot]),
                "shape": _size(sender.shapes[0]),
                "met": met,
                "harm": 1.0,
            }
            return


def _is_outer(outputs: tuple[tuple[int, ...], ...], given: tuple[int, ...]) -> bool:
    """Whether a tensor of N entries became one of N by N."""
    entries = math.prod(given)
    return entries > 1 and bool(outputs) and len(outputs[0]) >= 2 and outputs[0][-2:] == (entries, entries)


def _crosses_examples(outputs: tuple[tuple[int, ...], ...], given: tuple[int, ...]) -> bool:
    """Whether each of N examples of several numbers met each of N: (N, 1, …) or (N, …) became (N, N, …)."""
    if not outputs or len(outputs[0]) < 3 or not 0 <= len(outputs[0]) - len(given) <= 1:
        return False
    shape, padded = outputs[0], (1,) * (len(outputs[0]) - len(given)) + given
    grown = [place for place, size in enumerate(padded) if size != shape[place]]
    return (
        len(grown) == 1 and grown[0] < 2 and padded[grown[0]] == 1 and shape[0] == shape[1] == padded[1 - grown[0]] > 1
    )


def _of_the_network(case: Case, observed: Pass) -> frozenset[int]:
    """The operations whose results depend on something that is trained; others are data, gradient or none."""
    topology = observed.flow.topology
    trained = {p.name for p in case.run.parameters if p.optimizer >= 0 or p.kind}
    found = {i for i, op in enumerate(topology.operations) if op.leaf in trained}
    for edge in sorted(topology.edges, key=lambda edge: -edge.sender):
        if edge.receiver in found:
            found.add(edge.sender)
    return frozenset(found)


def _met(observed: Pass, index: int, network: frozenset[int]) -> str:
    """What is done here to each output with each number of the data; empty where it is nothing of the kind."""
    topology = observed.flow.topology
    name = topology.operations[index].name
    alone = sum(edge.sender == index and edge.receiver in network for edge in topology.edges) == 1
    if (name in COMPARISONS and alone) or (name == "ExpandBackward0" and _compared(observed, index)):
        return "compared with"
    return COMBINES.get(name, "") if alone and _all_averaged(observed, index) else ""


def _all_averaged(observed: Pass, index: int) -> bool:
    """Whether all pairs go, entry by entry, into one mean or sum: none of them is picked or weighed."""
    topology = observed.flow.topology
    senders = [edge.sender for edge in topology.edges if edge.receiver == index]
    names = {sender: topology.operations[sender].name for sender in senders}
    if topology.operations[index].name == "ExpandBackward0" and senders and all(n in FUSED for n in names.values()):
        return True
    return bool(senders) and all(
        name in WHOLE or ((name in ENTRYWISE or _evenly(observed, sender)) and _all_averaged(observed, sender))
        for sender, name in names.items()
    )


def _evenly(observed: Pass, index: int) -> bool:
    """Whether an operation joins all pairs with what cannot tell them apart.

    That is one number of the network, one for each output, or as many from another way to it.
    """
    topology = observed.flow.topology
    if topology.operations[index].name not in JOINS:
        return False
    shapes = [topology.operations[e.receiver].shapes[e.slot] for e in topology.edges if e.sender == index]
    whole = topology.operations[index].shapes[0]
    return len(shapes) == 2 and all(shape == whole or math.prod(shape) in (1, whole[-1]) for shape in shapes)


def _compared(observed: Pass, index: int) -> bool:
    topology = observed.flow.topology
    senders = [edge.sender for edge in topology.edges if edge.receiver == index]
    return any(
        topology.operations[sender].name in COMPARISONS and sum(edge.sender == sender for edge in topology.edges) == 1
        for sender in senders
    )


def _size(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
