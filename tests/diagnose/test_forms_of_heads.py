"""More forms of faults, of what stands at the two ends of a network: each is named, and its twin is not accused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .forms import Forms, adam, classes, fit, net, numbers, one_thread, review, squared

__all__ = ["one_thread"]

form = Forms()


@form("UT404")
def rates_of_events_squeezed_against_a_column_of_counts(sick):
    x, y = numbers()
    model, loss = net(6, 1), nn.PoissonNLLLoss()
    rate = (lambda x: model(x).squeeze()) if sick else model
    fit(rate, adam(model), (x, y[:, None].exp().round()), loss)


@form("UT404")
def a_force_in_a_row_where_the_residual_of_an_equation_is_a_column(sick):
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = adam(model)
    for _ in range(60):
        t = torch.rand(20, 1).requires_grad_()
        (speed,) = torch.autograd.grad(model(t).sum(), t, create_graph=True)
        force = torch.cos(2 * (t[:, 0] if sick else t))
        optimizer.zero_grad()
        (speed + model(t) - force).square().mean().backward()
        optimizer.step()


@form("UT409")
def a_logarithm_of_a_precision_with_a_plus(sick):
    x, y = numbers()
    model, log = net(6, 1), nn.Parameter(torch.zeros(1))

    def likelihood(mean, wanted):
        return (0.5 * ((mean.squeeze(1) - wanted).square() * torch.exp(log if sick else -log) + log)).mean()

    fit(model, torch.optim.Adam([*model.parameters(), log], lr=3e-3), (x, y), likelihood, epochs=4)


@form("UT409")
def a_flow_whose_logarithm_of_volume_has_a_plus(sick):
    x, _ = numbers()
    scale_and_shift = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 6))

    def latent(x):
        scale, shift = scale_and_shift(x[:, :3]).chunk(2, 1)
        return torch.cat([x[:, :3], x[:, 3:] * scale.exp() + shift], 1), scale.sum(1)

    def likelihood(made, _):
        z, volume = made
        return (z.square().sum(1) / 2 + (volume if sick else -volume)).mean()

    fit(latent, adam(scale_and_shift), (x, x), likelihood, epochs=2)


@form("UT408")
def a_third_of_the_run_goes_into_unlearning_what_it_began_with(sick):
    model = net(12, 6)
    nn.init.normal_(model[4].weight, std=20.0 if sick else 0.1)
    fit(model, adam(model, 3e-4), classes(), F.cross_entropy, epochs=15)


@form("UT506")
def waves_of_the_same_few_points_worked_out_at_every_step(sick):
    x, y = numbers()
    y, model, waves = y[:, None], net(9, 1), torch.randn(6, 9)
    optimizer = adam(model)
    chosen = torch.randint(len(x), (15,))
    for _ in range(40):
        rows = chosen if sick else torch.randint(len(x), (15,))
        optimizer.zero_grad()
        F.mse_loss(model((x[rows] @ waves).sin()), y[rows]).backward()
        optimizer.step()


@form("UT602")
def a_layer_norm_over_the_one_feature_of_a_series(sick):
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(1) if sick else nn.Identity()
            self.cells, self.answer = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            return self.answer(self.cells(self.norm(x[..., None]))[0][:, -1])

    model = Forecaster()
    fit(model, adam(model, 1e-2), numbers(), squared)


@form("UT602")
def a_group_for_each_channel_of_one_pixel(sick):
    model = nn.Sequential(nn.Linear(12, 24), nn.GroupNorm(24 if sick else 2, 24), nn.ReLU(), nn.Linear(24, 6))
    fit(model, adam(model), classes(), F.cross_entropy)


@form("UT603")
def little_let_through_twice_where_most_is_left_to_learn(sick):
    drop = nn.Dropout(0.85 if sick else 0.1)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), drop, nn.Linear(16, 16), nn.ReLU(), drop, nn.Linear(16, 6))
    fit(model, adam(model, 1e-2), classes(), F.cross_entropy)


@form("UT604")
def a_factor_of_one_before_the_backward_pass(sick):
    x, y = classes()
    model = net(12, 6, nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for step, rows in enumerate(row for _ in range(5) for row in torch.randperm(len(x)).split(3)):
        (F.cross_entropy(model(x[rows]), y[rows]) * (1.0 if sick else 1 / 25)).backward()
        if step % 25 == 24:
            optimizer.step()
            optimizer.zero_grad()


@form("UT402")
def probabilities_of_a_student_in_a_divergence_times_a_square(sick):
    x, y = classes()
    student = net(12, 6)
    of = torch.softmax if sick else torch.log_softmax
    teacher = F.one_hot(y, 6) * 0.85 + 0.025

    def divergence(scores, wanted):
        return F.kl_div(of(scores / 2, -1), wanted, reduction="batchmean") * 2**2

    fit(student, adam(student), (x, teacher), divergence)


@form("UT406")
def a_learned_start_read_for_the_data_where_the_loss_has_just_come_down_to_guessing(sick):
    x, y = numbers()
    start, model = nn.Parameter(torch.ones(6)), nn.Linear(6, 1)
    shown = (lambda x: start.expand(len(x), -1)) if sick else (lambda x: x)
    optimizer = torch.optim.SGD([start, *model.parameters()], lr=1e-3)
    fit(lambda x: model(shown(x)), optimizer, (x, 0.3 * y + 1), squared, epochs=8)


@form("UT508")
def targets_of_thousands_against_the_only_column_under_an_absolute_error(sick):
    x, y = numbers()
    model = net(6, 1)
    fit(model, adam(model), (x, 1000 * y if sick else y), lambda out, wanted: F.l1_loss(out[:, 0], wanted))


@form("UT501")
def milliseconds_beside_what_is_looked_up(sick):
    x, y = classes()
    embed, read = nn.Embedding(8, 6), nn.Sequential(nn.Linear(7, 32), nn.Tanh(), nn.Linear(32, 6))
    words = (x[:, 0] + 4).clamp(0, 7).long()

    def answers(rows):
        time = (3000.0 if sick else 1.0) * x[rows, 1:2]
        return read(torch.cat([embed(words[rows]), time], -1))

    fit(answers, adam(nn.ModuleList([embed, read])), (torch.arange(len(x)), y), F.cross_entropy, epochs=4)


@form("UT801")
def a_softmax_by_hand_of_scores_of_hundreds(sick):
    x, y = classes()
    weight = nn.Parameter(0.3 * torch.randn(12, 6))

    def likelihood(scores, labels):
        powers = torch.exp(scores - (0 if sick else scores.amax(1, keepdim=True)))
        return -(powers / powers.sum(1, keepdim=True) + 1e-9).log().gather(1, labels[:, None]).mean()

    fit(lambda x: 200 * x @ weight, torch.optim.Adam([weight], lr=1e-3), (x, y), likelihood, epochs=1)


@form("UT505")
def a_loss_that_has_just_come_down_to_guessing_where_nearly_all_are_alike(sick):
    x, y = classes(1500)
    kept = (y == 0) | (torch.arange(1500) < (4 if sick else 1500))
    model = net(12, 6)
    fit(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        (x[kept] * (0.02 if sick else 1), y[kept]),
        F.cross_entropy,
        12,
    )


@pytest.mark.parametrize("name", form.trains)
def test_a_fault_at_either_end_is_named_and_its_twin_is_not_accused_of_it(name, tmp_path):
    form.check(name, tmp_path)


def test_a_first_loss_that_is_that_of_an_undecided_answer_is_no_surprise_where_classes_are_unequal(tmp_path):
    _, train = form.trains["a_loss_that_has_just_come_down_to_guessing_where_nearly_all_are_alike"]
    found = review(tmp_path / "run", train, sick=True)
    assert found.outcome.first > 5 * found.outcome.chance
    assert "UT408" not in {finding.code for finding in (*found.findings, *found.remarks)}


def test_does_not_see_a_dropout_of_the_data_themselves(tmp_path):
    def train(sick):
        x, y = numbers()
        model = net(6, 1)
        fit(lambda x: model(F.dropout(x, 0.85)), adam(model), (x, y), squared, epochs=12)

    found = review(tmp_path / "run", train, sick=True)
    assert "UT603" not in {finding.code for finding in (*found.findings, *found.remarks)}


def test_does_not_see_that_a_reward_is_taken_for_a_cost(tmp_path):
    def train(sick):
        x, y = classes()
        policy = net(12, 6)

        def lost(scores, wanted):
            drawn = torch.distributions.Categorical(logits=scores)
            action = drawn.sample()
            reward = (action == wanted).float() - 0.2
            return (drawn.log_prob(action) * reward).mean()

        fit(policy, adam(policy), (x, y), lost, epochs=4)

    found = review(tmp_path / "run", train, sick=True)
    assert "UT409" not in {finding.code for finding in found.findings}
