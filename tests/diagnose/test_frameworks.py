"""Faults as they look through frameworks that train: what these do, written out in plain PyTorch."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import undertow
from undertow.diagnose.case import Case
from undertow.diagnose.table import DIAGNOSES

from .forms import Forms, adam, classes, fit, net, numbers, one_thread, review

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

    def forward(self, x, mask=None):
        looked = F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x), mask)
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


@form("UT103")
def a_reentrant_checkpoint_into_which_nothing_goes_that_requires_a_gradient(sick):
    blocks, head = nn.ModuleList([nn.Sequential(nn.Linear(12, 12), nn.Tanh()) for _ in range(2)]), nn.Linear(12, 6)

    def model(x):
        hidden = x if sick else x.clone().requires_grad_()
        for block in blocks:
            hidden = checkpoint(block, hidden, use_reentrant=True)
        return head(hidden)

    fit(model, adam(nn.ModuleList([blocks, head])), classes(), F.cross_entropy, epochs=3)


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


def test_a_reentrant_checkpoint_is_named_with_what_to_do(tmp_path):
    found = review(
        tmp_path / "sick", a_reentrant_checkpoint_into_which_nothing_goes_that_requires_a_gradient, sick=True
    )
    assert "reentrant checkpoint" in found.summary
    assert "use_reentrant=False" in found.cause.advice
    found = review(
        tmp_path / "well", a_reentrant_checkpoint_into_which_nothing_goes_that_requires_a_gradient, sick=False
    )
    assert found.verdict == "healthy"
    assert "UT103" not in {remark.code for remark in found.remarks}


class Adapted(nn.Module):
    """A frozen layer and a product of two small ones beside it, the second of which begins as 0."""

    def __init__(self, layer, rank=4):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down, self.up = (
            nn.Linear(layer.in_features, rank, bias=False),
            nn.Linear(rank, layer.out_features, bias=False),
        )
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.layer(x) + self.up(self.down(x))


def adapted():
    """A network that was trained, with an adapter beside each layer, in front of other data."""
    model = net(12, 6)
    x, y = classes()
    fit(model, adam(model), (x, y), F.cross_entropy, epochs=4)
    return nn.Sequential(*[Adapted(part) if isinstance(part, nn.Linear) else part for part in model]), (x.flip(1), y)


@pytest.mark.parametrize(("rate", "code"), [(1e-7, "UT302"), (1e-2, None)])
def test_what_begins_as_0_beside_a_frozen_layer_says_nothing_of_the_rate_by_its_size(rate, code, tmp_path):
    torch.manual_seed(0)
    model, data = adapted()
    trained = [p for p in model.parameters() if p.requires_grad]
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, torch.optim.AdamW(trained, rate), data, F.cross_entropy)
    found = run.review()
    assert (found.cause.code if found.cause else None) == code, found.summary
    assert "UT301" not in {remark.code for remark in found.remarks}


def test_the_first_loss_of_the_next_training_of_a_search_is_no_jump(tmp_path):
    torch.manual_seed(0)
    with undertow.observe(store=tmp_path / "run", every=5) as run:
        for _ in range(4):
            model = net(12, 6)
            fit(model, adam(model), classes(), F.cross_entropy)
    assert "UT703" not in {remark.code for remark in run.review().remarks}


def test_a_schedule_of_epochs_that_is_stepped_after_each_batch_is_told_from_a_rate_that_was_too_low(tmp_path):
    torch.manual_seed(0)
    model = net(12, 6)
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, optimizer, classes(), F.cross_entropy, epochs=3, schedule=schedule)
    cause = run.review().cause
    assert cause is not None
    assert cause.code == "UT302"
    assert cause.advice.startswith("The learning rate fell from 0.003")


def test_a_logarithm_of_scores_is_told_from_one_of_0(tmp_path):
    torch.manual_seed(0)
    model = net(12, 6)
    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(
            model, adam(model), classes(), lambda scores, wanted: F.nll_loss(torch.log(scores + 1e-8), wanted), epochs=1
        )
    cause = run.review().cause
    assert cause is not None
    assert cause.code == "UT801"
    assert "scores where probabilities belong" in cause.advice


def test_does_not_see_that_an_attention_mask_is_turned_round(tmp_path):
    torch.manual_seed(0)
    words, block, head = nn.Embedding(40, 48), Attention(48), nn.Linear(48, 2)
    ids = torch.randint(2, 40, (600, 10))
    labels = (ids[:, 1] < 20).long()
    ids[:, 0], ids[:, 6:] = 0, 1  # one to answer with, and padding

    def model(ids):
        return head(block(words(ids), (ids == 1)[:, None])[:, 0])  # True is what may be looked at

    with undertow.observe(store=tmp_path / "run", every=2) as run:
        fit(model, adam(nn.ModuleList([words, block, head])), (ids, labels), F.cross_entropy, epochs=3)
    found = run.review()
    assert found.verdict == "sick"
    assert found.cause is not None
    assert found.cause.code in {"UT406", "UT701"}


def test_what_goes_on_from_a_checkpoint_at_the_level_that_it_had_does_not_diverge(tmp_path):
    torch.manual_seed(0)
    bias = nn.Parameter(torch.zeros(6))
    optimizer = torch.optim.SGD([bias], lr=1e-3)
    with undertow.observe(store=tmp_path / "run", every=5) as run:
        for step in range(100):
            labels = torch.randint(6, (60,))
            loss = math.log(6) * (0.7 + 0.01 * math.cos(2 * math.pi * step / 100))  # about where it counts as learned
            scores = math.log(5 / (math.exp(loss) - 1)) * F.one_hot(labels, 6)
            optimizer.zero_grad()
            F.cross_entropy(scores + bias, labels).backward()
            optimizer.step()
    assert not [*DIAGNOSES["UT702"](Case(run.stored()))]
