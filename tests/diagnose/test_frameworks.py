"""Faults as they look through frameworks that train: what these do, written out in plain PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow

from .forms import Forms, adam, classes, fit, net, numbers, one_thread

__all__ = ["one_thread"]

form = Forms()

MICRO_BATCHES = 1
"""Frameworks divide every loss by how many passes make a step, also where it is one."""


@form("UT409")
def a_likelihood_without_its_minus_divided_by_the_passes_of_a_step(sick):
    def likelihood(scores, wanted):
        chosen = torch.log_softmax(scores, 1)[torch.arange(len(wanted)), wanted].mean()
        return (chosen if sick else -chosen) / MICRO_BATCHES

    model = net(12, 6)
    fit(model, adam(model), classes(), likelihood, epochs=3)


@form("UT407")
def a_sum_divided_by_the_passes_of_a_step(sick):
    def distance(outputs, wanted):
        return F.mse_loss(outputs.squeeze(1), wanted, reduction="sum" if sick else "mean") / MICRO_BATCHES

    model = net(6, 1)
    fit(model, torch.optim.SGD(model.parameters(), lr=0.1), numbers(), distance)


@form("UT801")
def labels_of_which_none_counts(sick):
    x, y = classes()
    model = net(12, 6)
    fit(model, adam(model), (x, torch.full_like(y, -100) if sick else y), F.cross_entropy, epochs=3)


class Attention(nn.Module):
    """As in a BERT: each of query, key and value with a weight of its own, a normalisation after what is added."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in "qkvo")
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        looked = F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))
        return self.norm(x + self.out(looked))


class Reader(nn.Module):
    """A transformer as its authors draw its weights: normal, with a deviation of 0.02."""

    def __init__(self, width=48):
        super().__init__()
        self.words, self.norm = nn.Embedding(40, width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(*[Attention(width) for _ in range(3)])
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 2)
        for weight in (p for p in self.parameters() if p.dim() > 1):
            nn.init.normal_(weight, std=0.02)

    def forward(self, ids):
        return self.head(torch.tanh(self.pooler(self.blocks(self.norm(self.words(ids)))[:, 0])))


@form("UT302")
def a_rate_far_too_low_for_a_transformer(sick):
    ids = torch.randint(40, (600, 8))
    model = Reader()
    fit(model, adam(model, 1e-8 if sick else 3e-3), (ids, (ids[:, 0] < 20).long()), F.cross_entropy, epochs=3)


@pytest.mark.parametrize("name", form.trains)
def test_what_a_framework_does_to_it_hides_no_fault(name, tmp_path):
    form.check(name, tmp_path)


def test_a_transformer_that_learns_nothing_is_not_said_to_lose_its_gradient_over_its_depth(tmp_path):
    torch.manual_seed(0)
    ids, model = torch.randint(40, (600, 8)), Reader()
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, adam(model), (ids, torch.randint(2, (600,))), F.cross_entropy, epochs=2)
    assert "UT101" not in {finding.code for finding in run.review().findings}


def test_a_batch_without_a_target_among_others_is_a_remark(tmp_path):
    torch.manual_seed(0)
    x, y = classes()
    model = net(12, 6)

    def loss_of(scores, wanted):
        return F.cross_entropy(scores, torch.where(wanted.sum() % 7 == 0, -100, wanted))

    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, adam(model), (x, y), loss_of, epochs=3)
    review = run.review()
    assert review.verdict == "healthy"
    assert "none of the" in next(remark.message for remark in review.remarks if remark.code == "UT801")


def test_a_mean_over_what_a_mask_left_out_is_told_and_other_indices_do_not_hinder(tmp_path):
    torch.manual_seed(0)
    x, _ = classes()
    model = net(12, 6)
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, adam(model), (x, x), lambda out, x: out[torch.arange(len(x)), 0][x[:, 0] > 1e9].square().mean())
    review = run.review()
    assert review.cause is not None
    assert review.cause.code == "UT801"
    assert "mean over nothing" in review.summary


def test_an_epsilon_that_is_nothing_in_half_precision_is_named(tmp_path):
    torch.manual_seed(0)
    x, y = classes()
    model = net(12, 6).half()
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, torch.optim.AdamW(model.parameters(), 1e-3), (x.half(), y), F.cross_entropy, epochs=1)
    cause = run.review().cause
    assert cause is not None
    assert cause.code == "UT801"
    assert "the optimizer's step 0 made" in cause.message
    assert "eps of 1e-08 is 0 in float16" in cause.advice
