"""What maps say of where examples lie, and what they send to a tensor example by example, against single pulls."""

import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies import batches, chains, seeds, shapes, sliding, tensor
from undertow.engine.maps import Lookup, Slice
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.parts import Explicit, Outer, Picked
from undertow.engine.maps.pulled import together


def single_pulls(a, cotangent, batch):
    """What each example's share of a cotangent becomes, one pull an example."""
    return torch.stack([a.pull(share) for share in batch.each(cotangent, 0, batch.count)])


def same(left, right):
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


def tell_the_same(parts, expected):
    """Whether parts tell of gradients, written out, what these are."""
    direction = tensor(parts.shape, 5)
    assert (parts.count, *parts.shape) == expected.shape
    same(parts.block(0, parts.count), expected)
    same(parts.block(parts.count - 1, parts.count), expected[-1:])
    same(parts.squares(), expected.flatten(1).square().sum(1))
    same(parts.total(), expected.sum(0))
    same(parts.along(direction), expected.flatten(1) @ direction.flatten())


def holds(a, batch):
    """The law of one map and one place of the examples in its target."""
    cotangent = tensor(a.target, 7)
    expected = single_pulls(a, cotangent, batch)
    carried = a.pulled(batch)
    if carried is not None and carried.fits(a.source):
        same(carried.each(a.pull(cotangent), 0, batch.count), expected)
    else:
        tell_the_same(a.apart(cotangent, batch), expected)


@given(st.data())
def test_a_map_carries_the_examples_where_it_says_or_tells_them_apart(data):
    a = data.draw(chains())
    holds(a, data.draw(batches(a.target)))


@given(st.data())
def test_so_does_the_adjoint_of_a_map(data):
    a = data.draw(chains()).adjoint()
    holds(a, data.draw(batches(a.target)))


@given(st.data())
def test_so_does_a_convolution(data):
    a = data.draw(sliding())
    holds(a, data.draw(batches(a.target)))


@given(st.data())
def test_so_does_a_lookup(data):
    index = torch.randint(4, data.draw(shapes), generator=torch.Generator().manual_seed(data.draw(seeds)))
    a = Lookup(index, 4, 3, data.draw(st.sampled_from([-1, 2])))
    holds(a, data.draw(batches(a.target)))


@given(st.data())
def test_what_a_map_makes_of_parts_is_what_it_makes_of_each(data):
    a = data.draw(chains())
    cotangents = tensor((3, *a.target), data.draw(seeds))
    expected = torch.stack([a.pull(cotangent) for cotangent in cotangents])
    tell_the_same(a.through(Explicit(cotangents)), expected)


@given(chains(), seeds)
def test_a_map_that_says_so_keeps_norms(a, seed):
    assume(a.keeps_norms)
    cotangent = tensor(a.target, seed)
    same(a.pull(cotangent).norm(), cotangent.norm())


def test_slices_that_leave_out_whole_rounds_keep_examples_where_they_are():
    chunk = Slice((6, 2), 0, 3, 3)
    assert chunk.pulled(Batch(3)) == Batch(3)
    holds(chunk, Batch(3))
    assert Slice((6, 2), 0, 2, 3).pulled(Batch(3)) is None


@given(st.data())
def test_reshaping_follows_the_examples_or_says_that_no_dimension_tells_them_apart(data):
    shape = data.draw(shapes)
    batch = data.draw(batches(shape))
    into = data.draw(st.sampled_from([shape, (torch.Size(shape).numel(),), (*shape[:-1], 1, shape[-1]), (1, *shape)]))
    entries, found = tensor(shape, 1), batch.reshaped(shape, into)
    if found is not None:
        moved = found.each(entries.reshape(into), 0, batch.count)
        assert torch.equal(moved, batch.each(entries, 0, batch.count).reshape(batch.count, *into))
    else:
        assert batch.count > 1


def test_examples_in_two_dimensions_at_once_are_not_found():
    assert Batch(6).reshaped((6, 5), (2, 3, 5)) is None


def sequences(data, terms, *width):
    return tensor((3, 1, terms, *width), data.draw(seeds))


@given(st.data())
def test_uses_of_one_matrix_in_several_ways_add_up(data):
    terms = data.draw(st.integers(1, 3))
    index = torch.randint(5, (3, terms), generator=torch.Generator().manual_seed(data.draw(seeds)))
    parts = data.draw(
        st.lists(
            st.sampled_from(
                [
                    Picked(index, sequences(data, terms, 4)[:, 0], 5),
                    Outer(sequences(data, terms, 5), sequences(data, terms, 4), (5, 4)),
                    Outer(sequences(data, terms, 4), sequences(data, terms, 5), (4, 5)).permuted((1, 0)),
                    Explicit(tensor((3, 5, 4), 3)),
                ]
            ),
            min_size=1,
            max_size=4,
        )
    )
    expected = sum(part.block(0, 3) for part in parts)
    tell_the_same(together(parts), expected)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_an_outer_products_norm_is_the_same_by_either_way_of_counting(terms, m, n):
    left, right = tensor((2, 2, terms, m), 1), tensor((2, 2, terms, n), 2)
    tell_the_same(Outer(left, right, (2, m, n)), torch.einsum("igtm,igtn->igmn", left, right))
