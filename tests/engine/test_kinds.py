"""Every rule on its samples in other kinds of tensors: narrower dtypes, and layouts that are not contiguous."""

import contextlib
import re

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from tests.engine.laws import broken_first
from tests.engine.places import Widened, from_float64, last_places
from tests.samples import SAMPLES
from tests.samples.sample import channels_last, strided
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import CALCULUS
from undertow.engine.maps import Diagonal

NARROW = [torch.float32, torch.bfloat16, torch.float16]
FEW = 8
"""Units in the last place, entry by entry, of what computing the entry adds up."""

FAR = {
    "GeluBackward0": "x φ(x) cancels with Φ(x) where the slope crosses 0; ours and PyTorch's round it differently",
    "GridSampler2DBackward0": "cubic weights of pixels brought back to one cancel, to 0 where all are",
    "GridSampler3DBackward0": "PyTorch adds up the corners one by one in float16, and ours in float32",
    "LogaddexpBackward0": "PyTorch's sum of exponentials overflows in float16, and its slope is 0 there",
}
"""Further apart than a few units. Ours are nearer to float64, or at most twice as far from it as PyTorch's."""

NO_KERNEL = {
    "AvgPool3DBackward0",
    "CtcLossBackward0",
    "CtcLossBackward1",
    "MultiMarginLossBackward0",
    "MultilabelMarginLossBackward0",
    "PdistBackward0",
    "SpecialErfcxBackward0",
    "SpecialI1Backward0",
    "SpecialI1EBackward0",
    "SpecialLogNdtrBackward0",
    "SpecialNdtriBackward0",
    "SpecialZetaBackward0",
    "SpecialZetaBackward1",
    "UpsampleBicubic2DAaBackward0",
    "UpsampleBilinear2DAaBackward0",
    "UpsampleLanczos2DAaBackward0",
}
"""What PyTorch does not compute in bfloat16 and float16, on the CPU."""


class In(TorchFunctionMode):
    """While active, tensors that are not differentiated, and dtypes asked for, are this one and not float64."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunction():
            args, kwargs = tree_map(self._narrowed, (args, kwargs or {}))
        return func(*args, **kwargs)

    def _narrowed(self, given):
        if isinstance(given, torch.Tensor) and given.dtype is torch.float64 and not given.requires_grad:
            return given.to(self.dtype)
        return self.dtype if given is torch.float64 else given


def in_dtype(name, dtype):
    """Nodes of this type in this dtype, of the samples that PyTorch computes in it."""
    found = []
    for sample in SAMPLES[name]:
        with contextlib.suppress(NotImplementedError), In(dtype):
            found += sample.nodes(name, lambda drawn: drawn.to(dtype))
    return found


def differentiated(node):
    """Whether PyTorch has a kernel for the backward pass in this dtype as well."""
    ones = [torch.ones(tuple(space.shape), dtype=space.dtype) for space in node._input_metadata]
    try:
        vector_jacobian(node, ones)
    except NotImplementedError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_products_in_narrow_dtypes_are_pytorchs_within_a_few_units_in_the_last_place(name):
    for dtype in NARROW:
        nodes = [node for node in in_dtype(name, dtype) if differentiated(node)]
        assert bool(nodes) == (dtype is torch.float32 or name not in NO_KERNEL)
        for node in nodes:
            with torch.no_grad():
                assert last_places(node, CALCULUS[name](node)) <= FEW or (name in FAR and is_near(node, name)), dtype


def is_near(node, name):
    ours, theirs = from_float64(node, CALCULUS[name])
    return ours <= 2 * theirs


@pytest.mark.parametrize("name", sorted(FAR))
def test_what_is_said_to_be_further_apart_is(name):
    nodes = [node for dtype in NARROW for node in in_dtype(name, dtype)]
    with torch.no_grad():
        assert max(last_places(node, CALCULUS[name](node)) for node in nodes) > FEW


@pytest.mark.parametrize("dtype", NARROW)
def test_a_slope_that_is_a_little_off_is_caught(dtype):
    off = 1 + 10 * torch.finfo(dtype).eps
    node, *_ = in_dtype("ExpBackward0", dtype)
    with torch.no_grad():
        assert last_places(node, (Diagonal(node._saved_result * off),)) > FEW


def test_a_rule_that_is_given_wider_numbers_is_nearer_to_the_truth():
    (node,) = SAMPLES["SinBackward0"][0].nodes("SinBackward0", lambda drawn: drawn.to(torch.bfloat16))
    narrow, wide = (CALCULUS["SinBackward0"](each)[0].d for each in (node, Widened(node)))
    assert wide.dtype is torch.float64
    assert torch.equal(wide.to(torch.bfloat16), narrow)


REFUSED = {
    strided: {"GroupedMmBackward0", "NllLoss2DBackward0"},
    channels_last: {"NllLoss2DBackward0"},
}
"""Where PyTorch itself refuses to compute, or to differentiate, whatever lies so."""


@pytest.mark.parametrize("kind", [strided, channels_last])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_rule_obeys_the_laws_in_other_layouts(name, kind):
    samples = [s for s in SAMPLES[name] if kind is strided or any(len(shape) in (4, 5) for shape in s.shapes)]
    found = [broken_in(name, sample, kind) for sample in samples]
    assert not any(found)
    assert (bool(samples) and all(broken is None for broken in found)) == (name in REFUSED[kind])


def broken_in(name, sample, kind):
    """Which laws are broken; `None` where PyTorch refuses."""
    try:
        nodes = sample.nodes(name, kind)
        with torch.no_grad():
            local = [(node, CALCULUS[name](node)) for node in nodes]
            return set().union(*(broken_first(node, maps) for node, maps in local if maps is not None))
    except RuntimeError as error:
        if re.search("contiguous|strides|memory format|view size", str(error)):
            return None
        raise
