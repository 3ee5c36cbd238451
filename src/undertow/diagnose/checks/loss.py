"""The activation that a loss applies, or expects: read off the graph, without a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import LIMITS, VIEWS, above, below, distinct, names_in
from undertow.diagnose.checks.spelled import likelihood_of_both, squash_of
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

CLAMPS = LIMITS | {"AddBackward0", "MulBackward0"}
APPLIES = {"LogSoftmaxBackward0": "softmax", "BinaryCrossEntropyWithLogitsBackward0": "sigmoid"}
LOG_LIKELIHOODS = {
    "CtcLossBackward0": "CTCLoss",
    "KlDivBackward0": "KLDivLoss",
    "NllLoss2DBackward0": "NLLLoss",
    "NllLossBackward0": "NLLLoss",
}
NOT_PROBABILITIES = frozenset(
    {"AddmmBackward0", "BmmBackward0", "ConvolutionBackward0", "EluBackward0", "GeluBackward0", "HardtanhBackward0",
     "LeakyReluBackward0", "MmBackward0", "ReluBackward0", "SiluBackward0", "SoftplusBackward0", "TanhBackward0"}
)  # fmt: skip
NOT_LOG_PROBABILITIES = NOT_PROBABILITIES | {"SigmoidBackward0", "SoftmaxBackward0"}
PICKS = frozenset({"GatherBackward0", "IndexBackward0"})
LINEAR = frozenset(
    {"DivBackward0", "MeanBackward0", "MeanBackward1", "MulBackward0", "NegBackward0", "SumBackward0", "SumBackward1"}
)


@diagnosis(
    "UT401",
    "loss-activation-twice",
    message="a {squash} stands before a loss that applies one itself: the logits it gets lie between 0 and 1, "
    "so the loss cannot fall below {floor:.3g}",
    advice="Hand the loss the raw outputs of the last layer: remove the {squash}{at}, "
    "or use the loss without one in it.",
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
    for observed in distinct(case):
        names = names_in(observed)
        for outer in observed.head.operations:
            for inner in below(observed, outer, VIEWS | LIMITS) if names[outer] in APPLIES else ():
                if squash := squash_of(observed, inner):
                    classes = observed.head.softmax_sizes.get(outer, 2)
                    floor = (
                        math.log(math.e + classes - 1) - 1
                        if names[outer] == "LogSoftmaxBackward0"
                        else math.log1p(1 / math.e)
                    )
                    yield case.place(observed, inner) | {
                        "squash": squash,
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
    source="PyTorch documentation of NLLLoss, CTCLoss and BCELoss",
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
    for observed in distinct(case):
        names = names_in(observed)
        for index in observed.head.operations:
            if names[index] in LOG_LIKELIHOODS:
                facts = _not_log_probabilities(observed, index)
            elif names[index] == "BinaryCrossEntropyBackward0":
                facts = _not_probabilities(observed, index)
            elif names[index] == "LogBackward0":
                facts = _likelihood_of_scores(observed, index)
            elif names[index] in PICKS and case.outcome.last < 0:
                facts = _picked_scores(observed, index)
            elif names[index] == "SubBackward0" and case.outcome.last < 0:
                facts = _divergence_below_zero(observed, index)
            else:
                continue
            if facts:
                yield case.place(observed, index) | facts | {"harm": 0.9}
                return


def _not_log_probabilities(observed: Pass, index: int) -> dict[str, str] | None:
    target = observed.target
    if target is None or target.operation != index or not abs(target.normalised) > 0.05:
        return None
    return {
        "loss": LOG_LIKELIHOODS[names_in(observed)[index]],
        "expects": "log-probabilities",
        "producer": _said(observed, index),
        "missing": "log-softmax",
        "gap": f"log Σ exp over the classes is {target.normalised:.3g}, not 0",
    }


def _not_probabilities(observed: Pass, index: int) -> dict[str, str] | None:
    names = names_in(observed)
    producers = {names[inner] for inner in below(observed, index, VIEWS | CLAMPS)}
    if not producers or not producers <= NOT_PROBABILITIES:
        return None
    return {
        "loss": "BCELoss",
        "expects": "probabilities",
        "producer": _said(observed, index),
        "missing": "sigmoid",
        "gap": "nothing on the way squashes it to between 0 and 1",
    }


def _likelihood_of_scores(observed: Pass, index: int) -> dict[str, str] | None:
    """A binary cross-entropy written by hand: the logarithms of scores, and of 1 less the same scores."""
    scores = likelihood_of_both(observed, index, VIEWS | CLAMPS)
    if not scores or not {names_in(observed)[i] for i in scores} <= NOT_PROBABILITIES:
        return None
    return {
        "loss": "the binary cross-entropy written here",
        "expects": "probabilities",
        "producer": ", ".join(sorted({names_in(observed)[i].split("Backward")[0] for i in scores})),
        "missing": "sigmoid",
        "gap": "nothing on the way squashes it to between 0 and 1",
    }


def _picked_scores(observed: Pass, index: int) -> dict[str, str] | None:
    """A likelihood written by hand: the entry of the right class, of scores that nothing normalised."""
    names = names_in(observed)
    if _logarithm_of_scores(observed, index):
        return {
            "loss": "the negative log-likelihood written here",
            "expects": "the logarithm of probabilities",
            "producer": _said(observed, index),
            "missing": "softmax",
            "gap": "the loss fell below 0, which no logarithm of a probability allows",
        }
    linear = all(names[i] in LINEAR | PICKS | VIEWS for i in observed.head.operations)
    if not linear or not {names[inner] for inner in below(observed, index)} <= NOT_LOG_PROBABILITIES:
        return None
    return {
        "loss": "the negative log-likelihood written here",
        "expects": "log-probabilities",
        "producer": _said(observed, index),
        "missing": "log-softmax",
        "gap": "the loss is linear in the scores, and fell below 0",
    }


def _logarithm_of_scores(observed: Pass, index: int) -> bool:
    """Whether an entry is picked, before or after its logarithm is taken, of scores that nothing squashed."""
    names = names_in(observed)
    taken = [*below(observed, index)]
    logs = [i for i in taken if names[i] == "LogBackward0"]
    scores = {names[i] for log in logs for i in below(observed, log, VIEWS | CLAMPS)}
    others = all(names[i] in LINEAR | PICKS | VIEWS | CLAMPS | {"LogBackward0"} for i in observed.head.operations)
    return bool(scores) and len(logs) == len(taken) and others and scores <= NOT_PROBABILITIES - {"SoftplusBackward0"}


TOTALS = frozenset({"DivBackward0", "MeanBackward0", "MeanBackward1", "SumBackward0", "SumBackward1"})


def _divergence_below_zero(observed: Pass, index: int) -> dict[str, str] | None:
    """A Kullback-Leibler divergence (t · log t − t · input, summed), which cannot be below 0 for log-probabilities."""
    names = names_in(observed)
    by_one_number = set() if observed.conditions is None else {*observed.conditions.scaled}
    if not {names[outer] for outer in above(observed, index) if outer not in by_one_number} <= TOTALS | VIEWS:
        return None
    products = [inner for inner in below(observed, index) if names[inner] == "MulBackward0"]
    edges = [edge for edge in observed.flow.topology.edges if edge.sender in (index, *products)]
    summed = all(names[i] in LINEAR | VIEWS for i in observed.head.operations if i < index)
    if (
        not summed
        or len(products) != 1
        or len(edges) != 2
        or not {names[inner] for inner in _less_factors(observed, products[0])} <= NOT_LOG_PROBABILITIES
    ):
        return None
    return {
        "loss": "KLDivLoss",
        "expects": "log-probabilities",
        "producer": ", ".join(sorted({names[i].split("Backward")[0] for i in _less_factors(observed, products[0])})),
        "missing": "log-softmax",
        "gap": "the divergence fell below 0, which it cannot between probabilities",
    }


def _less_factors(observed: Pass, index: int) -> Iterator[int]:
    """What an operation works on, less multiplications by one number, as by a temperature."""
    scaled = () if observed.conditions is None else observed.conditions.scaled
    for inner in below(observed, index):
        yield from _less_factors(observed, inner) if inner in scaled else (inner,)


def _said(observed: Pass, index: int) -> str:
    names = names_in(observed)
    return ", ".join(sorted({names[inner].split("Backward")[0] for inner in below(observed, index)})) or "data"
