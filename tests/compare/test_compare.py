"""What differs between two runs, made to differ in one thing."""

import math
import re

import pytest
import torch
from torch import nn

import undertow
from undertow.compare import compare

STEPS = 160


def trained(folder, *, seed=0, rate=0.05, scale=1.0, activation=nn.Tanh, batch=32, cut=None, broken=None, frozen=False):
    """A small regression, observed at every step."""
    torch.manual_seed(seed)
    inputs = torch.randn(256, 8) * scale
    targets = torch.sin(inputs.sum(1, keepdim=True) / (2 * scale))
    model = nn.Sequential(nn.Linear(8, 32), activation(), nn.Linear(32, 1))
    model[0].bias.requires_grad_(not frozen)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=rate)
    with undertow.observe(every=1, store=folder) as run:
        for step in range(STEPS):
            if step == cut:
                optimizer.param_groups[0]["lr"] = rate / 100
            chosen = torch.randint(256, (batch,))
            loss = nn.functional.mse_loss(model(inputs[chosen]), targets[chosen])
            optimizer.zero_grad()
            (loss * math.nan if broken is not None and step >= broken else loss).backward()
            optimizer.step()
    return run.stored()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("plain") / "plain")


def beside(plain, tmp_path, **changes):
    return compare(plain, trained(tmp_path / "other", **changes))


def kinds(seen):
    return {difference.kind for difference in seen.parted} - {"pace"}


def test_the_same_script_twice_is_the_same_to_the_last_digit(plain, tmp_path):
    seen = beside(plain, tmp_path)
    assert seen.same_until == seen.losses == STEPS
    assert not seen.changed
    assert not kinds(seen)
    assert seen.since is None


def test_another_seed_parts_from_the_first_loss_on_and_by_no_more_than_scripts_do(plain, tmp_path):
    seen = beside(plain, tmp_path, seed=1)
    assert seen.same_until == 0
    assert not seen.changed
    assert not kinds(seen)


def test_a_rate_that_is_cut_on_the_way_is_found_at_its_step(plain, tmp_path):
    seen = beside(plain, tmp_path, cut=80)
    assert seen.same_until == 81  # the loss of step 80 was had before the step that differs
    since = {difference.kind: difference.since for difference in seen.parted}
    assert since["rate"] == 80
    assert since["update"] == 80
    assert seen.since == 80


def test_a_loss_that_breaks_is_found_at_its_step(plain, tmp_path):
    seen = beside(plain, tmp_path, broken=50)
    loss = next(difference for difference in seen.parted if difference.kind == "loss")
    assert loss.since in {50, 51}
    assert loss.right == "nan"
    assert seen.parted[0].kind == "verdict"


@pytest.mark.parametrize(
    ("change", "name", "right"),
    [
        ({"rate": 0.5}, "optimizer lr", "0.5"),
        ({"activation": nn.ReLU}, "ReluBackward0 in 1", "once"),
        ({"batch": 8}, "input shape", "(8, 8)"),
        ({"scale": 50.0}, "input root mean square", re.compile(r"\d\d\.\d")),
        ({"frozen": True}, "0.bias", "32 float32, not trained"),
    ],
)
def test_what_was_changed_is_named(plain, tmp_path, change, name, right):
    changed = {difference.name: difference.right for difference in beside(plain, tmp_path, **change).changed}
    assert right.fullmatch(changed[name]) if isinstance(right, re.Pattern) else changed[name] == right


def test_parameters_that_part_alike_are_told_as_one(plain, tmp_path):
    seen = beside(plain, tmp_path, rate=0.0005)
    (update,) = [difference for difference in seen.parted if difference.kind == "update"]
    assert update.others >= 1
    assert update.decades == pytest.approx(-2, abs=1)
    assert update.since == 0


def normalised(folder, factor):
    """A network one of whose biases does nothing, a normalisation takes it away again; its loss is multiplied."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(256, 8), torch.randint(3, (256,))
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01 / factor)
    with undertow.observe(every=1, store=folder) as run:
        for _ in range(STEPS):
            chosen = torch.randint(256, (32,))
            optimizer.zero_grad()
            (factor * nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen])).backward()
            optimizer.step()
    return run.stored()


def test_what_rounding_leaves_of_a_gradient_that_is_nothing_is_not_compared(tmp_path):
    plain, greater = normalised(tmp_path / "plain", 1), normalised(tmp_path / "greater", 100)
    assert all(update.gradient[1] > 0 for update in greater.updates)
    gradients = [d for d in compare(plain, greater).parted if d.kind == "gradient"]
    assert len(gradients) == 1
    assert gradients[0].name != "0.bias"
    assert gradients[0].others == len(plain.parameters) - 2
