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
    return target(graph, loss_head(graph), loss=loss.item())


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
    "a sum that begins with a number": (1.0, lambda z: sum([F.cross_entropy(z, CLASSES)])),
    "parts that are added up": (
        1.0,
        lambda z: sum(F.cross_entropy(part, y, reduction="sum") for part, y in zip(z, CLASSES, strict=True)) / 8,
    ),
    "parts in a row": (
        1.0,
        lambda z: torch.stack([F.cross_entropy(z[:4], CLASSES[:4]), F.cross_entropy(z[4:], CLASSES[4:])]).mean(),
    ),
    "a number added": (1.0, lambda z: F.cross_entropy(z, CLASSES) + 50.0),
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
        assert loss(logits).item() == pytest.approx(times * mean.item() + found.offset)
        assert found.offset == pytest.approx(50.0 if written == "a number added" else 0.0)
        assert sum(found.counts) == len(asked) - 3 * ("passed over" in written)


@pytest.mark.parametrize("weight", [None, FACTORS])
@pytest.mark.parametrize("loss", [F.cross_entropy, lambda z, y, **how: F.cross_entropy(z, y, **how) + 7.0])
def test_what_is_passed_over_by_its_usual_number_is_not_counted_either(loss, weight):
    asked = torch.where(PADDED == 0, -100, PADDED)
    logits = LOGITS(FEATURES)
    found = wanted(loss(logits, asked, weight=weight, reduction="sum"))
    assert found.counts == (0, 1, 1, 3)
    assert found.times == (5 if weight is None else 1 + 2 + 3 * 4)
    assert found.offset == pytest.approx(0 if loss is F.cross_entropy else 7, rel=1e-5)


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


def test_two_losses_that_are_mixed_are_both_counted():
    z = LOGITS(FEATURES)
    found = wanted(0.9 * F.cross_entropy(z, CLASSES) + 0.2 * F.cross_entropy(z, PADDED))
    assert (found.times, found.counts) == (pytest.approx(1.1), (5, 3, 3, 5))


def test_other_sums_are_no_smoothing():
    z = LOGITS(FEATURES)
    pulled = 0.9 * F.cross_entropy(z, CLASSES) - 0.1 * z.log_softmax(-1).mean()
    assert not wanted(pulled).whole


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: F.cross_entropy(z, CLASSES) + F.cross_entropy(z[:, :3], CLASSES % 3),
        lambda z: F.cross_entropy(z, CLASSES) + F.mse_loss(z, torch.zeros(8, 4)),
        lambda z: (
            F.binary_cross_entropy_with_logits(z, torch.ones(8, 4)) + F.binary_cross_entropy_with_logits(z, z * 0)
        ),
        lambda z: F.cross_entropy(z, CLASSES) - F.cross_entropy(z, PADDED),
    ],
)
def test_losses_of_several_kinds_are_no_one_loss(loss):
    assert not wanted(loss(LOGITS(FEATURES))).whole


def test_of_squares_that_are_added_up_each_has_its_own_target():
    net, wide = nn.Linear(3, 2), FEATURES[:, :2] * torch.tensor([1.0, 9.0])
    made = net(FEATURES)
    found = wanted(F.mse_loss(made[:, 0], wide[:, 0]) + 2 * F.mse_loss(made[:, 1], wide[:, 1]) + 3.0)
    expected = wide[:, 0].var().item() + 2 * wide[:, 1].var().item()
    assert chance_loss([found], "MseLossBackward0") == pytest.approx(3 + expected, rel=1e-5)
    assert least_loss([found]) == pytest.approx(3, rel=1e-5)


def backward_of(loss):
    loss.backward()
    return loss
