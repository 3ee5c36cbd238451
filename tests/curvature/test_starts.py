"""From where the largest eigenvalue is sought: what a part of the batch shows of it, and what it costs."""

import pytest
import torch
from torch import nn

import undertow
from undertow.curvature import Start, curvature, eigen, part
from undertow.curvature.twice import twice_differentiable

LOSS = nn.CrossEntropyLoss()
UNSURE = 8


@pytest.fixture(autouse=True)
def _small_ones_too(monkeypatch):
    monkeypatch.setattr(part, "LARGE", 0)


def trained(*between, unsure=UNSURE, seed=0):
    """A classifier of 64 points, and the labels, of which so many were turned round after training."""
    torch.manual_seed(seed)
    inputs = torch.randn(64, 6, dtype=torch.float64)
    labels = (inputs[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(6, 8), *(between or (nn.Tanh(),)), nn.Linear(8, 2)).double()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        LOSS(model(inputs), labels).backward()
        optimizer.step()
    labels[:unsure] = 1 - labels[:unsure]
    return model.eval(), (inputs, labels)


def test_the_eighth_is_of_the_examples_whose_loss_depends_most_on_their_outputs():
    model, (inputs, labels) = trained()
    curved = curvature(model, LOSS, (inputs, labels))
    ((chosen, answers),) = part.hardest([(inputs, labels)], curved.loss, curved.outputs)
    assert {tuple(row) for row in chosen.tolist()} == {tuple(row) for row in inputs[:UNSURE].tolist()}
    assert torch.equal(answers, torch.cat([labels[(inputs == row).all(1)] for row in chosen]))


def test_the_vector_among_the_outputs_is_that_of_the_dense_gauss_newton_matrix():
    model, batch = trained()
    curved = curvature(model, LOSS, batch, of="gauss-newton")
    dense = curved.operator.matrix()
    found = curved.operator.source.flat([*part.sharpest(curved.loss, curved.outputs, model).values()])
    value = float(found @ dense @ found / (found @ found))
    assert value == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=0.05)


def test_from_a_part_fewer_products_are_needed_than_from_the_gradient_and_the_value_is_the_dense_one():
    saved = 0
    for seed in range(6):
        model, batch = trained(unsure=0, seed=seed)
        curved = curvature(model, LOSS, batch)
        found = curved.eigen()
        saved += eigen(curved.operator, start=Start(near=curved.gradient)).products - found.products
        dense = torch.linalg.eigvalsh(curved.operator.matrix())
        assert found.largest.value == pytest.approx(float(dense[-1]), rel=1e-4)
        assert float((dense - found.largest.value).abs().min()) <= found.largest.error + 1e-12
    assert saved >= 6


def test_nothing_random_is_used_up_by_looking_at_a_part():
    model, batch = trained(nn.Tanh(), nn.Dropout(0.5))
    curved = curvature(model.train(), LOSS, batch)
    before = torch.get_rng_state()
    assert curved.leaning is not curved.gradient
    assert torch.equal(torch.get_rng_state(), before)


class OfOneSize(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs):
        return self.model(inputs.view(64, 6))


def test_a_model_of_one_batch_size_a_batch_of_mixed_lengths_and_a_small_one_are_begun_from_the_gradient():
    model, (inputs, labels) = trained()
    ways = [
        curvature(OfOneSize(model), LOSS, (inputs, labels)),
        curvature(model, LOSS, ((inputs,), labels[:16].repeat(4)[: len(inputs)].reshape(64))),
        curvature(model, LOSS, (inputs[:16], labels[:16])),
        curvature(model, lambda out, both: LOSS(out, both[0]) + both[1].sum(), (inputs, (labels, torch.zeros(3)))),
    ]
    assert [way.leaning is way.gradient for way in ways] == [True, False, True, True]


def test_small_operations_are_begun_from_the_gradient(monkeypatch):
    monkeypatch.setattr(part, "LARGE", 1 << 16)
    curved = curvature(trained()[0], LOSS, trained()[1])
    assert curved.leaning is curved.gradient


@pytest.mark.parametrize("of", ["hessian", "gauss-newton"])
@pytest.mark.parametrize("affine", [True, False])
def test_fixed_normalisation_spelled_out_has_the_same_second_derivative(of, affine):
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3, affine=affine), nn.Tanh(), nn.Flatten(), nn.Linear(9, 2)
    )
    model.double()(torch.randn(20, 2, 4, dtype=torch.float64))
    model.eval()
    batch = torch.randn(5, 2, 4, dtype=torch.float64), torch.randint(2, (5,))
    outputs = model(batch[0])
    loss = LOSS(outputs, batch[1])
    plain = undertow.hessian(loss, model) if of == "hessian" else undertow.gauss_newton(loss, outputs, model)
    torch.testing.assert_close(curvature(model, LOSS, batch, of=of).operator.matrix(), plain.matrix())


def test_the_statistics_of_a_batch_are_left_to_pytorch():
    layer, inputs = nn.BatchNorm1d(3).double(), torch.randn(7, 3, dtype=torch.float64)
    with twice_differentiable():
        found = layer(inputs)
    torch.testing.assert_close(found.mean(0), torch.zeros(3, dtype=torch.float64))
    assert found.grad_fn.name() == "NativeBatchNormBackward0"
