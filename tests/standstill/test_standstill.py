"""Why a training stands still, over trainings that stand still for a known reason."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import nn

import undertow
from tests.linear.test_curved import Once
from tests.preflight.test_untouched import bits, same
from tests.standstill import (  # noqa: F401
    stalls_again,
    stalls_held_bouncing,
    stalls_held_minimum,
    stalls_held_noise,
    stalls_held_plateau,
    stalls_held_saddle,
    stalls_held_slow,
    stalls_minimum,
    stalls_noise,
    stalls_plateau,
    stalls_saddle,
    stalls_steps,
)
from tests.standstill.stalls import STALLS, cut, dense, regression, sgd, trained
from undertow.errors import StandstillError
from undertow.standstill.training import Training
from undertow.standstill.trials import AS_IT_GOES, Rate, Whole
from undertow.standstill.tried import SURE, Plan, tried

QUICK = [
    "least_squares[sgd]",
    "deep_linear_net[adam]",
    "two_linear_layers_of_zeros[adam]",
    "hidden_units_of_zeros[rmsprop]",
    "attention_of_zeros[sgd]",
    "units_all_alike[sgd]",
    "every_unit_dead[adam]",
    "output_saturated[sigmoid]",
    "three_linear_layers_of_zeros[adam]",
    "least_squares_in_small_batches[momentum]",
    "labels_in_doubt_in_small_batches[adam]",
    "least_squares_slowed[adam]",
    "network_for_wine_slowed[sgd]",
    "steps_of_one_size[rmsprop]",
    "across_a_well[sgd]",
    "tanh_net_in_one_batch[copies]",
    "ratings_factored_as_well_as_can_be[sgd]",
    "products_of_zeros[nadam]",
    "errors_that_do_not_weigh[sgd]",
    "events_slowed[momentum]",
    "heavy_tails_in_one_batch[nesterov]",
    "inputs_left_out[adam]",
    "inputs_left_out_at_a_large_rate[sgd]",
    "code_that_is_always_the_same[adam]",
    "dead_units_that_nobody_needs[adam]",
]
"""All of them are judged in benchmarks/standstill.py."""


def judged(stall, **how):
    return undertow.standstill(stall.model, stall.loss_fn, stall.batches, stall.optimizer, **how)


@pytest.mark.parametrize("name", QUICK)
def test_the_reason_is_the_one_it_was_made_with(name):
    kind, make = STALLS[name]
    found = judged(make())
    assert found.kind == kind, found
    assert found.confirmed
    assert found.advice in str(found)
    assert (found.helped is None) == (kind == "minimum")


@pytest.fixture
def falling():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.1), nn.Linear(8, 1))
    return trained(model, F.mse_loss, cut(regression(6), 32), sgd(0.01, 0.9)(model.parameters()), 3)


def test_a_training_that_goes_on_is_said_to_go_on(falling):
    found = judged(falling)
    assert found.kind == "falling"
    assert found.helped is None
    assert len(found.trials) == 1


class Wandering(nn.Module):
    """With steps of 1 down the loss below, the logistic map: it goes on through [0, 1] for ever and comes nowhere."""

    def __init__(self, place):
        super().__init__()
        self.place = nn.Parameter(place)

    def forward(self, _):
        return 2 + 4 / 3 * self.place**3 - 1.5 * self.place**2


def test_what_wanders_and_comes_nowhere_is_not_said_to_fall_more_often_than_was_promised():
    chance, batch, starts, found = torch.Generator().manual_seed(0), torch.zeros(1), 300, 0
    for start in torch.rand(starts, generator=chance, dtype=torch.float64):
        model = Wandering(start.clone())
        training = Training(model, lambda output, _: output, [(batch, batch)], sgd(1.0)(model.parameters()))
        found += tried(training, AS_IT_GOES, Plan(100, 1, 0.02), [torch.zeros(())]).falls(0.02)
    promised = 0.05 + (1 - SURE) / 2  # by its pace, and since its start
    assert binomtest(found, starts, promised, alternative="greater").pvalue > 0.01, f"{found} of {starts}"


def test_a_start_that_happens_to_be_high_is_not_known_to_be_one_by_chance():
    found = judged(STALLS["ratings_in_small_batches[adam]"][1]())
    assert found.kind == "falling"


def test_a_fall_that_is_not_worth_having_does_not_count(falling):
    assert judged(falling, worth=100.0, steps=20).kind == "minimum"


@pytest.mark.parametrize("name", ["every_unit_dead[adam]", "units_all_alike[momentum]", "batch_normalised_line[sgd]"])
def test_all_is_afterwards_as_it_was_to_the_last_bit(name):
    stall = STALLS[name][1]()
    kept, mode = bits(stall.model, stall.optimizer), [p.requires_grad for p in stall.model.parameters()]
    judged(stall, steps=16)
    assert same(kept, bits(stall.model, stall.optimizer))
    assert mode == [p.requires_grad for p in stall.model.parameters()]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([AS_IT_GOES, Rate(3.0), Whole()]), st.floats(0.001, 0.1))
def test_a_convex_loss_never_falls_by_more_than_its_gradient_promised(seed, trial, rate):
    torch.manual_seed(seed)
    model = nn.Linear(4, 1)
    data = regression(4, 64)
    training = Training(model, F.mse_loss, cut(data, 16), sgd(rate)(model.parameters()))
    with training.untouched():
        training.backward()
        gradient = [parameter.grad.clone() for parameter in model.parameters()]
    seen = tried(training, trial, Plan(16, 2, 0.0), gradient)
    assert seen.fell <= seen.promised + 1e-5 * (1 + abs(seen.promised))
    assert seen == tried(training, trial, Plan(16, 2, 0.0), gradient)  # the same chance each time


def test_without_second_derivatives_a_minimum_is_not_confirmed():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.zeros(2))

        def forward(self, _):
            return 1 + Once.apply(self.place).square().sum()

    batch = torch.ones(1), torch.ones(1)
    model = Net()
    found = undertow.standstill(model, lambda output, _: output, batch, sgd(0.1)(model.parameters()), steps=16)
    assert (found.kind, found.confirmed, found.ground) == ("minimum", False, None)
    assert "not confirmed" in str(found)


def test_what_the_optimizer_does_not_hold_stays_out_of_it():
    torch.manual_seed(0)
    model = dense(nn.Tanh, 6, 8, 1)
    with torch.no_grad():
        model[2].weight.zero_()
    found = undertow.standstill(model, F.mse_loss, cut(regression(6), 64), sgd(1e-7)(model[2].parameters()), steps=16)
    assert set(found.slope.reach) == {"2.weight", "2.bias"}
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_what_the_loop_does_besides_steps_is_not_known(falling):
    before = [parameter.detach().clone() for parameter in falling.model.parameters()]
    falling.optimizer.state.clear()
    for inputs, targets in falling.batches:
        falling.model.zero_grad()
        falling.loss_fn(falling.model(inputs), targets).backward()
        nn.utils.clip_grad_norm_(falling.model.parameters(), 0.0)
        falling.optimizer.step()
    assert all(map(torch.equal, before, falling.model.parameters()))
    assert judged(falling).kind == "falling"


def test_trials_that_could_not_tell_are_refused(falling):
    with pytest.raises(StandstillError, match="cannot be told from chance"):
        judged(falling, steps=4)


def test_a_training_that_diverges_does_not_stand(falling):
    fast = sgd(1e20)(falling.model.parameters())
    with pytest.raises(StandstillError, match=r"it diverges, it does not stand"):
        undertow.standstill(falling.model, falling.loss_fn, falling.batches, fast, steps=20)


def test_an_optimizer_of_another_model_is_refused(falling):
    with pytest.raises(StandstillError, match="holds no parameter of this model"):
        undertow.standstill(falling.model, falling.loss_fn, falling.batches, sgd(0.1)(nn.Linear(2, 2).parameters()))
