"""Held out once more, after what the first look led to was mended: dropout, weights not heard of, restless starts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .problems import Beside, Recurrent, adagrad, decayed, events, heavy_tailed, marked, nadam, nesterov, poisson
from .proofs import bouncing, made_sure, minimum, onward, plateau, saddle, slow, stands
from .stalls import (
    Stall,
    adam,
    adamw,
    cancer,
    constant,
    cut,
    dense,
    digits,
    flipped,
    regression,
    rmsprop,
    settled,
    sgd,
    stall,
    trained,
    wine,
)


def dead_beside_a_line(line: nn.Linear, units: int) -> Beside:
    """A line, and beside it rectified units that no input switches on."""
    branch = dense(nn.ReLU, line.in_features, units, 1)
    nn.init.constant_(branch[0].bias, -40.0)
    nn.init.zeros_(branch[2].bias)
    return Beside(line, branch)


@stall("minimum", sgd=(sgd(0.01), 2), adam=(adam(1e-5), 3))
@made_sure(minimum)
def dead_units_that_nobody_needs(optimizer, units):
    """What is asked is a line, and a line has been found: units switched on would find nothing more."""
    data = regression(4, 3000, 0.7)
    model = dead_beside_a_line(settled(nn.Linear(4, 1), F.mse_loss, data), units)
    return trained(model, F.mse_loss, cut(data, 1500), optimizer(model.parameters()), 50)


@stall("plateau", momentum=(sgd(1e-3, 0.9),), adamw=(adamw(1e-4),))
def dead_units_that_are_needed(optimizer):
    """Few weights among many that are at their best, and all that is left to learn is for them to learn."""
    inputs = torch.randn(600, 30)
    asked = inputs @ torch.randn(30, 1) / 30**0.5 + 2 * inputs[:, :1].abs() + 0.3 * torch.randn(600, 1)
    data = inputs, asked
    line = settled(nn.Linear(30, 1), F.mse_loss, data)
    good = Beside(nn.Linear(30, 1), dense(nn.ReLU, 30, 3, 1))
    good = trained(good, F.mse_loss, [data], adam(0.02)(good.parameters()), 1500)
    model = dead_beside_a_line(line, 3)
    return plateau(Stall(model, F.mse_loss, cut(data, 300), optimizer(model.parameters())), good, 0.9)


@stall("plateau", adam=(adam(1e-3),))
def dropout_before_units_that_are_dead(optimizer):
    inputs, labels = cancer(300)

    def net():
        return nn.Sequential(nn.Dropout(0.2), nn.Linear(30, 12), nn.ReLU(), nn.Linear(12, 2))

    good = net()
    good = trained(good, F.cross_entropy, [(inputs, labels)], adam(0.01)(good.parameters()), 300)
    model = net()
    nn.init.constant_(model[1].bias, -60.0)
    constant(model[3], labels)
    return plateau(Stall(model, F.cross_entropy, [(inputs, labels)], optimizer(model.parameters())), good)


def calmer(stood: Stall, steps: int = 1500) -> Stall:
    """It stands, where at a small rate it comes to lie clearly lower; the mean over many draws is what counts."""
    losses = onward(stood, 1000)
    stands(losses)
    calm = float(onward(stood, steps, 0.05)[-100:].mean())
    assert calm < 0.97 * float(losses.mean()), f"{float(losses.mean())} as it goes, {calm} at a small rate"
    return stood


def dropped(layer: nn.Linear, share: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(share), layer)


@stall("noise-floor", small=(sgd(0.2), 16), large=(sgd(1.0), 100))
@made_sure(calmer)
def signs_by_inputs_left_out(optimizer, size):
    """Logistic regression under dropout: the rate is sound for twice the sharpness that there can be."""
    inputs = torch.randn(400, 40)
    labels = ((inputs @ torch.randn(40, 1) + 3 * torch.randn(400, 1)) > 0).float()
    model = dropped(nn.Linear(40, 1), 0.5)
    sharpest = torch.linalg.eigvalsh(inputs.T @ inputs / 400)[-1] * 2 / 4
    stood = trained(
        model, F.binary_cross_entropy_with_logits, cut((inputs, labels), size), optimizer(model.parameters()), 1
    )
    assert stood.optimizer.param_groups[0]["lr"] * sharpest < 1
    return trained(*vars(stood).values(), 3000)


@stall("noise-floor", nesterov=(nesterov(0.05),))
@made_sure(calmer)
def events_by_inputs_left_out(optimizer):
    data, model = events(16, 512), dropped(nn.Linear(16, 1), 0.3)
    return trained(model, poisson, cut(data, 64), optimizer(model.parameters()), 2000)


@stall("minimum", sgd=(sgd(1e-3), 1), momentum=(sgd(1e-4, 0.9), 4))
def ridge_by_dropout_in_batches(optimizer, batches):
    """Dropout of inputs is ridge regression in the mean, so the minimum has a formula."""
    inputs, asked = regression(12, 400, 0.5)
    products = inputs.T @ inputs
    best = torch.linalg.solve(products + products.diagonal().diag(), inputs.T @ asked)

    def expected(answer: Tensor) -> float:
        return float(F.mse_loss(inputs @ answer, asked) + (inputs**2 @ answer**2).mean())

    model = dropped(nn.Linear(12, 1, bias=False), 0.5)
    with torch.no_grad():
        model[1].weight.copy_(best.T)
    stood = trained(model, F.mse_loss, cut((inputs, asked), 400 // batches), optimizer(model.parameters()), 400)
    assert expected(model[1].weight.detach().T) < 1.005 * expected(best)
    return stood


@stall("step-too-small", nadam=(nadam(3e-3), 1e4), adagrad=(adagrad(0.05), 1e5))
def dropout_in_one_batch_slowed(optimizer, factor):
    inputs, labels = wine()
    model = nn.Sequential(nn.Linear(13, 40), nn.SiLU(), nn.Dropout(0.5), nn.Linear(40, 3))
    stood = trained(model, F.cross_entropy, [(inputs, labels)], optimizer(model.parameters()), 5)
    for group in stood.optimizer.param_groups:
        group["lr"] /= factor
    return slow(stood, factor)


@stall("step-too-small", decayed=(decayed(1e-2, 0.1), 1e4))
def recurrence_with_dropout_slowed(optimizer, factor):
    model = Recurrent(nn.GRU(2, 16, num_layers=2, dropout=0.02, batch_first=True), 1)
    stood = trained(model, F.mse_loss, cut(marked(256, 6), 128), optimizer(model.parameters()), 10)
    for group in stood.optimizer.param_groups:
        group["lr"] /= factor
    return slow(stood, factor)


@stall("saddle", momentum=(sgd(0.02, 0.9),))
@made_sure(saddle)
def dropout_over_layers_of_zeros(optimizer):
    inputs, asked = regression(8, 300, 0.2)
    past = nn.Linear(8, 10)
    model = nn.Sequential(past, nn.Tanh(), nn.Dropout(0.2), nn.Linear(10, 1))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(model[3].bias, float(asked.mean()))
    return Stall(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()))


@stall("bouncing", rmsprop=(rmsprop(0.3, 0.9),), nadam=(nadam(1.0),))
@made_sure(bouncing)
def restless_line(optimizer):
    model = nn.Linear(15, 1)
    return trained(model, nn.HuberLoss(), [heavy_tailed(15, 300)], optimizer(model.parameters()), 777)


@stall("bouncing", sgd=(sgd(8.0),))
@made_sure(bouncing)
def restless_signs(optimizer):
    images, labels = digits(300)
    data, model = (images[:, 10:40], flipped(labels % 2, 2, 0.3)), nn.Linear(30, 2)
    return trained(model, F.cross_entropy, [data], optimizer(model.parameters()), 777)
