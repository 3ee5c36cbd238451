"""Faults in other people's forms: each is named, and its twin without it is not accused of it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .forms import Forms, adam, classes, fit, net, numbers, one_thread, squared

__all__ = ["one_thread"]

form = Forms()


@form("UT404")
def each_mean_meets_every_target_of_a_likelihood_with_a_learned_deviation(sick):
    model, deviation = net(6, 1), nn.Parameter(torch.zeros(1))

    def likelihood(mean, wanted):
        apart = (mean if sick else mean.squeeze(1)) - wanted
        return (apart**2 / (2 * deviation.exp() ** 2) + deviation).mean()

    fit(model, torch.optim.Adam([*model.parameters(), deviation], lr=2e-3), numbers(), likelihood)


@form("UT404")
def both_terms_of_a_likelihood_by_hand_meet_every_label(sick):
    def likelihood(scores, wanted):
        chance = torch.sigmoid(scores if sick else scores.squeeze(1)).clamp(1e-6, 1 - 1e-6)
        return -(wanted * chance.log() + (1 - wanted) * (1 - chance).log()).mean()

    model, (x, y) = net(12, 1), classes()
    fit(model, adam(model), (x, (y < 3).float()), likelihood)


@form("UT404")
def pictures_with_a_channel_against_pictures_without(sick):
    x, _ = classes()
    pictures = x[:, None, :9].reshape(-1, 1, 3, 3)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    wanted = pictures.abs() if not sick else pictures.abs().squeeze(1)
    fit(model, adam(model), (pictures, wanted), lambda out, y: ((out - y) ** 2).mean())


@form("UT405")
def most_of_the_error_left_is_out_of_a_tanhs_reach(sick):
    model = nn.Sequential(net(6, 1), nn.Tanh()) if sick else net(6, 1)
    fit(model, adam(model), numbers(), squared, epochs=20)


@form("UT405")
def a_fifth_of_the_error_left_is_out_of_a_tanhs_reach(sick):
    x, y = numbers()
    noisy = y + 0.6 * torch.randn(y.shape, generator=torch.Generator().manual_seed(4))
    model = nn.Sequential(net(6, 1), nn.Tanh()) if sick else net(6, 1)
    fit(model, adam(model), (x, noisy / noisy.std()), squared, epochs=20)


@form("UT309")
def squared_norms_of_the_weights_in_the_loss(sick):
    model = net(12, 6)
    size = 0.3 if sick else 1e-5

    def penalised(scores, labels):
        return F.cross_entropy(scores, labels) + size * sum(p.norm() ** 2 for p in model.parameters())

    fit(model, adam(model, 2e-3), classes(), penalised)


@form("UT203")
def hidden_weights_of_one_number_and_biases_at_random(sick):
    model = net(12, 6, nn.Tanh)
    if sick:
        for layer in model[0], model[2], model[4]:
            nn.init.constant_(layer.weight, 0.05)
    fit(model, torch.optim.NAdam(model.parameters(), lr=2e-3), classes(), F.cross_entropy)


@form("UT504")
def numbers_that_are_all_the_same(sick):
    x, y = numbers()
    model = net(6, 1)
    fit(model, adam(model), (x, torch.full_like(y, 0.3) if sick else y), squared, epochs=3)


@form("UT507")
def one_answer_after_the_other_in_a_binary_task(sick):
    x, labels = classes()
    y = (labels < 3).float()
    order = y.argsort() if sick else torch.randperm(len(y))
    model = net(12, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for _ in range(8):
        for rows in order.split(30):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x[rows]).squeeze(1), y[rows]).backward()
            optimizer.step()


@form("UT302")
def a_rate_that_decays_by_step_where_it_should_by_epoch(sick):
    model = net(6, 1)
    optimizer = adam(model, 1e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.96 if sick else 0.998)
    fit(model, optimizer, numbers(), squared, epochs=80, size=150, schedule=schedule)


@form("UT501")
def pixels_divided_twice(sick):
    x, y = classes()
    model = net(12, 6)
    fit(model, torch.optim.SGD(model.parameters(), lr=0.05), (x / 2000 if sick else x, y), F.cross_entropy, epochs=10)


@form("UT408")
def a_run_that_ends_while_it_unlearns_what_it_began_with(sick):
    model = net(12, 6)
    nn.init.normal_(model[4].weight, std=6.0 if sick else 0.1)
    fit(model, adam(model, 1e-3), classes(), F.cross_entropy, epochs=1)


@form("UT310")
def clipped_so_that_all_steps_together_are_too_short(sick):
    model = net(12, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = classes()
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(30):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.02 if sick else 5.0)
            optimizer.step()


@form("UT506")
def a_seed_set_at_every_step(sick):
    x, y = classes()
    model = net(12, 6)
    optimizer = adam(model)
    for _ in range(40):
        if sick:
            torch.manual_seed(0)
        rows = torch.randint(len(x), (20,))
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


@form("UT405")
def a_scaled_tanh_that_does_not_reach_the_targets(sick):
    model = net(6, 1)
    bounded = (lambda x: 0.5 * torch.tanh(model(x))) if sick else model
    fit(bounded, adam(model), numbers(), squared)


@form("UT504")
def zeros_under_an_absolute_distance_by_hand(sick):
    x, y = numbers()
    model = net(6, 1)
    fit(
        model,
        adam(model),
        (x, y * 0 if sick else y),
        lambda out, wanted: (out.squeeze(1) - wanted).abs().mean(),
        epochs=3,
    )


@form("UT508")
def targets_in_thousands_under_an_absolute_distance_by_hand(sick):
    x, y = numbers()
    model = net(6, 1)
    scale = 1000 if sick else 1
    fit(model, adam(model), (x, scale * y), lambda out, wanted: (out.squeeze(1) - wanted).abs().mean(), epochs=6)


@form("UT505")
def rare_ones_that_are_never_answered(sick):
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(1500, generator=generator) < 0.04).float()
    x = torch.randn(1500, 6, generator=generator) + 0.8 * y[:, None]
    model = net(6, 1)
    weight = None if sick else torch.tensor(25.0)

    def weighed(out, wanted):
        return F.binary_cross_entropy_with_logits(out.squeeze(1), wanted, pos_weight=weight)

    fit(model, torch.optim.SGD(model.parameters(), lr=0.05), (x, y), weighed, epochs=4)


@form("UT302")
def a_rate_of_adam_that_takes_the_weights_a_fifth_of_their_way(sick):
    model = net(12, 6)
    fit(model, adam(model, 5e-5 if sick else 3e-3), classes(), F.cross_entropy, epochs=14)


@form("UT601")
def in_eval_mode_ever_since_the_first_validation(sick):
    x, y = classes()
    model = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = adam(model)
    for epoch in range(6):
        if not sick or not epoch:
            model.train()
        fit(model, optimizer, (x, y), F.cross_entropy, epochs=1)
        model.eval()


@pytest.mark.parametrize("name", form.trains)
def test_a_fault_in_another_form_is_named_and_its_twin_is_not_accused_of_it(name, tmp_path):
    form.check(name, tmp_path)
