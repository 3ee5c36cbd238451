import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow
from undertow.landscape import Grid
from undertow.landscape.affine import RULES
from undertow.landscape.directions import random, weights
from undertow.landscape.evaluate import Way, evaluated, fastest
from undertow.landscape.fold import folded
from undertow.landscape.forms import FORMS, POOLS
from undertow.landscape.interpolate import HELD_OUT, ORDERS, interpolated
from undertow.landscape.normalise import normalised
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem
from undertow.linear.listing import UnlistableError

aten = torch.ops.aten
POINTS = np.array([(a, b) for a in (-1.0, 0.25, 1.5) for b in (-0.5, 0.0, 1.0)])


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.act, self.end = nn.ReLU(inplace=True), nn.Linear(3, 4)

    def forward(self, x):
        left, right = (self.first(x) + x).chunk(2, -1)
        merged = torch.cat([left, right], -1) * 0.5
        return self.end(self.act(self.norm(merged)).mean((-2, -1)))


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(9, 8), nn.Parameter(torch.randn(5, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 9)

    def forward(self, x):
        return self.head(self.body(self.token(x) + self.place)).flatten(0, 1)


def normed(*layers):
    model = nn.Sequential(*layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
    return model


def pictures():
    return torch.randn(40, 3, 9, 8), torch.randint(4, (40,))


CASES = {
    "tables": lambda: (
        nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(inplace=True), nn.Linear(8, 4)),
        (torch.randn(40, 3, 4), torch.randint(4, (40,))),
    ),
    "max-pooling": lambda: (
        normed(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 4)),
        pictures(),
    ),
    "mean-pooling": lambda: (
        normed(nn.Conv2d(3, 4, 3), nn.AvgPool2d(3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(24, 4)),
        pictures(),
    ),
    "residual": lambda: (normed(Residual()), pictures()),
    "language": lambda: (Language(), (torch.randint(9, (6, 5)), torch.randint(9, (30,)))),
    "two batches": lambda: (
        nn.Sequential(nn.Linear(5, 4), nn.Tanh()),
        [(torch.randn(n, 5), torch.randint(4, (n,))) for n in (20, 30)],
    ),
}


def made(name, statistics="stored", by="none"):
    torch.manual_seed(0)
    model, batch = CASES[name]()
    here = weights(model)
    directions = tuple(normalised(random(model, seed), here, by) for seed in (1, 2))
    return Problem.of(model, F.cross_entropy, batch, statistics), Plane(here, directions)


@pytest.mark.parametrize("by", ["none", "filter"])
@pytest.mark.parametrize("statistics", ["stored", "batch"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_folded_has_the_loss_of_the_whole(name, statistics, by):
    problem, plane = made(name, statistics, by)
    expected = evaluated(problem, plane, POINTS, Way(1))
    for stacked in (1, 4):
        found = evaluated(problem, plane, POINTS, Way(stacked, folded=True))
        np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("name", ["tables", "max-pooling", "mean-pooling", "language"])
def test_the_first_layer_is_in_what_is_folded(name):
    problem, plane = made(name)
    found = folded(problem, plane)
    entries = [tensor.shape for tensor in found.plane.centre.values()]
    assert next(iter(plane.centre.values())).shape not in entries
    assert all(step.operation is not aten.convolution.default for step in found.steps)


def test_directions_of_zeros_do_not_move_what_is_folded():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    here = weights(model)
    only = {"2.bias": torch.ones(2), "0.weight": torch.zeros(3, 4)}
    problem = Problem.of(model, F.cross_entropy, (torch.randn(9, 4), torch.randint(2, (9,))), "stored")
    found = folded(problem, Plane(here, (only,)))
    assert [tensor.shape for tensor in found.plane.centre.values()] == [(9, 2)]
    expected = evaluated(problem, Plane(here, (only,)), POINTS[:, :1], Way(1))
    np.testing.assert_allclose(
        evaluated(problem, Plane(here, (only,)), POINTS[:, :1], Way(1, folded=True)), expected, rtol=1e-6
    )


class Reads(nn.Linear):
    def forward(self, x):
        out = super().forward(x)
        return out if out.sum().item() > 0 else 2 * out


class Draws(nn.Linear):
    def forward(self, x):
        return super().forward(x) + 0 * torch.rand(3)


class Writes(nn.Linear):
    def forward(self, x):
        out = super().forward(x).tanh()
        out.view(-1).relu_()
        return out


class Counts(nn.Linear):
    calls = 0

    def forward(self, x):
        Counts.calls += 1
        return super().forward(x).tanh() * Counts.calls


@pytest.mark.parametrize("kind", [Reads, Draws, Writes])
def test_what_is_no_fixed_list_of_operations_is_not_folded(kind):
    torch.manual_seed(0)
    model, batch = kind(6, 3), (torch.randn(30, 6), torch.randint(3, (30,)))
    plane = Plane(weights(model), (random(model, 1), random(model, 2)))
    problem = Problem.of(model, F.cross_entropy, batch, "stored")
    with pytest.raises(UnlistableError):
        folded(problem, plane)
    found = undertow.landscape(model, F.cross_entropy, batch, grid=Grid(-1, 1, 5))
    assert not found.way.folded


def test_what_is_another_loss_when_folded_is_not_folded():
    model, batch = Counts(6, 3), (torch.randn(30, 6), torch.randint(3, (30,)))
    plane = Plane(weights(model), (random(model, 1), random(model, 2)))
    assert not fastest(Problem.of(model, F.cross_entropy, batch, "stored"), plane, POINTS).folded


def r(*shape):
    return torch.randn(*shape, dtype=torch.float64)


SAMPLES = {
    aten.add.Tensor: (r(3, 4), r(3, 4)),
    aten.sub.Tensor: (r(3, 4), r(4)),
    aten.neg.default: (r(3),),
    aten.cat.default: ([r(3), r(2)],),
    aten.stack.default: ([r(3), r(3)],),
    aten.t.default: (r(3, 4),),
    aten.transpose.int: (r(3, 4), 0, 1),
    aten.permute.default: (r(3, 4), [1, 0]),
    aten.view.default: (r(3, 4), [12]),
    aten._unsafe_view.default: (r(3, 4), [12]),
    aten.expand.default: (r(1, 4), [3, 4]),
    aten.squeeze.dim: (r(1, 4), 0),
    aten.squeeze.dims: (r(1, 4), [0]),
    aten.unsqueeze.default: (r(4), 0),
    aten.select.int: (r(3, 4), 0, 1),
    aten.slice.Tensor: (r(3, 4), 1, 0, 2),
    aten.clone.default: (r(3),),
    aten.alias.default: (r(3),),
    aten.detach.default: (r(3),),
    aten.unbind.int: (r(3, 2),),
    aten.split.Tensor: (r(4, 2), 2),
    aten.split_with_sizes.default: (r(4, 2), [1, 3]),
    aten.constant_pad_nd.default: (r(3, 4), [1, 1], 2.0),
    aten.avg_pool2d.default: (r(2, 3, 6, 6), [2, 2], [2, 2]),
    aten.mean.default: (r(3, 4),),
    aten.mean.dim: (r(3, 4), [1]),
    aten.sum.default: (r(3, 4),),
    aten.sum.dim_IntList: (r(3, 4), [1]),
    aten._adaptive_avg_pool2d.default: (r(2, 3, 6, 6), [2, 2]),
    aten.div.Tensor: (r(3), r(3)),
    aten.embedding.default: (r(5, 3), torch.tensor([0, 3, 3])),
    aten.mul.Tensor: (r(3), r(3)),
    aten.mm.default: (r(3, 4), r(4, 2)),
    aten.bmm.default: (r(2, 3, 4), r(2, 4, 2)),
    aten.addmm.default: (r(2), r(3, 4), r(4, 2)),
    aten.baddbmm.default: (r(2, 3, 2), r(2, 3, 4), r(2, 4, 2)),
    aten.convolution.default: (r(2, 3, 5, 5), r(4, 3, 3, 3), r(4), [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    aten._native_batch_norm_legit_no_training.default: (r(5, 3), r(3), r(3), r(3), r(3).exp(), 0.1, 1e-5),
}


def test_every_rule_has_a_sample():
    assert set(SAMPLES) == set(RULES)


def blended(value, other, share):
    if isinstance(value, list) and isinstance(value[0], torch.Tensor):
        return [blended(left, right, share) for left, right in zip(value, other, strict=True)]
    return value * (1 - share) + other * share


def moves(value):
    first = value[0] if isinstance(value, list) else value
    return isinstance(first, torch.Tensor) and first.is_floating_point()


@pytest.mark.parametrize("operation", RULES, ids=str)
def test_an_operation_is_affine_in_each_set_of_arguments_that_its_rule_allows(operation):
    arguments = SAMPLES[operation]
    floating = [place for place, value in enumerate(arguments) if moves(value)]
    sets = [[n for n in floating if chosen >> n & 1] for chosen in range(1, 1 << len(arguments))]
    allowed = [places for places in sets if places and RULES[operation].holds(places)]
    assert allowed

    def at(places, share):
        torch.manual_seed(3)
        given = [*arguments]
        for place in places:
            other = arguments[place]
            moved = [torch.randn_like(t) for t in other] if isinstance(other, list) else torch.randn_like(other)
            given[place] = blended(other, moved, share)
        found = operation(*given)
        return [found] if isinstance(found, torch.Tensor) else [*found]

    for places in allowed:
        for start, end, between in zip(at(places, 0), at(places, 1), at(places, 0.3), strict=True):
            torch.testing.assert_close(between, 0.7 * start + 0.3 * end)


FORMED = {
    aten.addmm.default: [
        (torch.randn(c), torch.randn(n, 5), torch.randn(5, c)) for n, c in ((200, 10), (3, 10), (50, 40))
    ],
    aten._log_softmax.default: [(100 * torch.randn(n, c), d, False) for n, c in ((200, 10), (3, 10)) for d in (0, 1)],
    aten.nll_loss_forward.default: [
        (torch.randn(200, 10), torch.randint(10, (200,)), weight, reduction, ignored)
        for weight in (None, torch.rand(10))
        for reduction in (0, 1, 2)
        for ignored in (-100, 3)
    ],
    aten.avg_pool2d.default: [
        (torch.randn(2, 3, 9, 8), *how)
        for how in (([2, 2], [2, 2]), ([3, 2], [1, 2]), ([2, 2],), ([3, 3], [2, 2], [1, 1]), ([4, 4], [1, 1]))
    ],
    aten.max_pool2d_with_indices.default: [
        (torch.randn(2, 3, 9, 8), *how)
        for how in (([2, 2], [2, 2]), ([3, 2], [1, 2]), ([2, 2],), ([3, 3], [2, 2], [1, 1]))
    ],
}


@pytest.mark.parametrize("operation", FORMS | POOLS, ids=str)
def test_a_faster_form_gives_the_same_numbers(operation):
    for arguments in FORMED[operation]:
        found, expected = (one(*arguments) for one in ((FORMS | POOLS)[operation], operation))
        if operation in POOLS:
            found, expected = found[0], expected[0]
        torch.testing.assert_close(found, expected)


def test_an_interpolation_that_fails_has_cost_little():
    axes, measured = (np.linspace(-1, 1, 51),) * 2, []

    def kinked(points):
        measured.extend(points)
        return 1 + np.abs(points[:, 0] + 0.31 * points[:, 1] - 0.1)

    assert interpolated(kinked, axes, 1e-5) is None
    assert len(measured) <= HELD_OUT + (ORDERS[1] + 1) ** 2


def test_a_function_is_known_by_its_code_its_defaults_and_what_it_reads():
    from functools import partial

    from undertow.landscape.identity import identity

    def scaled(by):
        return lambda out, target: by * F.cross_entropy(out, target)

    def counting(calls):
        return lambda out, target: (calls.append(1), F.cross_entropy(out, target))[1]

    losses = [
        F.cross_entropy,
        F.mse_loss,
        scaled(1),
        scaled(2),
        scaled(torch.ones(3)),
        scaled(torch.zeros(3)),
        partial(F.cross_entropy, label_smoothing=0.1),
        partial(F.cross_entropy, label_smoothing=0.2),
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(weight=torch.ones(3)),
        lambda out, target: F.cross_entropy(out, target) + 1,
        lambda out, target: F.cross_entropy(out, target) + 2,
        counting([]),
    ]
    told = [identity(loss) for loss in losses]
    assert len(set(told)) == len(told)
    assert identity(scaled(2)) == told[3]
    assert identity(nn.CrossEntropyLoss(label_smoothing=0.1)) == told[9]
    assert identity(counting([1, 2])) == told[13]
