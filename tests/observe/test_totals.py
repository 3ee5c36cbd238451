"""How often its mean is in a loss, and what the best constant answer would lose."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from undertow.diagnose.chance import chance_loss, least_loss
from undertow.engine.graph import Graph
from undertow.observe.probes import loss_head
from undertow.observe.targets import target


def wanted(loss):
    graph = Graph.read(loss)
    return target(graph, loss_head(graph))


LOGITS, CLASSES, PADDED = nn.Linear(3, 4), torch.arange(8) % 4, torch.tensor([0, 0, 1, 2, 3, 3, 3, 0])
FEATURES, FACTORS = torch.linspace(-1, 1, 24).reshape(8, 3), torch.tensor([0.5, 1.0, 2.0, 4.0])

BECOMING = {
    "a mean": (1.0, lambda z: F.cross_entropy(z, CLASSES)),
    "a mean, accumulated over four": (0.25, lambda z: F.cross_entropy(z, CLASSES) / 4),
    "a mean, times a number": (3.0, lambda z: 3 * F.cross_entropy(z, CLASSES)),
    "a mean, times a tensor": (0.5, lambda z: torch.tensor(0.5) * F.cross_entropy(z, CLASSES)),
    "a sum": (8.0, lambda z: F.cross_entropy(z, CLASSES, reduction="sum")),
    "a sum over what counts": (1.0, lambda z: F.cross_entropy(z, CLASSES, reduction="sum") / torch.tensor(8)),
    "each, and then the mean": (1.0, lambda z: F.cross_entropy(z, CLASSES, reduction="none").mean()),
    "each, and then the sum of means": (
        2.0,
        lambda z: F.cross_entropy(z, CLASSES, reduction="none").view(2, 4).mean(-1).sum(),
    ),
    "some passed over": (1.0, lambda z: F.cross_entropy(z, PADDED, ignore_index=0)),
    "some passed over in a sum": (5.0, lambda z: F.cross_entropy(z, PADDED, ignore_index=0, reduction="sum")),
    "a mean, twice": (0.5, lambda z: F.cross_entropy(z, CLASSES).div(2).mean()),
    "another precision": (1.0, lambda z: F.cross_entropy(z, CLASSES).double()),
    "weighted classes": (1.0, lambda z: F.cross_entropy(z, CLASSES, weight=FACTORS)),
    "weighted classes in a sum": (15.0, lambda z: F.cross_entropy(z, CLASSES, weight=FACTORS, reduction="sum")),
    "a second term": (math.nan, lambda z: F.cross_entropy(z, CLASSES) + z.square().mean()),
    "examples that count differently": (
        math.nan,
        lambda z: (F.cross_entropy(z, CLASSES, reduction="none") * torch.arange(8)).mean(),
    ),
    "a root": (math.nan, lambda z: F.cross_entropy(z, CLASSES).sqrt()),
}


@pytest.mark.parametrize("written", BECOMING)
def test_how_often_the_mean_over_what_counts_is_in_the_loss(written):
    times, loss = BECOMING[written]
    logits = LOGITS(FEATURES)
    found = wanted(loss(logits))
    assert found.times == pytest.approx(times, nan_ok=True)
    if found.whole:
        asked = (PADDED if "passed over" in written else CLASSES)[..., None]
        log_shares = logits.log_softmax(-1).gather(-1, asked)[:, 0]
        counts = torch.tensor(found.weights or [1.0] * 4)[asked[:, 0]] * (asked[:, 0] >= ("passed over" in written))
        mean = -(log_shares * counts).sum() / counts.sum()
        assert loss(logits).item() == pytest.approx(times * mean.item())


def test_what_is_passed_over_is_not_counted():
    assert wanted(F.cross_entropy(LOGITS(FEATURES), PADDED, ignore_index=0)).counts == (0, 1, 1, 3)


@pytest.mark.parametrize("factor", [0.25, 1.0, 9.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_chance_is_what_the_best_constant_answer_loses_where_classes_are_weighted(factor, reduction):
    weights = torch.tensor([1.0, factor, 1.0, 1.0])
    answer = torch.zeros(4, requires_grad=True)

    def loss(z):
        return F.cross_entropy(z.expand(8, 4), PADDED, weight=weights, reduction=reduction)

    fit = torch.optim.LBFGS([answer], max_iter=200, tolerance_grad=1e-9)
    fit.step(lambda: fit.zero_grad() or backward_of(loss(answer)))
    found = wanted(loss(LOGITS(FEATURES[:1])))
    assert chance_loss([found], "NllLossBackward0") == pytest.approx(loss(answer).item(), rel=1e-4)


@pytest.mark.parametrize("factor", [0.25, 1.0, 9.0])
def test_chance_is_what_the_best_constant_answer_loses_where_ones_are_weighted(factor):
    truth = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    answer = torch.zeros(1, requires_grad=True)
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([factor]))
    fit = torch.optim.LBFGS([answer], max_iter=200, tolerance_grad=1e-9)
    fit.step(lambda: fit.zero_grad() or backward_of(loss(answer.expand(4, 1), truth)))
    found = wanted(loss(nn.Linear(3, 1)(torch.randn(4, 3)), truth))
    expected = loss(answer.expand(4, 1), truth).item()
    assert chance_loss([found], "BinaryCrossEntropyWithLogitsBackward0") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_smoothed_labels_are_known_by_how_much_and_what_the_best_answers_lose(spread, reduction):
    def loss(z):
        return F.cross_entropy(z, PADDED, label_smoothing=spread, reduction=reduction) / 2

    answer, answers = torch.zeros(4, requires_grad=True), torch.zeros(8, 4, requires_grad=True)
    for made, shape in ((answer, (8, 4)), (answers, (8, 4))):
        fit = torch.optim.LBFGS([made], max_iter=200, tolerance_grad=1e-9)
        fit.step(lambda made=made, shape=shape, fit=fit: fit.zero_grad() or backward_of(loss(made.expand(shape))))
    found = wanted(loss(LOGITS(FEATURES)))
    assert found.smoothed == pytest.approx(spread)
    assert chance_loss([found], "NllLossBackward0") == pytest.approx(loss(answer.expand(8, 4)).item(), rel=1e-4)
    assert least_loss([found]) == pytest.approx(loss(answers).item(), rel=1e-4)


def test_other_sums_are_no_smoothing():
    z = LOGITS(FEATURES)
    mixed = 0.9 * F.cross_entropy(z, CLASSES) + 0.1 * F.cross_entropy(z, PADDED)
    pulled = 0.9 * F.cross_entropy(z, CLASSES) - 0.1 * z.log_softmax(-1).mean()
    assert not wanted(mixed).whole
    assert not wanted(pulled).whole


def backward_of(loss):
    loss.backward()
    return loss
