"""Held out: trainings held up by the noise of small batches, or of dropout, at rates that are sound without it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .problems import (
    Difference,
    Factored,
    Graph,
    collocated,
    doubted,
    events,
    games,
    heavy_tailed,
    marked,
    nadam,
    nesterov,
    poisson,
    ratings,
    squared_hinge,
    written,
)
from .proofs import made_sure, noisy, onward, stands
from .stalls import adam, adamw, cancer, cut, digits, flipped, regression, rmsprop, sgd, stall, trained, wine


@stall("noise-floor", sgd=(sgd(0.04),), adam=(adam(0.03),))
@made_sure(noisy)
def events_in_small_batches(optimizer):
    data = events(16)
    model = nn.Linear(16, 1)
    return trained(model, poisson, cut(data, 4), optimizer(model.parameters()), 2000)


@stall("noise-floor", nesterov=(nesterov(0.02),), nadam=(nadam(0.05),))
@made_sure(noisy)
def heavy_tails_in_small_batches(optimizer):
    data, loss_fn = heavy_tailed(20), nn.HuberLoss()
    model = nn.Linear(20, 1)
    return trained(model, loss_fn, cut(data, 4), optimizer(model.parameters()), 2000)


@stall("noise-floor", adam=(adam(0.03),))
@made_sure(noisy)
def ratings_in_small_batches(optimizer):
    pairs, table = ratings(30, 24, 2, 0.6)
    mixed = torch.randperm(len(table))
    model = Factored(30, 24, 2)
    return trained(model, F.mse_loss, cut((pairs[mixed], table[mixed]), 8), optimizer(model.parameters()), 4000)


@stall("noise-floor", sgd=(sgd(2.0),), rmsprop=(rmsprop(0.1),))
@made_sure(noisy)
def games_in_small_batches(optimizer):
    data, loss_fn = games(24, 768), F.binary_cross_entropy_with_logits
    model = Difference(24)
    return trained(model, loss_fn, cut(data, 6), optimizer(model.parameters()), 2000)


@stall("noise-floor", momentum=(sgd(0.01, 0.95),))
@made_sure(noisy)
def states_read_out_in_small_batches(optimizer):
    sequences, asked = marked(256, 12, 0.3)
    states = nn.LSTM(2, 24, batch_first=True).requires_grad_(False)
    data = nn.functional.normalize(states(sequences)[0][:, -1] * 100, dim=1), asked
    model = nn.Linear(24, 1)
    return trained(model, F.mse_loss, cut(data, 4), optimizer(model.parameters()), 4000)


@stall("noise-floor", adamw=(adamw(0.15),))
@made_sure(noisy)
def neighbours_in_small_batches(optimizer):
    model = Graph(200, (6, 4, 3), nn.Identity())
    nodes, labels = model.labelled(0.3)
    data = nodes[torch.randperm(200)], flipped(labels, 3, 0.3)
    data = data[0], data[1][data[0]]
    return trained(model, F.cross_entropy, cut(data, 5), optimizer(model.parameters()), 2000)


@stall("noise-floor", nesterov=(nesterov(0.002),))
@made_sure(noisy)
def margins_in_small_batches(optimizer):
    inputs, labels = cancer()
    data = inputs, doubted(labels, 0.2)
    model = nn.Linear(30, 1)
    return trained(model, squared_hinge, cut(data, 4), optimizer(model.parameters()), 4000)


@stall("noise-floor", adam=(adam(0.1),))
@made_sure(noisy)
def equation_in_small_batches(optimizer):
    data = collocated(12, 240, 1.0)
    model = nn.Linear(12, 1, bias=False)
    return trained(model, F.mse_loss, cut(data, 4), optimizer(model.parameters()), 4000)


@stall("noise-floor", sgd=(sgd(10.0),))
@made_sure(noisy)
def letters_in_small_batches(optimizer):
    inputs, labels = written(1, 3000)
    mixed = torch.randperm(len(labels))[:2000]
    data = inputs[mixed, 0], (labels[mixed] == 32).float()
    model = nn.Sequential(nn.Embedding(128, 1), nn.Flatten(0))
    return trained(model, F.binary_cross_entropy_with_logits, cut(data, 5), optimizer(model.parameters()), 4000)


@stall("noise-floor", sgd=(sgd(1.5),))
@made_sure(noisy)
def images_coded_in_small_batches(optimizer):
    images = digits(400)[0].clamp(-3, 3)
    model = nn.Sequential(nn.Linear(64, 6), nn.Linear(6, 64))
    return trained(model, F.mse_loss, cut((images, images), 4), optimizer(model.parameters()), 6000)


@stall("noise-floor", momentum=(sgd(0.02, 0.9),))
@made_sure(noisy)
def filter_in_small_batches(optimizer):
    inputs = torch.randn(64, 2, 20)
    asked = nn.Conv1d(2, 3, 7)(inputs).detach() + 0.3 * torch.randn(64, 3, 14)
    model = nn.Conv1d(2, 3, 7)
    return trained(model, F.mse_loss, cut((inputs, asked), 1), optimizer(model.parameters()), 1000)


@stall("noise-floor", sgd=(sgd(1.5),))
def batch_norm_of_few(optimizer):
    """With batch normalisation the loss is another in larger batches: what a small rate comes to is the measure."""
    inputs, labels = wine()
    data = inputs, flipped(labels, 3, 0.6)
    model = nn.Sequential(nn.Linear(13, 3), nn.BatchNorm1d(3))
    stood = trained(model, F.cross_entropy, cut(data, 8), optimizer(model.parameters()), 3000)
    losses, quiet = onward(stood, 600), onward(stood, 600, batches=[data])
    stands(losses)
    calm = onward(stood, 2000, 0.05)[-50:].mean()
    assert calm < 0.97 * losses.mean(), f"{losses.mean()} as it goes, {calm} at a small rate"
    assert quiet[-10:].std() < 0.01 * quiet[-10:].mean(), "without noise it bounces"
    return stood


@stall("noise-floor", sgd=(sgd(0.15),))
def inputs_left_out_at_a_large_rate(optimizer):
    """One batch of all data, and dropout of inputs alone is the noise; the mean loss has a formula."""
    inputs, asked = regression(40, 300, 0.3)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(40, 1, bias=False))
    products = inputs.T @ inputs / 300
    best = torch.linalg.solve(products + products.diagonal().diag(), inputs.T @ asked / 300)

    def expected(answer: Tensor) -> float:
        return float(F.mse_loss(inputs @ answer, asked) + (inputs**2 @ answer**2).mean())

    sharpness = 2 * torch.linalg.eigvalsh(products + products.diagonal().diag())[-1]
    stood = trained(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()), 500)
    assert stood.optimizer.param_groups[0]["lr"] * sharpness < 1
    stands(onward(stood, 600))
    told = []
    for _ in range(100):
        trained(*vars(stood).values(), 3)
        told.append(expected(model[1].weight.detach().T))
    assert sum(told) / 100 > 1.03 * expected(best), f"{sum(told) / 100} against {expected(best)}"
    return stood
