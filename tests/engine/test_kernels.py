"""Every kernel against the maps of its rule: the two are one statement."""

import pytest
import torch

from tests.samples import SAMPLES
from tests.samples.sample import as_it_is, channels_last, strided
from undertow.engine.algebras import Gradient
from undertow.engine.algebras.base import Algebra, fitted
from undertow.engine.calculus import CALCULUS, KEEPS, KERNELS, pulled_by
from undertow.errors import RegistryError

KERNELED = sorted(name for name, rule in CALCULUS.items() if rule in KERNELS)


def largest(tensor):
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def agree(found, expected, node):
    for (fn, slot), ours, maps in zip(node.next_functions, found, expected, strict=True):
        if fn is None or maps is None:
            continue
        if ours is None:
            return False
        space = tuple(fn._input_metadata[slot].shape), fn._input_metadata[slot].dtype
        ours, maps = fitted(ours, *space), fitted(maps, *space)
        if not torch.equal(ours.isfinite(), maps.isfinite()):
            return False
        finite = maps.isfinite()
        narrow = 1e-12 if maps.dtype == torch.float64 else 1e-6
        if largest((ours - maps)[finite]) > narrow * max(largest(maps[finite]), 1e-300):
            return False
    return True


def cotangents_of(node):
    generator = torch.Generator().manual_seed(3)
    first, *rest = node._input_metadata
    return [torch.randn(tuple(first.shape), dtype=first.dtype, generator=generator), *[None] * len(rest)]


def wishes(node):
    """Every input that can be had, and each of them alone."""
    every = [fn is not None for fn, _ in node.next_functions]
    alone = [[i == j for j in range(len(every))] for i, needed in enumerate(every) if needed]
    return [every, *alone]


def broken(name, kernel, kind=as_it_is):
    """On which samples a kernel answers otherwise than the maps of its rule do."""
    return [
        (number, wanted)
        for number, sample in enumerate(SAMPLES[name])
        for node in recorded(sample, name, kind)
        for wanted in wishes(node)
        if not _holds(node, CALCULUS[name], kernel, wanted, kind)
    ]


def recorded(sample, name, kind):
    """The nodes of this type, if PyTorch takes inputs of this kind."""
    try:
        return sample.nodes(name, kind)
    except RuntimeError:
        return []


def _holds(node, rule, kernel, wanted, kind):
    first, *rest = cotangents_of(node)
    cotangents = [kind(first), *rest]
    with torch.no_grad():
        found = kernel(node, cotangents, wanted)
        if found is None:
            return True
        expected = Algebra.through(Gradient(), node, rule, cotangents, wanted)
        return expected is not None and len(found) == len(wanted) and agree(found, expected, node)


@pytest.mark.parametrize("name", KERNELED)
def test_a_kernel_pulls_what_the_maps_of_its_rule_pull(name):
    assert not broken(name, KERNELS[CALCULUS[name]])


@pytest.mark.parametrize("kind", [strided, channels_last])
@pytest.mark.parametrize("name", KERNELED)
def test_a_kernel_pulls_the_same_in_other_layouts(name, kind):
    assert not broken(name, KERNELS[CALCULUS[name]], kind)


@pytest.mark.parametrize("name", KERNELED)
def test_a_kernel_answers_on_some_sample(name):
    kernel = KERNELS[CALCULUS[name]]
    nodes = [node for sample in SAMPLES[name] for node in sample.nodes(name)]
    assert any(kernel(node, cotangents_of(node), wishes(node)[0]) is not None for node in nodes)


@pytest.mark.parametrize("name", KERNELED)
def test_a_kernel_takes_a_batch_of_cotangents_under_vmap(name):
    kernel = KERNELS[CALCULUS[name]]
    for node in SAMPLES[name][0].nodes(name):
        first, *rest = cotangents_of(node)
        batch = torch.stack([first, -2 * first, first.flip(tuple(range(first.ndim)))])
        wanted = wishes(node)[0]

        def had(cotangent, node=node, rest=rest, wanted=wanted):
            return tuple(p for p, want in zip(kernel(node, [cotangent, *rest], wanted), wanted, strict=True) if want)

        with torch.no_grad():
            together, alone = torch.vmap(had)(batch), [had(single) for single in batch]
        for position, found in enumerate(together):
            torch.testing.assert_close(found, torch.stack([products[position] for products in alone]))


@pytest.mark.parametrize("name", sorted(name for name in KERNELED if CALCULUS[name] in KEEPS))
def test_a_kernel_keeps_apart_what_it_says_it_does(name):
    found = [kept for sample in SAMPLES[name] for node in sample.nodes(name) for kept in keeping(name, node)]
    assert found
    assert all(found)


def keeping(name, node):
    """Of each dimension along which entries are kept apart: whether what stands at one place is sent there alone."""
    kernel, first = KERNELS[CALCULUS[name]], cotangents_of(node)[0]
    for dim in range(first.ndim):
        dims = KEEPS[CALCULUS[name]](node, dim)
        wanted = [fn is not None and i < len(dims) for i, (fn, _) in enumerate(node.next_functions)]
        if first.numel() and any(wanted):
            alone = [torch.zeros_like(first).index_copy(dim, i, first.index_select(dim, i)) for i in places(first, dim)]
            with torch.no_grad():
                sent = [kernel(node, [c, *[None] * (len(node._input_metadata) - 1)], wanted) for c in alone]
            yield all(
                part.shape[into] == first.shape[dim] and not part.index_fill(into, i, 0).any()
                for i, parts in zip(places(first, dim), sent, strict=True)
                for part, into in zip(parts, dims, strict=False)
                if part is not None
            )


def places(tensor, dim):
    return torch.arange(tensor.shape[dim]).unsqueeze(1)


def test_every_kernel_belongs_to_a_rule_of_the_table():
    assert set(KERNELS) <= set(CALCULUS.values())


@pytest.mark.parametrize(
    "fault",
    [
        lambda products: [None if p is None else p * (1 + 1e-10) for p in products],
        lambda products: [None if p is None else -p for p in products],
        lambda products: products[:-1],
        lambda products: [products[0], None],
    ],
    ids=["a slightly wrong value", "a wrong sign", "a product too few", "an input forgotten"],
)
def test_a_planted_fault_is_caught(fault):
    kernel = KERNELS[CALCULUS["BmmBackward0"]]
    assert broken("BmmBackward0", lambda *given: fault(kernel(*given)))


def test_a_rule_takes_one_kernel_only():
    with pytest.raises(RegistryError, match="has a kernel already"):
        pulled_by(lambda *_: None)(CALCULUS["MmBackward0"])


def test_another_rule_for_the_same_operation_is_not_pulled_by_its_kernel():
    assert (lambda node: CALCULUS["MmBackward0"](node)) not in KERNELS
