"""Faults of modes: of normalisation, of dropout, and of accumulating over several passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from undertow.diagnose.case import LITTLE, Case
from undertow.diagnose.checks.rates import oversized
from undertow.diagnose.table import Found, diagnosis
from undertow.store import BatchNorm, Pass, TinyNorm

__all__: list[str] = []

TINY = 2
"""Numbers a statistic is taken over: of two, normalised, nothing is left but which is the larger."""

FEW = 4
"""Of which the mean and the deviation, which are taken away, are half of what there is."""

FEWEST_KEPT = 0.2
"""Share of entries let through: the noise of such a dropout is twice as large as what it is put on."""


def _norms(case: Case) -> list[tuple[Pass, BatchNorm]]:
    return [(observed, norm) for observed, noted in case.noted for norm in noted.norms]


@diagnosis(
    "UT601",
    "eval-mode-training",
    message="{what} while training{since}{fresh}",
    advice="Call model.train() before each epoch, after every validation.",
    source="Ioffe & Szegedy 2015, arXiv:1502.03167; PyTorch documentation of Module.train",
)
def eval_mode_training(case: Case) -> Found:
    """Training in the mode that is meant for using a network.

    ## What it means
    In eval mode a batch normalisation divides by statistics that it collected before. Where it has collected none,
    it does nothing: the signal of a deep network is not normalised at all. Dropout does nothing either.

    ## When it is harmless
    In fine-tuning, where statistics are frozen on purpose; where the loss falls all the same this is a remark.
    Normalisations that were in training mode at first, and in eval mode ever since, were left so by accident: that is
    an alarm where it is so for more than half of the run, under the same optimizer; of dropout alone it is a remark.

    ## What to do
    `model.train()` before training, and again after each validation that called `model.eval()`.
    """
    norms = _norms(case)
    resting = [(p, n) for p, n in norms if not n.training]
    left = _left_resting(case)
    if not resting and left is not None:
        observed, kinds = left
        yield {
            "what": f"{', '.join(sorted(kinds))} did nothing",
            "since": f" from step {observed.step} on",
            "fresh": "",
            "count": sum(kinds.values()),
            "onset": "later",
            "harm": 0.3,
        }
    if not resting or (left is None and 2 * len(resting) < len(norms)):
        return
    observed, norm = resting[0]
    idle = all(n.untouched for _, n in resting)
    places = {(id(p.flow.plan), n.operation) for p, n in resting}
    count, of = len({operation for _, operation in places}), len({(id(p.flow.plan), n.operation) for p, n in norms})
    harm = case.harm(0.85, 0.4, 0.1, 0.6) if idle else case.harm(0.4, 0.2, 0.1)
    yield case.place(observed, norm.operation) | {
        "what": f"{count} of {of} batch normalisations used their running statistics",
        "count": count,
        "norms": of,
        "since": f" (from step {observed.step} on)" if observed.step > case.start else "",
        "fresh": ", which are still 0 and 1: nothing is normalised" if idle else "",
        "onset": "start" if observed.step == case.start else "later",
        "harm": harm if left is None else max(harm, LEFT),
    }


LEFT = 0.6


def _left_resting(case: Case) -> tuple[Pass, Mapping[str, int]] | None:
    """Since which pass layers are in eval mode that were in training mode before, for more than half of the run.

    A phase that begins with an optimizer of its own has chosen its modes.
    """
    noted = [(p, c.resting) for p, c in case.noted]
    first = next((n for n, (_, resting) in enumerate(noted) if resting), 0)
    if not first or len(noted) - first < FEWEST_RESTING or not all(resting for _, resting in noted[first:]):
        return None
    before, observed = noted[first - 1][0].step, noted[first][0]
    new = any(before < int(rate.steps[0]) <= observed.step for rate in case.run.rates)
    return None if new or 2 * observed.step > case.outcome.steps else noted[first]


FEWEST_RESTING = 3
"""Passes seen so, to say that it stayed so."""


@diagnosis(
    "UT602",
    "tiny-batch-norm",
    message="the {statistics} normalisation {where} takes each statistic over {entries} number{all_there_is}",
    advice="Use larger batches, or a normalisation that does not look across the batch (group or layer norm).",
    source="Ioffe 2017, Batch Renormalization, arXiv:1702.03275; Wu & He 2018, Group Normalization, arXiv:1803.08494",
)
def tiny_batch_norm(case: Case) -> Found:
    """Normalisation over so few numbers that it destroys what it normalises.

    ## What it means
    Two numbers, less their mean and over their deviation, are +1 and -1 whatever they were; one number is 0. Of three
    or four, little more is left; and, in batch normalisation, each example is changed by the chance of who was in its
    batch. Of any normalisation, instance, group or layer, that takes each statistic over two numbers, only their order
    comes through; over one, nothing.

    ## When it is harmless
    Where batches are small but the statistics run over many positions of an image: what is counted are numbers, not
    examples.

    ## What to do
    Larger batches, group or layer normalisation over more numbers, or frozen statistics.
    """
    tiny_ones = [(p, n) for p, noted in case.noted for n in noted.tiny]
    if tiny_ones and 2 * len({id(p) for p, _ in tiny_ones}) >= len(case.noted):
        yield _of_its_own(case, *tiny_ones[0])
        return
    training = [(p, n) for p, n in _norms(case) if n.training]
    if not training:
        return
    observed, norm = min(training, key=lambda item: item[1].entries)
    seen = [n.entries for p, n in training if n.operation == norm.operation and p.flow.plan is observed.flow.plan]
    rare = 2 * len(seen) < len({id(p) for p, _ in training})
    if norm.entries > FEW or rare:
        return
    tiny, most_is_left = norm.entries <= TINY, case.skill < LITTLE
    yield case.place(observed, norm.operation) | {
        "statistics": "batch",
        "entries": norm.entries,
        "all_there_is": LEFT_OVER.get(norm.entries, "s"),
        "onset": "start",
        "harm": case.harm(0.85, 0.5, 0.2, 0.6) if tiny else case.harm(0.6, 0.3, 0.1, 0.55 if most_is_left else 0.1),
    }


LEFT_OVER = {1: ": normalised, it is 0 whatever it was", 2: "s: normalised, they are +1 and -1 whatever they were"}
"""What there is of so many numbers."""


def _of_its_own(case: Case, observed: Pass, norm: TinyNorm) -> dict[str, Any]:
    """The order alone comes through, or nothing, in training and in use alike: a fault whatever makes up for it."""
    return case.place(observed, norm.operation) | {
        "statistics": norm.kind,
        "entries": norm.entries,
        "all_there_is": LEFT_OVER[norm.entries],
        "onset": "start",
        "harm": case.harm(0.85, 0.6, 0.6),
    }


@diagnosis(
    "UT603",
    "drowning-dropout",
    message="a dropout in {where} lets {kept:.0%} of its entries through: what passes is {noise:.1f} parts noise "
    "to one of signal",
    advice="Lower the rate of the dropout, say to 0.1 to 0.5. Its argument is the share that is dropped, not kept.",
    source="Srivastava et al. 2014, Dropout, Journal of Machine Learning Research 15",
)
def drowning_dropout(case: Case) -> Found:
    """Dropout so strong that its noise is larger than the signal.

    ## What it means
    Dropout multiplies each entry by 0 or by 1 over the share that is kept. The deviation of that factor is
    √(1/kept - 1), and its mean is 1: at a rate of 0.9 the noise is three times the signal.

    ## When it is harmless
    On very wide layers, where the next one averages over many entries, and at rates of up to 0.5 nearly always. Where
    the loss falls all the same it is a remark, unless most is left to learn or the noise is three times the signal.

    ## What to do
    Lower the rate. In some frameworks the argument is the share that is kept; PyTorch's is the share dropped.
    """
    found = [(p, d) for p, noted in case.noted for d in noted.dropouts if d.kept <= FEWEST_KEPT]
    if not found:
        return
    observed, dropout = min(found, key=lambda item: item[1].kept)
    most_is_left = case.skill < LITTLE
    yield case.place(observed, dropout.operation) | {
        "kept": dropout.kept,
        "noise": (1 / max(dropout.kept, 1e-6) - 1) ** 0.5,
        "onset": "start",
        "harm": case.harm(0.75, 0.4, 0.15, 0.55 if most_is_left or dropout.kept <= FEWEST_KEPT / 2 else 0.3),
    }


@diagnosis(
    "UT604",
    "unscaled-accumulation",
    act="backward",
    message="{passes} backward passes add up to each step, and none is divided by their number: "
    "the step is {passes} times as large as for one batch, {extent} of a typical weight matrix",
    advice="Divide the loss by the number of passes before backward(), or the learning rate by {passes}.",
    source="PyTorch documentation, Automatic Mixed Precision examples, Gradient accumulation",
)
def unscaled_accumulation(case: Case) -> Found:
    """Gradients accumulated over micro-batches without dividing by how many there are.

    ## What it means
    Each pass adds the gradient of a mean. The sum over k of them is k times the gradient of the mean over all, and
    the step is k times as large as the learning rate says.

    ## When it is harmless
    With optimizers that divide by the gradient's own size (Adam and its kin): these are not reported. And where the
    learning rate was chosen for it.

    ## What to do
    `(loss / k).backward()`.
    """
    if case.scale_free or case.rhythm < 2 or case.closure or not any(_is_mean(p) for p in case.passes):
        return
    too_large = oversized(case)
    if too_large is None:
        return
    yield {
        "passes": case.rhythm,
        "ratio": too_large["ratio"],
        "extent": f"{too_large['ratio']:.0%}",
        "onset": "start",
        "harm": 0.2 if case.learned else case.harm(0.92, 0.4, 0.2),
    }


MEANS = ("BinaryCrossEntropy", "HuberLoss", "L1Loss", "Mean", "MseLoss", "NllLoss", "SmoothL1Loss")


def _is_mean(observed: Pass) -> bool:
    """Whether the pass starts from a mean that nothing divides."""
    if observed.target is not None and observed.target.times == 1:
        return True
    names = [observed.flow.topology.operations[index].name for index, _ in observed.flow.topology.roots]
    if names == ["MulBackward0"] and observed.flow.scale != 1:
        names = [*_following(observed, observed.flow.topology.roots[0][0])]
    return len(names) == 1 and names[0].startswith(MEANS) and not (observed.target and observed.target.summed)


def _following(observed: Pass, index: int) -> Iterator[str]:
    topology = observed.flow.topology
    yield from (topology.operations[edge.receiver].name for edge in topology.edges if edge.sender == index)
