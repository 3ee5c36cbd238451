"""Faults of how weights are held, made and moved, in further forms: each is named, its twin without it is not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .forms import Forms, adam, classes, fit, net, numbers, one_thread, review, squared

__all__ = ["one_thread"]

form = Forms()


@form("UT309")
def a_coupled_decay_at_its_balance(sick):
    model = net(6, 1, nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.15 if sick else 1e-4)
    fit(model, optimizer, numbers(), lambda out, y: F.mse_loss(out[:, 0], y), epochs=10)


@form("UT309")
def a_decoupled_decay_at_its_balance(sick):
    model = net(12, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=8.0 if sick else 1e-2)
    fit(model, optimizer, classes(), F.cross_entropy, epochs=16)


@form("UT309")
def a_penalty_at_its_balance(sick):
    model = net(6, 1, nn.Tanh)
    penalty = lambda: (0.05 if sick else 1e-5) * sum(p.square().sum() for p in model.parameters())  # noqa: E731
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(model, optimizer, numbers(), lambda out, y: F.mse_loss(out[:, 0], y) + penalty(), epochs=16)


@form("UT107")
def a_table_frozen_as_it_was_drawn(sick):
    x = torch.randint(40, (600, 2), generator=torch.Generator().manual_seed(2))
    worth = torch.randn(40, generator=torch.Generator().manual_seed(3))
    y = (worth[x].prod(1) > 0).float()
    table, top = nn.Embedding(40, 3), nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    table.weight.requires_grad_(not sick)
    optimizer = torch.optim.Adam([p for m in (table, top) for p in m.parameters() if p.requires_grad], lr=3e-3)
    scored = lambda rows: top(table(rows).flatten(1))[:, 0]  # noqa: E731
    fit(scored, optimizer, (x, y), F.binary_cross_entropy_with_logits, epochs=3 if sick else 12)


@form("UT304")
def a_head_left_out_where_two_answer(sick):
    x, y = numbers()
    trunk, value, sign = nn.Sequential(nn.Linear(6, 16), nn.Tanh()), nn.Linear(16, 1), nn.Linear(16, 2)
    moved = [*trunk.parameters(), *value.parameters(), *([] if sick else sign.parameters())]
    both = lambda out, y: F.mse_loss(value(out)[:, 0], y) + F.cross_entropy(sign(out), (y > 0).long())  # noqa: E731
    fit(trunk, torch.optim.Adam(moved, lr=3e-3), (x, y), both)


@form("UT304")
def a_head_of_another_size_put_in_afterwards(sick):
    model = net(12, 50)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    model[4] = nn.Linear(32, 6)
    if not sick:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(model, optimizer, classes(), F.cross_entropy)


@form("UT302")
def a_rate_halved_at_every_step(sick):
    model = net(6, 1)
    optimizer = adam(model, 5e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1 if sick else 100, gamma=0.5)
    fit(model, optimizer, numbers(), lambda out, y: F.mse_loss(out[:, 0], y), epochs=12, schedule=schedule)


@form("UT302")
def most_weights_in_the_group_of_those_trained_before(sick):
    x, _ = numbers()
    model = nn.Sequential(nn.Unflatten(1, (6, 1)), nn.GRU(1, 24, batch_first=True))
    head = nn.Linear(24, 1)
    groups = [{"params": model.parameters(), "lr": 1e-7 if sick else 3e-3}, {"params": head.parameters(), "lr": 3e-3}]
    answers = lambda rows: head(model(rows)[0].mean(1))[:, 0]  # noqa: E731
    fit(answers, torch.optim.Adam(groups), (x, torch.sin(9 * x[:, 0] * x[:, 5])), F.mse_loss, epochs=4)


@form("UT203")
def experts_that_are_copies_of_one(sick):
    x, y = numbers()
    experts = nn.ModuleList(nn.Linear(6, 1) for _ in range(3))
    router = nn.Linear(6, 3)
    if sick:
        nn.init.zeros_(router.weight)
        nn.init.zeros_(router.bias)
        for expert in experts:
            expert.load_state_dict(experts[0].state_dict())
    blend = lambda rows: (router(rows).softmax(1) * torch.cat([e(rows) for e in experts], 1)).sum(1)  # noqa: E731
    target = y * (x[:, 1] > 0)
    fit(blend, adam(nn.ModuleList([experts, router]), 1e-2), (x, target), F.mse_loss, epochs=8)


@form("UT307")
def a_gradient_that_one_of_two_losses_loses(sick):
    (x, y), trunk = numbers(), nn.Sequential(nn.Linear(6, 32), nn.Tanh())
    value, sign = nn.Linear(32, 1), nn.Linear(32, 2)
    optimizer = adam(nn.ModuleList([trunk, value, sign]))
    for rows in (rows for _ in range(8) for rows in torch.randperm(600).split(30)):
        F.mse_loss(value(trunk(x[rows]))[:, 0], y[rows]).backward()
        if sick:
            optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(sign(trunk(x[rows])), (y[rows] > 0).long()).backward()
        optimizer.step()
        optimizer.zero_grad()


def in_tanhs(model, size):
    with torch.no_grad():
        for layer in list(model)[2:3]:
            layer.weight.mul_(size)
    return model


@form("UT202")
def a_layer_of_tanhs_made_too_large_in_a_network_that_learns(sick):
    model = in_tanhs(net(6, 1, nn.Tanh), 60.0 if sick else 1.0)
    fit(model, adam(model), numbers(), squared)


def by_randn(model, deviation):
    for layer in list(model)[::2]:
        nn.init.normal_(layer.weight, std=deviation)
    return model


@form("UT101")
def a_recurrence_made_to_forget_what_it_is_asked_for(sick):
    x = F.one_hot(torch.randint(4, (256, 24)), 4).float()
    rnn, top = nn.RNN(4, 48, batch_first=True), nn.Linear(48, 4)
    if sick:
        nn.init.normal_(rnn.weight_hh_l0, std=0.02)
    else:
        nn.init.eye_(rnn.weight_hh_l0)
    model = nn.ModuleList([rnn, top])
    fit(lambda rows: top(rnn(rows)[1][0]), adam(model), (x, x[:, 0].argmax(1)), F.cross_entropy, epochs=20)


@form("UT202")
def three_layers_of_tanhs_by_randn_that_learn(sick):
    wide = nn.Sequential(*[m for n in (6, 48, 48) for m in (nn.Linear(n, 48), nn.Tanh())], nn.Linear(48, 1))
    model = by_randn(wide, 1.0) if sick else wide
    fit(model, adam(model), numbers(), squared)


@form("UT105")
def scores_without_the_root_of_their_width_in_a_network_that_learns(sick):
    tokens = torch.randint(6, (512, 12))
    embed, top, ways = nn.Embedding(6, 64), nn.Linear(64, 1), nn.ModuleList(nn.Linear(64, 64) for _ in range(3))
    model = nn.ModuleList([embed, ways, top])

    def answer(rows):
        q, k, v = (way(embed(rows)) for way in ways)
        return top((q @ k.mT * (64.0 if sick else 0.125)).softmax(-1) @ v)[:, 0]

    fit(answer, adam(model), (tokens, (tokens == 2).float().mean(1) * 6), squared)


@form("UT501")
def inputs_in_hundreds_before_tanhs_that_learn(sick):
    x, y = numbers()
    model = net(6, 1, nn.Tanh)
    fit(model, adam(model), (300 * x if sick else x, y), squared, epochs=16)


@pytest.mark.parametrize("name", form.trains)
def test_a_fault_in_another_form_is_named_and_its_twin_is_not_accused_of_it(name, tmp_path):
    form.check(name, tmp_path, every=10)


def test_a_rate_a_tenth_of_what_would_do_is_not_told_from_a_short_run(tmp_path):
    def train(_):
        model = net(6, 1, nn.Tanh)
        fit(model, torch.optim.SGD(model.parameters(), lr=0.01), numbers(), lambda out, y: F.mse_loss(out[:, 0], y))

    found = review(tmp_path / "run", train, sick=True, every=10)
    assert "UT302" not in {finding.code for finding in (*found.findings, *found.remarks)}


def test_what_units_were_before_the_first_step_no_gradient_brought_about(tmp_path):
    wide = nn.Sequential(*[m for n in (12, 300, 300, 300) for m in (nn.Linear(n, 300), nn.Tanh())], nn.Linear(300, 6))
    slow = torch.optim.SGD(by_randn(wide, 1.0).parameters(), lr=0.01)
    found = review(tmp_path, lambda sick: fit(wide, slow, classes(), F.cross_entropy, epochs=2), sick=True)
    assert found.cause.code == "UT202"
    assert "UT102" in {symptom.code for symptom in found.cause.symptoms}


def test_gates_that_were_made_open_are_no_fault(tmp_path):
    x, y = numbers()
    gate, way, top = nn.Linear(6, 32), nn.Linear(6, 32), nn.Linear(32, 1)
    nn.init.constant_(gate.bias, 9.0)
    model = nn.ModuleList([gate, way, top])
    passed = lambda rows: top(torch.sigmoid(gate(rows)) * torch.tanh(way(rows)))  # noqa: E731
    found = review(tmp_path, lambda sick: fit(passed, adam(model), (x, y), squared), sick=False)
    assert found.cause is None
    assert "UT202" in {remark.code for remark in found.remarks}


def test_a_gradient_put_aside_and_brought_back_before_the_step_is_not_thrown_away(tmp_path):
    def train(_):
        (x, y), trunk = numbers(), nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        value, sign = nn.Linear(32, 1), nn.Linear(32, 2)
        optimizer = adam(nn.ModuleList([trunk, value, sign]))
        for rows in (rows for _ in range(8) for rows in torch.randperm(600).split(30)):
            F.mse_loss(value(trunk(x[rows]))[:, 0], y[rows]).backward()
            kept = [p.grad.clone() for p in value.parameters()]
            optimizer.zero_grad()
            F.cross_entropy(sign(trunk(x[rows])), (y[rows] > 0).long()).backward()
            for parameter, gradient in zip(value.parameters(), kept, strict=True):
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad()

    assert "UT307" not in {finding.code for finding in review(tmp_path / "run", train, sick=True).findings}


def test_a_gradient_that_is_lost_of_weights_that_both_losses_reach_is_not_named(tmp_path):
    def train(_):
        (x, y), model = numbers(), net(6, 1)
        optimizer = adam(model)
        for rows in (rows for _ in range(8) for rows in torch.randperm(600).split(30)):
            F.mse_loss(model(x[rows])[:, 0], y[rows]).backward()
            optimizer.zero_grad()
            F.l1_loss(model(x[rows])[:, 0], y[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()

    assert "UT307" not in {finding.code for finding in review(tmp_path / "run", train, sick=True).findings}
