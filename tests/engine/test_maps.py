"""The laws of linear maps, over random chains of them."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.engine.laws import matrix, rounding_is_bounded, strongest_agrees
from tests.strategies import chains, seeds, sliding, tensor
from undertow.engine.maps import Compose, Diagonal, LinearMap, Standardize, strongest


@given(chains(), seeds)
def test_push_and_pull_satisfy_the_dot_product_law(a, seed):
    v, w = tensor(a.source, seed), tensor(a.target, seed + 1)
    torch.testing.assert_close((a.push(v) * w).sum(), (v * a.pull(w)).sum(), rtol=1e-9, atol=1e-9)


@given(chains(), seeds)
def test_maps_give_tensors_of_the_shapes_they_declare(a, seed):
    assert a.push(tensor(a.source, seed)).shape == a.target
    assert a.pull(tensor(a.target, seed)).shape == a.source
    assert (a.adjoint().source, a.adjoint().target) == (a.target, a.source)


@given(chains())
def test_the_matrix_of_the_adjoint_is_the_transpose(a):
    torch.testing.assert_close(matrix(a.adjoint()), matrix(a).T)


@given(chains())
def test_the_modulus_bounds_every_entry_and_has_none_below_zero(a):
    modulus = matrix(a.modulus())
    assert (modulus >= matrix(a).abs() - 1e-9 * (1 + modulus)).all()


@given(chains())
def test_the_strongest_path_through_a_map_is_that_of_its_matrix(a):
    assert strongest_agrees(a)


@given(st.one_of(chains(), sliding()))
def test_rounding_stays_within_what_a_map_states(a):
    assert rounding_is_bounded(a)


@given(sliding())
def test_the_strongest_path_through_a_convolution_is_that_of_its_matrix(a):
    assume(matrix(a) is not None)
    assert strongest_agrees(a)


@given(seeds, st.integers(1, 40))
def test_a_greatest_product_is_the_same_in_tiles_of_any_size(seed, tile):
    a, b = tensor((3, 4, 5), seed).abs(), tensor((2, 1, 5, 3), seed + 1).abs()
    with patch.object(strongest, "TILE", tile):
        tiled = strongest.greatest_product(a, b)
    assert torch.equal(tiled, (a.unsqueeze(-1) * b.unsqueeze(-3)).amax(-2))


@given(chains(), seeds)
def test_maps_are_linear(a, seed):
    v, w = tensor(a.source, seed), tensor(a.source, seed + 1)
    torch.testing.assert_close(a.push(2 * v - w), 2 * a.push(v) - a.push(w), rtol=1e-9, atol=1e-9)


@given(chains())
def test_maps_print_their_shapes_and_never_their_numbers(a):
    assert repr(a).startswith(type(a).__name__ + "(")
    assert "tensor" not in repr(a)


def test_a_map_that_forgets_what_every_map_must_answer_cannot_be_made():
    class Forgetful(LinearMap):
        def push(self, tangent):
            return tangent

    with pytest.raises(TypeError, match="abstract"):
        Forgetful()


def test_the_modulus_of_standardizing_is_no_looser_than_its_three_terms():
    z = tensor((2, 5), 0)
    z = (z - z.mean(1, keepdim=True)) / z.std(1, correction=0, keepdim=True)
    a = Standardize(z, torch.ones(2, 1, dtype=z.dtype), (1,))
    terms = torch.eye(5) + 1 / 5 + z[0].abs().outer(z[0].abs()) / 5
    torch.testing.assert_close(matrix(a.modulus())[:5, :5], terms)


def test_composition_applies_the_inner_map_first():
    a, b = Diagonal(torch.tensor([2.0, 3.0])), Diagonal(torch.tensor([5.0, 7.0]))
    assert isinstance(a @ b, Compose)
    assert ((a @ b)(torch.ones(2))).tolist() == [10.0, 21.0]
