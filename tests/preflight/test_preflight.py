"""What two steps tell of a training to come."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import undertow
from undertow.errors import PreflightError
from undertow.preflight import Reach, preflight

torch.manual_seed(0)
INPUTS, LABELS = torch.randn(64, 20), torch.randint(10, (64,))
LOSS = nn.CrossEntropyLoss()


def layers(*between, width=64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, width), *between, nn.Linear(width, 10))


def tried(model, *, loss=LOSS, batch=(INPUTS, LABELS), rate=0.1):
    return preflight(model, loss, batch, torch.optim.SGD(model.parameters(), lr=rate))


def test_a_sound_network_is_cleared_for_take_off():
    made = tried(layers(nn.ReLU()))
    assert made.ok
    assert "Nothing was found" in str(made)
    assert made.chance == pytest.approx(math.log(10), abs=0.2)
    assert made.loss == pytest.approx(LOSS(layers(nn.ReLU())(INPUTS), LABELS).item())
    assert [name for name, _ in made.scales] == ["0.weight", "2.weight"]


SIGMOIDS = [layer for _ in range(12) for layer in (nn.Sigmoid(), nn.Linear(20, 20))]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (lambda: nn.Sequential(layers(nn.ReLU()), nn.Softmax(-1)), "UT401"),
        (lambda: layers(*SIGMOIDS, nn.Sigmoid(), width=20), "UT101"),
        (lambda: nn.Sequential(Detached(), nn.Linear(20, 10)), "UT103"),
    ],
    ids=["softmax twice", "deep sigmoids", "detached"],
)
def test_what_would_stop_the_run_is_named_before_it(model, code):
    made = tried(model())
    assert not made.ok
    assert made.findings[0].code == code
    assert code in str(made)


class Detached(nn.Module):
    """Cuts its own parameters off."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(20, 20)

    def forward(self, inputs):
        return self.inner(inputs).detach()


def test_it_leaves_no_trace():
    model = nn.Sequential(layers(nn.BatchNorm1d(64), nn.Dropout()))
    optimizer = torch.optim.Adam(model.parameters())
    kept, chance = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    preflight(model, LOSS, (INPUTS, LABELS), optimizer)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())
    assert not optimizer.state
    assert torch.equal(chance, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_without_an_optimizer_no_step_is_made():
    made = preflight(layers(nn.ReLU()), LOSS, (INPUTS, LABELS))
    assert made.reach is None
    assert made.ok


@pytest.mark.parametrize("multiple", [0.5, 1.0, 4.0])
def test_the_best_step_on_a_parabola_is_the_one_that_was_made_times_what_is_told(multiple):
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, 3.0)
    # Of w² a step of 1/2 leads to the minimum; a step of `multiple` / 2 is to be told as 1 / multiple.
    made = preflight(weight, lambda out, _: out.square().sum(), (torch.ones(1, 1), None), sgd(weight, multiple / 2))
    assert made.reach.best == pytest.approx(1 / multiple, rel=1e-4)


def sgd(model, rate):
    return torch.optim.SGD(model.parameters(), lr=rate)


def test_a_step_as_good_as_promised_has_no_best_and_one_that_breaks_the_loss_is_no_good():
    assert Reach(1.0, 0.5, 0.5).best == math.inf
    assert Reach(1.0, math.nan, 0.5).best == 0.0


def test_mappings_go_to_models_that_return_their_loss():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = layers(nn.ReLU())

        def forward(self, inputs, labels):
            return {"loss": LOSS(self.body(inputs), labels)}

    made = preflight(Whole(), lambda out, _: out["loss"], {"inputs": INPUTS, "labels": LABELS})
    assert made.ok


@pytest.mark.parametrize(
    ("loss", "batch", "told"),
    [
        (LOSS, INPUTS, "a batch is a pair"),
        (LOSS, (INPUTS, LABELS, LABELS), "tuple of 3"),
        (nn.CrossEntropyLoss(reduction="none"), (INPUTS, LABELS), r"shape \(64,\)"),
        (lambda out, _: 3.0, (INPUTS, LABELS), "gave a float"),
        (lambda out, _: out.detach().mean(), (INPUTS, LABELS), "does not depend on any parameter"),
    ],
)
def test_what_is_no_batch_or_no_loss_is_refused(loss, batch, told):
    with pytest.raises(PreflightError, match=told):
        preflight(layers(nn.ReLU()), loss, batch)


def test_an_optimizer_that_wants_a_closure_is_not_served():
    model = layers(nn.ReLU())
    with pytest.raises(TypeError, match="closure"):
        preflight(model, LOSS, (INPUTS, LABELS), torch.optim.LBFGS(model.parameters()))


SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4){more})
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(1000):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 8)), torch.randint(4, (16,))).backward()
    optimizer.step()
    print("step", step)
"""


@pytest.mark.parametrize(("more", "status"), [("", 0), (", nn.Softmax(-1)", 1)], ids=["sound", "sick"])
def test_a_script_is_stopped_after_two_steps_and_its_status_tells_what_was_found(more, status, tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT.format(more=more))
    command = [sys.executable, "-m", "undertow.cli", "run", "--preflight", "--name", "first", "train.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.split() == ["step", "0"]
    assert undertow.Run(tmp_path / "undertow-runs" / "first").steps == 2
    assert ("UT401" in ended.stderr) == bool(status)
