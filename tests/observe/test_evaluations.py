"""Losses of held-out data, as a loop computes them for itself."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import cross_entropy as imported_before

import undertow
from undertow.show.figures import losses

X, Y = torch.randn(24, 6), torch.randint(3, (24,))


def watched(tmp_path, evaluate, steps=3):
    """The evaluations of a training that calls `evaluate(net)` after each step."""
    net = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with undertow.observe(store=tmp_path / "run"):
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(net(X), Y).backward()
            optimizer.step()
            evaluate(net)
    return undertow.Run(tmp_path / "run").evaluations


WAYS = {
    "module": lambda net: nn.CrossEntropyLoss()(net(X), Y),
    "function": lambda net: F.cross_entropy(net(X), Y),
    "imported before": lambda net: imported_before(net(X), Y),
    "likelihood": lambda net: nn.NLLLoss()(net(X).log_softmax(1), Y),
    "binary": lambda net: F.binary_cross_entropy_with_logits(net(X), torch.ones(24, 3)),
    "squares": lambda net: F.mse_loss(net(X), torch.ones(24, 3)),
    "divergence": lambda net: nn.KLDivLoss(reduction="batchmean")(net(X).log_softmax(1), torch.full((24, 3), 1 / 3)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_losses_are_seen_however_they_were_imported(way, off, tmp_path):
    told = []

    @off()
    def evaluate(net):
        told.append(WAYS[way](net).item())

    (seen,) = watched(tmp_path, evaluate).values()
    assert seen.steps.tolist() == [1, 2, 3]
    factor = 24 if way == "divergence" else 1  # PyTorch divides a sum by the batch after it
    assert seen.values / factor == pytest.approx(told)


def test_batches_count_by_their_examples_and_make_one_evaluation(tmp_path):
    told = []

    @torch.no_grad()
    def evaluate(net):
        for x, y in zip(X.split(10), Y.split(10), strict=True):
            F.cross_entropy(net(x), y)
        told.append(F.cross_entropy(net(X), Y).item())

    parts, whole = watched(tmp_path, evaluate).values()
    assert parts.values == pytest.approx(told) == whole.values
    assert parts.examples.tolist() == [24, 24, 24]


def test_one_function_called_from_two_lines_makes_two_curves(tmp_path):
    @torch.no_grad()
    def loss(net, x, y):
        return F.cross_entropy(net(x), y)

    def evaluate(net):
        loss(net, X[:12], Y[:12])
        loss(net, X[12:], Y[12:])

    assert len(watched(tmp_path, evaluate)) == 2


def test_several_data_that_one_line_evaluates_are_one_curve(tmp_path):
    @torch.no_grad()
    def evaluate(net):
        for rows in (slice(0, 12), slice(12, 24)):
            F.cross_entropy(net(X[rows]), Y[rows])

    assert len(watched(tmp_path, evaluate)) == 1


def test_what_is_written_out_by_hand_or_recorded_with_gradients_or_compiled_is_not_seen(tmp_path):
    def evaluate(net):
        F.cross_entropy(net(X), Y)
        with torch.no_grad():
            (net(X) - 1).square().mean()
            F.cross_entropy(net(X), Y, reduction="none")
            torch.compile(net, backend="eager")
            F.cross_entropy(net(X), Y)

    assert not watched(tmp_path, evaluate)


def test_what_is_noted_is_kept_under_its_name_and_noting_is_nothing_elsewhere(tmp_path):
    undertow.note(3.0)
    notes = iter([torch.tensor(2.0), 1.5, 1.0])
    seen = watched(tmp_path, lambda net: undertow.note(next(notes), name="mine: own"))
    assert {name: kept.values.tolist() for name, kept in seen.items()} == {"mine  own": [2.0, 1.5, 1.0]}


def test_what_is_no_single_number_is_not_noted():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        undertow.note(torch.zeros(3))


def test_the_losses_of_pytorch_are_its_own_again_afterwards(tmp_path):
    before = torch._C._nn.cross_entropy_loss, torch.kl_div
    watched(tmp_path, lambda net: None)
    assert (torch._C._nn.cross_entropy_loss, torch.kl_div) == before


def test_what_was_evaluated_is_drawn_beside_the_training_loss(tmp_path):
    watched(tmp_path, lambda net: undertow.note(1.5, name="mine"))
    run = undertow.Run(tmp_path / "run")
    (figure,) = losses(run, undertow.review(run))
    training, mine = figure.data
    assert training["line"].get("dash") is None
    assert (mine["name"], mine["line"]["dash"], mine["x"], mine["y"]) == ("mine", "dot", [1, 2, 3], [1.5, 1.5, 1.5])
    assert "held-out" in figure.note
