"""Eigenvalues, trace, spectrum and edge of stability against dense matrices and known answers."""

import math

import pytest
import torch
from torch import nn

import undertow
from undertow.curvature import Start, curvature, density, eigen, trace
from undertow.curvature.edge import limit
from undertow.errors import CurvatureError

torch.manual_seed(0)
BATCH = torch.randn(64, 5, dtype=torch.float64), torch.randint(3, (64,))
LOSS = nn.CrossEntropyLoss()


def network(*between):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), *(between or (nn.Tanh(),)), nn.Linear(8, 3)).double()


@pytest.fixture(scope="module")
def curved():
    return curvature(network(), LOSS, BATCH)


@pytest.fixture(scope="module")
def dense(curved):
    return curved.operator.matrix()


@pytest.mark.parametrize(("count", "ends"), [(1, "largest"), (3, "largest"), (2, "smallest"), (4, "both")])
def test_extreme_eigenvalues_are_those_of_the_dense_matrix(count, ends, curved, dense):
    values = torch.linalg.eigvalsh(dense).flip(0).tolist()
    wanted = {
        "largest": values[:count],
        "smallest": values[-count:],
        "both": values[: count // 2] + values[-count // 2 :],
    }
    found = curved.eigen(count, ends)
    assert [pair.value for pair in found.pairs] == pytest.approx(wanted[ends], rel=1e-4)


@pytest.mark.parametrize("lean", [0, 1, -1], ids=["the lowest vector", "the next to it", "the highest"])
def test_a_start_that_leans_elsewhere_still_finds_the_largest(lean, curved, dense):
    values, vectors = torch.linalg.eigh(dense)
    near = curved.operator.source.point(curved.operator.source.unflat(vectors[:, lean]))
    found = eigen(curved.operator, start=Start(near=near))
    assert found.largest.value == pytest.approx(float(values[-1]), rel=1e-4)


def test_a_start_near_the_vector_saves_products_and_one_at_nothing_is_at_random(curved):
    plain = eigen(curved.operator)
    assert eigen(curved.operator, start=Start(near=plain.largest.vector)).products < plain.products
    nothing = {name: torch.zeros_like(g) for name, g in curved.gradient.items()}
    assert eigen(curved.operator, start=Start(near=nothing)).products == plain.products


def test_an_eigenvalue_lies_within_its_error(curved, dense):
    values = torch.linalg.eigvalsh(dense)
    for pair in curved.eigen(4, "both").pairs:
        assert (values - pair.value).abs().min() <= pair.error + 1e-12
        vector = torch.cat([tensor.flatten() for tensor in pair.vector.values()])
        assert float(vector.norm()) == pytest.approx(1)
        assert float((dense @ vector - pair.value * vector).norm()) == pytest.approx(pair.error, abs=1e-10)


def test_a_matrix_too_small_for_lanczos_is_solved_whole():
    weight = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    found = eigen(undertow.hessian((weight**2 * torch.tensor([1.0, 3.0])).sum(), weight), 2)
    assert [pair.value for pair in found.pairs] == pytest.approx([6.0, 2.0])


def test_the_trace_is_that_of_the_dense_matrix_within_its_error(curved, dense):
    off = []
    for seed in range(20):
        found = trace(curved.operator, 30, seed=seed)
        off.append((found.whole.value - float(dense.trace())) / found.whole.error)
    assert abs(sum(off) / len(off)) < 3 / math.sqrt(len(off)) * 1.3
    assert sum(abs(o) < 2.3 for o in off) >= 14  # t with 9 degrees of freedom: 95 in 100


def test_traces_of_the_blocks_sum_to_the_whole_and_are_those_of_the_matrix(curved, dense):
    found = curved.trace(60)
    assert sum(part.value for part in found.by_tensor.values()) == pytest.approx(found.whole.value)
    start = 0
    for name, parameter in curved.model.named_parameters():
        block = float(dense.diagonal()[start : start + parameter.numel()].sum())
        part = found.by_tensor[name]
        assert part.value == pytest.approx(block, abs=5 * part.error + 1e-9)
        start += parameter.numel()


def test_the_trace_of_a_matrix_of_low_rank_is_exact():
    inputs = torch.randn(10, 30, dtype=torch.float64)
    weight = torch.zeros(30, dtype=torch.float64, requires_grad=True)
    found = trace(undertow.hessian((inputs @ weight).square().sum() / 2, weight), 36)
    assert found.whole.value == pytest.approx(float(inputs.square().sum()), rel=1e-9)


def test_the_spectrum_has_the_moments_of_the_dense_matrix(curved, dense):
    found = density(curved.operator, steps=20, starts=24)
    values = torch.linalg.eigvalsh(dense)
    for power in (1, 2, 3):
        mean, error = found.moment(power)
        assert abs(mean - float((values**power).mean())) < 4 * error
    share, error = found.share_below(0.0)
    assert abs(share - float((values < 0).double().mean())) < 4 * error + 0.1
    assert found.weights.sum(1) == pytest.approx(1)


def test_the_curve_of_the_spectrum_holds_all_of_it(curved):
    places, level, error = curved.density().curve()
    assert float(((level[1:] + level[:-1]) / 2 * (places[1:] - places[:-1])).sum()) == pytest.approx(1, abs=0.01)
    assert (error >= 0).all()


def test_the_gauss_newton_part_has_no_negative_eigenvalue(curved):
    part = curvature(network(), LOSS, BATCH, of="gauss-newton")
    assert part.eigen(1, "smallest").smallest.value > -1e-9
    assert curved.eigen(1, "smallest").smallest.value < -1e-6


def test_buffers_come_out_as_they_were():
    model = network(nn.BatchNorm1d(8), nn.Tanh())
    kept = [buffer.clone() for buffer in model.buffers()]
    curvature(model, LOSS, BATCH).eigen()
    assert all(torch.equal(buffer, before) for buffer, before in zip(model.buffers(), kept, strict=True))


class Bowl(nn.Module):
    """A quadratic loss of known curvature."""

    def __init__(self, curvatures):
        super().__init__()
        self.curvatures = torch.tensor(curvatures, dtype=torch.float64)
        self.w = nn.Parameter(torch.ones(len(curvatures), dtype=torch.float64))

    def forward(self, _):
        return (self.curvatures * self.w.square()).sum() / 2


def descended(optimizer, model, steps=300):
    """The loss after so many steps, over what it was."""
    first = model(None).item()
    for _ in range(steps):
        optimizer.zero_grad()
        model(None).backward()
        optimizer.step()
    return model(None).item() / first


SETTINGS = [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "dampening": 0.5}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("within", [0.97, 1.03])
def test_on_a_bowl_steps_grow_beyond_the_limit_and_shrink_within_it(settings, within):
    model = Bowl([1.0, 3.0, 10.0, 2.0, 1.0])
    edge = limit(torch.optim.SGD(model.parameters(), lr=1.0, **settings))
    optimizer = torch.optim.SGD(model.parameters(), lr=within * edge / 10.0, **settings)
    told = curvature(model, lambda out, _: out, (None, None)).edge(optimizer)
    assert told.sharpness == pytest.approx(10.0)
    assert told.ratio == pytest.approx(within)
    assert (descended(optimizer, model) < 1) == (within < 1)


def test_adam_feels_the_curvature_over_the_root_of_its_mean_square():
    model = Bowl([1.0, 3.0, 10.0, 2.0, 1.0])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-8)
    descended(optimizer, model, 1)  # after one step the mean square is that of the gradient, here the curvature itself
    with torch.no_grad():
        model.w.fill_(1.0)
    edge = curvature(model, lambda out, _: out, (None, None)).edge(optimizer)
    assert edge.sharpness == pytest.approx(1.0, rel=1e-6)
    assert edge.limit == pytest.approx(38 / 0.01)
    assert edge.verdict == "stable"


def test_what_has_no_spectrum_is_refused():
    weight = torch.randn(4, 3, requires_grad=True)
    across = undertow.linearize(weight.sum(1), weight)
    for ask in (eigen, trace, density):
        with pytest.raises(CurvatureError, match="goes from one space to another"):
            ask(across)


def test_an_optimizer_that_is_not_known_or_has_no_state_is_refused(curved):
    with pytest.raises(CurvatureError, match="Adagrad"):
        curved.edge(torch.optim.Adagrad(curved.model.parameters()))
    with pytest.raises(CurvatureError, match="no step yet"):
        curved.edge(torch.optim.Adam(curved.model.parameters()))
    with pytest.raises(CurvatureError, match="products=3"):
        curved.trace(3)


def test_a_loss_that_overflows_is_refused():
    weight = torch.tensor([300.0, 300.0, 300.0, 1.0], requires_grad=True)
    with pytest.raises(CurvatureError, match="not finite"):
        eigen(undertow.hessian(weight.square().exp().sum(), weight))


@pytest.mark.parametrize("of", ["hessian", "gauss-newton"])
def test_the_curvature_of_several_batches_is_that_of_all_their_examples(of):
    inputs, labels = BATCH
    parts = [(inputs[part], labels[part]) for part in (slice(0, 16), slice(16, 64))]
    whole, several = (curvature(network(), LOSS, batch, of=of).operator.matrix() for batch in (BATCH, parts))
    torch.testing.assert_close(several, whole)
    assert not torch.allclose(curvature(network(), LOSS, parts[0], of=of).operator.matrix(), whole, rtol=1e-3)


def quadratic(matrix):
    """The Hessian of a quadratic, which is the matrix itself."""
    point = torch.zeros(len(matrix), dtype=matrix.dtype, requires_grad=True)
    return undertow.hessian(point @ matrix @ point / 2, point)


@pytest.mark.parametrize("values", [[0.0] * 9, [3.0] + [0.0] * 8, [-2.0] * 4 + [5.0] * 5], ids=["none", "one", "two"])
def test_operators_whose_spectrum_repeats_show_both_ends(values):
    turned = torch.linalg.qr(torch.randn(9, 9, dtype=torch.float64)).Q
    found = eigen(quadratic(turned @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turned.T), 2, "both")
    assert [pair.value for pair in found.pairs] == pytest.approx([max(values), min(values)], abs=1e-9)


SPECTRA = {
    "at random": lambda n: torch.randn(n, dtype=torch.float64),
    "falling": lambda n: torch.logspace(2, -6, n, dtype=torch.float64),
    "five alike": lambda n: torch.cat([torch.full((5,), 10.0), 0.1 * torch.randn(n - 5)]).double(),
    "three close": lambda n: torch.cat([torch.tensor([100.0, 99.9, 99.8]), torch.rand(n - 3)]).double(),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_an_eigenvalue_lies_within_its_error_in_any_precision_at_any_tolerance(spectrum, dtype):
    for seed in range(6):
        torch.manual_seed(seed)
        values = SPECTRA[spectrum](60 + 20 * seed)
        turned = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64)).Q
        matrix = (turned @ torch.diag(values) @ turned.T).to(dtype)
        matrix = (matrix + matrix.T) / 2
        dense, operator = torch.linalg.eigvalsh(matrix.double()), quadratic(matrix)
        for tolerance in (0.1, 1e-3, 1e-4):
            for pair in eigen(operator, 3, "both", tolerance=tolerance, start=Start(seed)).pairs:
                assert float((dense - pair.value).abs().min()) <= pair.error
                vector = pair.vector.double()
                left = float((matrix.double() @ vector - pair.value * vector).norm())
                assert left <= pair.error + 10 * torch.finfo(dtype).eps * float(dense.abs().max())  # the product rounds


def test_a_space_that_becomes_too_large_is_left_to_restarts():
    values = torch.linspace(1, 2, 300, dtype=torch.float64)
    found = eigen(quadratic(torch.diag(values)), 1, tolerance=1e-6)
    assert found.largest.value == pytest.approx(2.0, rel=1e-6)
    assert found.products > 48


@pytest.mark.parametrize(("name", "spread"), [("few directions", 0.0), ("all alike", 1.0)])
def test_directions_are_taken_out_where_that_pays(name, spread):
    turned = torch.linalg.qr(torch.randn(80, 80, dtype=torch.float64)).Q
    few = torch.zeros(80, dtype=torch.float64)
    few[:3] = torch.tensor([100.0, 50.0, 20.0])
    even = torch.ones(80, dtype=torch.float64)
    even[::2] = -1.0
    values = spread * even + (1 - spread) * few
    operator = quadratic(turned @ torch.diag(values) @ turned.T)
    off = [trace(operator, 30, seed=seed).whole.value - float(values.sum()) for seed in range(40)]
    seen = math.sqrt(sum(o * o for o in off) / len(off))
    all_probes = math.sqrt(2 * float(values.square().sum()) / 30)
    assert seen < (0.1 if name == "few directions" else 1.3) * all_probes
