import copy
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import undertow
from undertow.errors import LandscapeError
from undertow.landscape import Evaluation, Grid, Work, difference, principal, random

GRID = Grid(-1, 1, 5)


def mlp(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def cnn(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(64, 3))


def points(count=20, shape=(6,), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator), torch.randint(3, (count,), generator=generator)


PROBLEMS = {"mlp": (mlp, points()), "cnn": (cnn, points(shape=(1, 6, 6)))}


def naive(model, batch, found):
    """The losses of a slice by adding its directions to a copy's weights, one point after the other."""
    inputs, targets = batch
    losses = []
    for point in np.stack([axis.reshape(-1) for axis in np.meshgrid(*found.axes, indexing="ij")], 1):
        other = copy.deepcopy(model).eval()
        with torch.no_grad():
            for name, parameter in other.named_parameters():
                for coordinate, direction in zip(point, found.plane.directions, strict=True):
                    parameter += float(coordinate) * direction[name]
            losses.append(cross_entropy(other(inputs), targets).item())
    return np.array(losses).reshape(found.losses.shape)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("stacked", [None, 1, 7])
@pytest.mark.parametrize("directions", [("random",), ("random", "gradient"), ("sharpest", "sharpest")])
def test_a_slice_is_what_a_loop_over_copies_finds(name, stacked, directions):
    build, batch = PROBLEMS[name]
    model = build()
    how = Evaluation(work=Work(stacked=stacked))
    found = undertow.landscape(model, cross_entropy, batch, directions, GRID, how)
    np.testing.assert_allclose(found.losses, naive(model, batch, found), rtol=1e-5, atol=1e-6)


def test_a_quadratic_bowl_has_its_known_values_and_minimum():
    class Bowl(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))

        def forward(self, scale):
            return scale * self.w**2

    axes = ({"w": torch.tensor([1.0, 0.0]).double()}, {"w": torch.tensor([0.0, 1.0]).double()})
    batch = (torch.tensor([1.0, 3.0]).double(), torch.zeros(2).double())
    found = undertow.landscape(Bowl(), lambda out, _: out.sum(), batch, axes, [Grid(-2, 0, 5), Grid(0, 4, 9)])
    x, y = np.meshgrid(*found.axes, indexing="ij")
    np.testing.assert_allclose(found.losses, (1 + x) ** 2 + 3 * (y - 2) ** 2, rtol=1e-12, atol=1e-12)
    assert found.minimum == ((-1.0, 2.0), 0.0)
    sharp = undertow.landscape(Bowl(), lambda out, _: out.sum(), batch, ("sharpest",), GRID, Evaluation("none"))
    np.testing.assert_allclose(sharp.plane.directions[0]["w"].abs(), [0, 1], atol=1e-3)


@pytest.mark.parametrize("by", ["filter", "layer"])
def test_rescaling_a_rectified_network_leaves_its_normalised_slice_as_it_is(by):
    model, batch = mlp(), points()
    rescaled = copy.deepcopy(model)
    with torch.no_grad():
        rescaled[0].weight *= 8
        rescaled[0].bias *= 8
        rescaled[2].weight /= 8
    same, other = (
        undertow.landscape(m, cross_entropy, batch, grid=GRID, how=Evaluation(by)) for m in (model, rescaled)
    )
    np.testing.assert_allclose(same.losses, other.losses, rtol=1e-5)
    unlike = undertow.landscape(rescaled, cross_entropy, batch, grid=GRID, how=Evaluation("none"))
    assert not np.allclose(
        unlike.losses,
        undertow.landscape(model, cross_entropy, batch, grid=GRID, how=Evaluation("none")).losses,
        rtol=0.1,
    )


def test_filters_have_the_norms_of_the_weights_and_parameters_of_one_dimension_do_not_move():
    model = cnn()
    found = undertow.landscape(model, cross_entropy, PROBLEMS["cnn"][1], ("random",), GRID)
    for name, weight in model.named_parameters():
        direction = found.plane.directions[0][name]
        expected = weight.detach().flatten(1).norm(dim=1) if weight.ndim > 1 else torch.zeros(len(weight))
        torch.testing.assert_close(direction.flatten(1).norm(dim=1) if weight.ndim > 1 else direction, expected)


def everything(model):
    tensors = [t.detach().clone() for t in (*model.parameters(), *model.buffers())]
    return tensors, [m.training for m in model.modules()], torch.get_rng_state(), np.random.get_state()[1].tolist()


def same(left, right):
    return (
        all(torch.equal(a, b) for a, b in zip(left[0], right[0], strict=True))
        and left[1] == right[1]
        and torch.equal(left[2], right[2])
        and left[3] == right[3]
    )


@pytest.mark.parametrize("statistics", ["stored", "batch", "recomputed"])
@pytest.mark.parametrize("fails", [False, True])
def test_model_modes_buffers_and_random_numbers_are_as_before(statistics, fails):
    model, batch = cnn(), PROBLEMS["cnn"][1]
    model.train()
    model[4].eval()
    calls = []

    def loss(outputs, targets):
        torch.rand(1), np.random.rand()
        calls.append(1)
        if fails and len(calls) > 9:
            raise KeyError("in the middle")
        return cross_entropy(outputs, targets)

    before = everything(model)
    how = Evaluation(statistics=statistics, work=Work(stacked=1))
    if fails:
        with pytest.raises(KeyError):
            undertow.landscape(model, loss, batch, ("gradient", "random"), GRID, how)
    else:
        undertow.landscape(model, loss, batch, ("gradient", "random"), GRID, how)
    assert same(before, everything(model))


def test_a_graph_recorded_before_can_still_be_swept():
    model, (inputs, targets) = cnn(), PROBLEMS["cnn"][1]
    loss = cross_entropy(model(inputs), targets)
    undertow.landscape(model, cross_entropy, (inputs, targets), ("gradient", "sharpest"), GRID)
    assert all(p.grad is None for p in model.parameters())
    loss.backward()


def test_batches_statistics_are_of_the_batch_of_all_data_or_as_stored():
    model, (inputs, targets) = cnn(), PROBLEMS["cnn"][1]
    model[4] = nn.Identity()

    def centre(statistics, batch):
        how = Evaluation(statistics=statistics)
        return undertow.landscape(model, cross_entropy, batch, ("random",), Grid(0, 1, 2), how).losses[0]

    trained = copy.deepcopy(model).train()
    with torch.no_grad():
        np.testing.assert_allclose(
            centre("batch", (inputs, targets)), cross_entropy(trained(inputs), targets), rtol=1e-5
        )
        model(torch.randn(8, 1, 6, 6))
        stored = cross_entropy(copy.deepcopy(model).eval()(inputs), targets)
        np.testing.assert_allclose(centre("stored", (inputs, targets)), stored, rtol=1e-5)
        halves = [(inputs[:10], targets[:10]), (inputs[10:], targets[10:])]
        gathered = copy.deepcopy(model).train()
        gathered[1].reset_running_stats()
        gathered[1].momentum = None
        for half, _ in halves:
            gathered(half)
        expected = cross_entropy(gathered.eval()(inputs), targets)
    np.testing.assert_allclose(centre("recomputed", halves), expected, rtol=1e-5)


def test_the_mean_over_batches_is_the_mean_over_their_examples():
    model, (inputs, targets) = mlp(), points()
    split = [[inputs[:3], targets[:3]], [inputs[3:], targets[3:]]]
    whole = undertow.landscape(model, cross_entropy, (inputs, targets), grid=GRID)
    parts = undertow.landscape(model, cross_entropy, split, grid=GRID)
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-5)


def test_an_interrupted_slice_is_gone_on_with_and_no_other_one(tmp_path):
    model, batch, file = mlp(), points(), tmp_path / "slice.npz"
    how = Evaluation(work=Work(stacked=1, file=file))
    calls = []

    def breaks(outputs, targets):
        calls.append(1)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return cross_entropy(outputs, targets)

    with pytest.raises(KeyboardInterrupt):
        undertow.landscape(model, breaks, batch, grid=GRID, how=how)
    before = len(calls)
    found = undertow.landscape(model, breaks, batch, grid=GRID, how=how)
    assert len(calls) - before == 25 - 13
    np.testing.assert_array_equal(
        found.losses, undertow.landscape(model, cross_entropy, batch, grid=GRID, how=Evaluation(work=Work(1))).losses
    )
    assert undertow.landscape(model, breaks, batch, grid=GRID, how=Evaluation(work=Work(file=file))).way.stacked == 1
    assert len(calls) - before == 25 - 13
    for changed in (
        lambda: undertow.landscape(mlp(1), breaks, batch, grid=GRID, how=how),
        lambda: undertow.landscape(model, breaks, points(seed=2), grid=GRID, how=how),
        lambda: undertow.landscape(model, breaks, batch, grid=Grid(-2, 1, 5), how=how),
        lambda: undertow.landscape(model, cross_entropy, batch, grid=GRID, how=how),
    ):
        with pytest.raises(LandscapeError, match="another slice"):
            changed()
    file.write_bytes(b"no slice")
    with pytest.raises(LandscapeError, match="holds no slice"):
        undertow.landscape(model, cross_entropy, batch, grid=GRID, how=how)


def test_workers_in_other_processes_find_the_same():
    model, batch = mlp(), points()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        how = Evaluation(work=Work(stacked=1, executor=executor))
        found = undertow.landscape(model, cross_entropy, batch, grid=GRID, how=how)
    here = undertow.landscape(model, cross_entropy, batch, grid=GRID, how=Evaluation(work=Work(stacked=1)))
    np.testing.assert_array_equal(found.losses, here.losses)


def test_a_model_that_cannot_be_vectorised_is_measured_point_by_point():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, x):
            out = self.linear(x)
            return out if out.sum().item() > 0 else 2 * out

    torch.manual_seed(0)
    model, batch = Reads(), points()
    found = undertow.landscape(model, cross_entropy, batch, grid=GRID)
    assert found.way.stacked == 1
    np.testing.assert_allclose(found.losses, naive(model, batch, found), rtol=1e-5)


def test_principal_directions_hold_a_trajectory_that_lies_in_a_plane():
    model = mlp()
    here = dict(model.named_parameters())
    one, two = random(model, 1), random(model, 2)
    wanted = [(0.1, 2.0), (1.0, 1.0), (3.0, 0.2)]
    steps = [{n: p.detach() + a * one[n] + b * two[n] for n, p in here.items()} for a, b in wanted]
    directions, shares = principal(model, steps)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    found = undertow.landscape(model, cross_entropy, points(), directions, GRID)
    track = found.track(steps)
    assert track.outside.max() < 1e-3
    lengths = [difference({n: p.detach() for n, p in here.items()}, step) for step in steps]
    norms = [torch.cat([d.flatten() for d in away.values()]).norm().item() for away in lengths]
    np.testing.assert_allclose(np.linalg.norm(track.coordinates, axis=1), norms, rtol=1e-4)
    assert found.track([{n: p + random(model, 9)[n] for n, p in here.items()}]).outside[0] > 0.9
    with pytest.raises(LandscapeError, match="do not span"):
        principal(model, steps[:1])


def test_what_does_not_fit_is_refused():
    model, batch = mlp(), points()
    for directions in ("random", (), ("random",) * 3, ("uphill",), ({"0.weight": torch.ones(2)},), ({},)):
        with pytest.raises(LandscapeError):
            undertow.landscape(model, cross_entropy, batch, directions, GRID)
    for wrong in (Evaluation("filters"), Evaluation(statistics="running")):
        with pytest.raises(LandscapeError):
            undertow.landscape(model, cross_entropy, batch, grid=GRID, how=wrong)
    with pytest.raises(LandscapeError, match="one number"):
        undertow.landscape(model, lambda out, _: out, batch, grid=GRID)
    with pytest.raises(LandscapeError, match="no batch"):
        undertow.landscape(model, mse_loss, [], grid=GRID)


@pytest.mark.parametrize("directions", [("random",), ("random", "random")])
def test_a_smooth_slice_is_interpolated_to_the_tolerance_from_few_points(directions):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    inputs, targets = points()
    batch, grid, calls = (inputs.double(), targets), Grid(-0.7, 0.9, 101 if len(directions) == 1 else 31), []

    def counted(outputs, targets):
        calls.append(1)
        return cross_entropy(outputs, targets)

    how = Evaluation(tolerance=1e-5, work=Work(stacked=1))
    near = undertow.landscape(model, counted, batch, directions, grid, how)
    exact = undertow.landscape(model, cross_entropy, batch, directions, grid)
    assert np.abs(near.losses / exact.losses - 1).max() <= near.interpolation.error <= 1e-5
    assert len(calls) == near.interpolation.measured <= exact.losses.size / 2


def test_the_tolerance_is_kept_at_every_point_in_19_of_20_slices_with_kinks_of_many_examples():
    kept, fewer = 0, 0
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)).double()
        batch = torch.randn(2000, 6, dtype=torch.float64), torch.randint(3, (2000,))
        grid = Grid(-0.5, 0.5, 201)
        near = undertow.landscape(model, cross_entropy, batch, ("random",), grid, Evaluation(seed=seed, tolerance=3e-5))
        exact = undertow.landscape(model, cross_entropy, batch, ("random",), grid, Evaluation(seed=seed))
        kept += np.abs(near.losses / exact.losses - 1).max() <= 3e-5
        fewer += near.interpolation is not None
    assert kept >= 19
    assert fewer >= 10


def test_a_slice_with_a_cliff_is_measured_throughout():
    class Cliff(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(1, 1))

        def forward(self, x):
            return x * torch.where(self.w > 0.1, 5.0, 1.0)

    axis = ({"0.w": torch.ones(1, 1)},)
    model, batch = nn.Sequential(Cliff()), (torch.ones(1, 1), torch.zeros(1, 1))
    grid = Grid(-1, 1, 200)
    found = undertow.landscape(model, mse_loss, batch, axis, grid, Evaluation(tolerance=1e-5))
    assert found.interpolation is None
    np.testing.assert_allclose(found.losses, np.where(grid.axis() > 0.1, 25, 1))


def test_what_is_interpolated_is_not_kept_in_a_file(tmp_path):
    with pytest.raises(LandscapeError, match="not kept in a file"):
        Evaluation(tolerance=0.1, work=Work(file=tmp_path / "slice.npz"))
