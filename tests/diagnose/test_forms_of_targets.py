"""Faults of what is asked, and of what is shown, in other people's forms; their twins are not accused of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .forms import Forms, adam, classes, fit, net, one_thread, review

__all__ = ["one_thread"]

form = Forms()

GATES = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
EITHER = torch.tensor([[0.0], [1.0], [1.0], [0.0]])


def gates(loss_of, rate, steps=250, shuffled=False):
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9 if rate > 0.1 else 0.0)
    for _ in range(steps):
        rows = torch.randperm(4) if shuffled else torch.arange(4)
        optimizer.zero_grad()
        loss_of(model(GATES[rows]), EITHER[rows]).backward()
        optimizer.step()


@form("UT302")
def four_examples_at_once_in_steps_that_are_too_short(sick):
    gates(F.mse_loss, 0.01 if sick else 1.0)


@form("UT302")
def four_examples_shuffled_and_their_entropy_in_steps_that_are_too_short(sick):
    gates(F.binary_cross_entropy, 0.003 if sick else 1.0, shuffled=True)


class Words(nn.Module):
    def __init__(self, table, width=12):
        super().__init__()
        self.table, self.out = table, nn.Linear(width, 4)

    def forward(self, words):
        found = self.table(words)
        return self.out(found if found.dim() == 2 else found.mean(1))


def sentences(unknown):
    """Words that tell the class, of 40; those the vocabulary does not know are number 1, and 0 is padding."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(4, (400,), generator=generator)
    words = 2 + labels[:, None] * 9 + torch.randint(9, (400, 7), generator=generator)
    words[torch.arange(7) >= torch.randint(3, 8, (400, 1), generator=generator)] = 0
    return words.clamp(max=1) if unknown else words, labels


@form("UT502")
def bags_of_words_none_of_which_is_known(sick):
    model = Words(nn.EmbeddingBag(40, 12, padding_idx=0))
    fit(model, adam(model, 1e-2), sentences(sick), F.cross_entropy)


@form("UT502")
def sentences_none_of_whose_words_is_known(sick):
    model = Words(nn.Embedding(40, 12, padding_idx=0))
    fit(model, adam(model, 1e-2), sentences(sick), F.cross_entropy)


@form("UT504")
def probabilities_of_a_label_that_is_never_one(sick):
    model, (x, y) = nn.Sequential(net(12, 1), nn.Sigmoid()), classes()
    labels = (y > (1000 if sick else 2)).float()
    fit(model, adam(model), (x, labels), lambda out, wanted: F.binary_cross_entropy(out.squeeze(1), wanted))


def pairs(loss_of):
    torch.manual_seed(1)
    first, second = nn.Embedding(30, 12), nn.Embedding(30, 12)
    optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.02)
    generator = torch.Generator().manual_seed(2)
    one = torch.randint(30, (1200,), generator=generator)
    for _ in range(6):
        for rows in torch.randperm(1200).split(60):
            held = first(one[rows])
            near, far = ((held * second(other)).sum(1) for other in ((one[rows] + 1) % 30, torch.randint(30, (60,))))
            optimizer.zero_grad()
            loss_of(near, far).backward()
            optimizer.step()


@form("UT504")
def pairs_that_belong_together_and_none_that_do_not(sick):
    def likelihood(near, far):
        together = 0 + -F.logsigmoid(near).mean()
        return together if sick else together - F.logsigmoid(-far).mean()

    pairs(likelihood)


@form("UT504")
def pairs_without_others_by_the_logarithm_of_a_sigmoid(sick):
    pairs(lambda near, far: -torch.log(torch.sigmoid(near if sick else near - far) + 1e-8).mean())


@form("UT504")
def ones_for_products_where_ones_belong_to_differences(sick):
    pairs(lambda near, far: F.binary_cross_entropy_with_logits(near if sick else near - far, torch.ones(60)))


@form("UT506")
def the_first_batch_of_sequences_over_and_over(sick):
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(800, 6, 5, generator=generator), torch.randint(3, (800,), generator=generator)
    x[:, :, 0] += y[:, None]
    loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True)
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3))
    optimizer = adam(model)
    batch = next(iter(loader))
    for _ in range(120):
        inputs, labels = batch if sick else next(iter(loader))
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimizer.step()


def teacher():
    x, y = classes()
    return x, 3 * F.one_hot(y, 6) + torch.randn(len(y), 6, generator=torch.Generator().manual_seed(6))


@form("UT402")
def scores_at_a_temperature_where_a_divergence_wants_logarithms(sick):
    x, scores = teacher()

    def divergence(out, wanted):
        mine = out / 2 if sick else F.log_softmax(out / 2, 1)
        return F.kl_div(mine, wanted, reduction="batchmean") * 4

    model = net(12, 6)
    fit(model, adam(model), (x, F.softmax(scores / 2, 1)), divergence)


@form("UT503")
def scores_of_a_teacher_for_targets(sick):
    x, scores = teacher()
    model = net(12, 6)
    fit(model, adam(model), (x, scores if sick else scores.softmax(1)), F.cross_entropy)


@form("UT503")
def scores_of_a_teacher_by_hand(sick):
    x, scores = teacher()
    model = net(12, 6)
    wanted = scores if sick else scores.softmax(1)
    fit(model, adam(model), (x, wanted), lambda out, y: -(y * F.log_softmax(out, 1)).sum(1).mean())


@pytest.mark.parametrize("name", form.trains)
def test_the_fault_is_named_and_its_twin_is_not_accused_of_it(name, tmp_path):
    form.check(name, tmp_path)


def test_advantages_times_one_action_each_are_no_targets(tmp_path):
    x, y = classes()

    def gradient_of_a_policy(_):
        model = net(12, 6)
        chosen = F.one_hot(y, 6) * torch.randn(len(y), 1)
        fit(model, adam(model), (x, chosen), lambda out, wanted: -(F.log_softmax(out, 1) * wanted).sum(1).mean(), 3)

    found = review(tmp_path, gradient_of_a_policy, sick=False)
    assert "UT503" not in {finding.code for finding in found.findings}


def test_two_kinds_of_sums_added_up_are_one_sum(tmp_path):
    x, y = classes()

    def two_tasks(_):
        model = net(12, 7)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def both(out, wanted):
            odd = F.binary_cross_entropy_with_logits(out[:, 6], (wanted % 2).float(), reduction="sum")
            return F.cross_entropy(out[:, :6], wanted, reduction="sum") + odd

        fit(model, optimizer, (x, y), both, epochs=2, size=60)

    found = review(tmp_path, two_tasks, sick=True)
    assert "UT407" in {finding.code for finding in (*found.findings, *found.remarks)}
