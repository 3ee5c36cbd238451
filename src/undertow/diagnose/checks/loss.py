"""Faults of the loss and of the output it is given: read off the graph, without a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

VIEWS = frozenset(
    {
        "AliasBackward0",
        "CloneBackward0",
        "ExpandBackward0",
        "IndexBackward0",
        "PermuteBackward0",
        "ReshapeAliasBackward0",
        "SelectBackward0",
        "SliceBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "ToCopyBackward0",
        "TransposeBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "ViewBackward0",
    }
)
CLAMPS = frozenset(
    {"ClampBackward0", "ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0", "AddBackward0", "MulBackward0"}
)
SQUASHING = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}
APPLIES = {"LogSoftmaxBackward0": "softmax", "BinaryCrossEntropyWithLogitsBackward0": "sigmoid"}
LOG_LIKELIHOODS = {"NllLossBackward0": "NLLLoss", "NllLoss2DBackward0": "NLLLoss", "KlDivBackward0": "KLDivLoss"}
COMPARISONS = frozenset(
    {"HuberLossBackward0", "L1LossBackward0", "MseLossBackward0", "SmoothL1LossBackward0", "SubBackward0"}
)
NOT_PROBABILITIES = frozenset(
    {"AddmmBackward0", "BmmBackward0", "ConvolutionBackward0", "EluBackward0", "GeluBackward0", "HardtanhBackward0",
     "LeakyReluBackward0", "MmBackward0", "ReluBackward0", "SiluBackward0", "SoftplusBackward0", "TanhBackward0"}
)  # fmt: skip


def _names(observed: Pass) -> list[str]:
    return [op.name for op in observed.flow.topology.operations]


def _below(observed: Pass, index: int, through: frozenset[str] = VIEWS) -> Iterator[int]:
    """The operations whose outputs an operation works on, seen through views."""
    operations = observed.flow.topology.operations
    for edge in observed.flow.topology.edges:
        if edge.sender == index:
            if operations[edge.receiver].name in through:
                yield from _below(observed, edge.receiver, through)
            else:
                yield edge.receiver


def _place(case: Case, observed: Pass, index: int) -> dict[str, str]:
    operation = observed.flow.topology.operations[index]
    return {
        "module": operation.module or case.module_of(observed, index),
        "operation": operation.name,
        "source": operation.source,
    }


def _distinct(case: Case) -> Iterator[Pass]:
    """One pass of each graph, of every site."""
    seen = set()
    for observed in case.run.passes:
        if id(observed.flow.plan) not in seen:
            seen.add(id(observed.flow.plan))
            yield observed


@diagnosis(
    "UT401",
    "loss-activation-twice",
    message="a {squash} stands before a loss that applies one itself: the logits it gets lie between 0 and 1, "
    "so the loss cannot fall below {floor:.3g}",
    advice="Hand the loss the raw outputs of the last layer: remove the {squash}{at}, "
    "or use the loss without one in it.",
    explains=("UT101", "UT202", "UT301", "UT302", "UT701"),
    source="PyTorch documentation of CrossEntropyLoss and BCEWithLogitsLoss, which expect unnormalised logits",
)
def loss_activation_twice(case: Case) -> Found:
    """A softmax or sigmoid before a loss that has one in it.

    ## What it means
    The loss normalises what it gets, and gets probabilities: numbers between 0 and 1. Even a perfect network
    then keeps a loss far above 0, and its gradient passes through two saturating steps. Seen in the graph:
    the node of the one feeds the node of the other.

    ## When it is harmless
    A log-softmax before cross-entropy changes nothing and is not reported. Networks with a softmax twice often
    still learn the right order of the classes, slowly, with useless probabilities.

    ## What to do
    Remove the activation from the model, or choose the loss that does not apply it.
    """
    for observed in _distinct(case):
        names = _names(observed)
        for outer in observed.head.operations:
            for inner in _below(observed, outer) if names[outer] in APPLIES else ():
                if names[inner] in SQUASHING:
                    classes = observed.head.softmax_sizes.get(outer, 2)
                    floor = (
                        math.log(math.e + classes - 1) - 1
                        if names[outer] == "LogSoftmaxBackward0"
                        else math.log1p(1 / math.e)
                    )
                    yield _place(case, observed, inner) | {
                        "squash": SQUASHING[names[inner]],
                        "loss": names[outer],
                        "floor": floor,
                        "harm": 0.95,
                    }
                    return


@diagnosis(
    "UT402",
    "loss-activation-missing",
    message="{loss} expects {expects}, and gets the output of {producer} ({gap})",
    advice="Put the missing {missing} before the loss, or use the loss that has it in it "
    "(CrossEntropyLoss for NLLLoss, BCEWithLogitsLoss for BCELoss).",
    explains=("UT101", "UT201", "UT301", "UT302", "UT701", "UT801"),
    source="PyTorch documentation of NLLLoss and BCELoss",
)
def loss_activation_missing(case: Case) -> Found:
    """A loss for (log-)probabilities that is given something else.

    ## What it means
    NLLLoss merely picks the entry of the right class and changes its sign. Without a log-softmax before it,
    the loss falls without end as that entry grows, and nothing pushes the others down. BCELoss takes the
    logarithm of its input: outside 0 to 1, or at exactly 0, its gradient is useless. The negative
    log-likelihood's input is measured: log Σ exp over classes must be 0.

    ## When it is harmless
    If the output is a probability by another way than sigmoid or softmax; these are looked for by name.

    ## What to do
    Add the activation, or use the loss that applies it.
    """
    for observed in _distinct(case):
        names = _names(observed)
        for index in observed.head.operations:
            if names[index] in LOG_LIKELIHOODS:
                facts = _not_log_probabilities(observed, index)
            elif names[index] == "BinaryCrossEntropyBackward0":
                facts = _not_probabilities(observed, index)
            elif names[index] == "SubBackward0" and case.outcome.last < 0:
                facts = _divergence_below_zero(observed, index)
            else:
                continue
            if facts:
                yield _place(case, observed, index) | facts | {"harm": 0.9}
                return


def _not_log_probabilities(observed: Pass, index: int) -> dict[str, str] | None:
    target = observed.target
    if target is None or target.operation != index or not abs(target.normalised) > 0.05:
        return None
    return {
        "loss": LOG_LIKELIHOODS[_names(observed)[index]],
        "expects": "log-probabilities",
        "producer": _said(observed, index),
        "missing": "log-softmax",
        "gap": f"log Σ exp over the classes is {target.normalised:.3g}, not 0",
    }


def _not_probabilities(observed: Pass, index: int) -> dict[str, str] | None:
    names = _names(observed)
    producers = {names[below] for below in _below(observed, index, VIEWS | CLAMPS)}
    if not producers or not producers <= NOT_PROBABILITIES:
        return None
    return {
        "loss": "BCELoss",
        "expects": "probabilities",
        "producer": _said(observed, index),
        "missing": "sigmoid",
        "gap": "nothing on the way squashes it to between 0 and 1",
    }


def _divergence_below_zero(observed: Pass, index: int) -> dict[str, str] | None:
    """A Kullback-Leibler divergence (t · log t − t · input, summed), which cannot be below 0 for log-probabilities."""
    names = _names(observed)
    products = [below for below in _below(observed, index) if names[below] == "MulBackward0"]
    edges = [edge for edge in observed.flow.topology.edges if edge.sender in (index, *products)]
    if (
        len(products) != 1
        or len(edges) != 2
        or not {names[b] for b in _below(observed, products[0])} <= NOT_PROBABILITIES
    ):
        return None
    return {
        "loss": "KLDivLoss",
        "expects": "log-probabilities",
        "producer": _said(observed, products[0]),
        "missing": "log-softmax",
        "gap": "the divergence fell below 0, which it cannot between probabilities",
    }


def _said(observed: Pass, index: int) -> str:
    names = _names(observed)
    return ", ".join(sorted({names[below].split("Backward")[0] for below in _below(observed, index)})) or "data"


@diagnosis(
    "UT403",
    "single-output-cross-entropy",
    message="a softmax over one output is always 1: the loss is a constant and its gradient exactly 0",
    advice="Use one output with BCEWithLogitsLoss, or as many outputs as there are classes.",
    explains=("UT101", "UT103", "UT201", "UT302", "UT401", "UT404", "UT701"),
    source="by definition of the softmax",
)
def single_output_cross_entropy(case: Case) -> Found:
    """A softmax, or cross-entropy, over a single output.

    ## What it means
    A softmax over one number is 1 whatever the number is. No gradient comes out of it.

    ## When it is harmless
    Never, before a loss.

    ## What to do
    For two classes: one output and BCEWithLogitsLoss, or two outputs and CrossEntropyLoss.
    """
    for observed in _distinct(case):
        for index, size in observed.head.softmax_sizes.items():
            if size == 1 and observed.flow.topology.operations[index].shapes[0][:1] != (1,):
                yield _place(case, observed, index) | {"outputs": 1, "harm": 1.0}
                return


@diagnosis(
    "UT404",
    "target-broadcast",
    message="output {output} and target broadcast to {shape}: each output is compared with every target of the batch",
    advice="Give both the same shape, for instance target.unsqueeze(1) or output.squeeze(1){at}.",
    explains=("UT101", "UT201", "UT301", "UT302", "UT701"),
    source="PyTorch's warning on mse_loss with differing sizes",
)
def target_broadcast(case: Case) -> Found:
    """Output and target of shapes (N, 1) and (N,), which broadcast to (N, N).

    ## What it means
    Each prediction is pulled towards the mean of all targets: the network learns to answer that mean.

    ## When it is harmless
    Where all pairs are wanted, as in ranking and contrastive losses: then both sides come from the network,
    and it is not reported.

    ## What to do
    Make the shapes equal.
    """
    for observed in _distinct(case):
        topology = observed.flow.topology
        for edge in topology.edges:
            sender, receiver = topology.operations[edge.sender], topology.operations[edge.receiver]
            if edge.sender not in observed.head.operations or not _is_outer(sender.shapes, receiver.shapes[edge.slot]):
                continue
            if (sender.name in COMPARISONS and sum(e.sender == edge.sender for e in topology.edges) == 1) or (
                sender.name == "ExpandBackward0" and _compared(observed, edge.sender)
            ):
                shape = sender.shapes[0]
            else:
                continue
            yield _place(case, observed, edge.sender) | {
                "output": _size(receiver.shapes[edge.slot]),
                "shape": _size(shape),
                "harm": 1.0,
            }
            return


def _is_outer(outputs: tuple[tuple[int, ...], ...], given: tuple[int, ...]) -> bool:
    """Whether a tensor of N entries became one of N by N."""
    entries = math.prod(given)
    return entries > 1 and bool(outputs) and len(outputs[0]) >= 2 and outputs[0][-2:] == (entries, entries)


def _compared(observed: Pass, index: int) -> bool:
    topology = observed.flow.topology
    senders = [edge.sender for edge in topology.edges if edge.receiver == index]
    return any(
        topology.operations[sender].name in COMPARISONS and sum(edge.sender == sender for edge in topology.edges) == 1
        for sender in senders
    )


def _size(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
