"""Every rule against finite differences of the operation itself: forward derivatives by our maps, without PyTorch's."""

import math

import pytest
import torch
from torch.overrides import TorchFunctionMode

import undertow
from tests.engine.laws import largest
from tests.samples import SAMPLES
from tests.samples.sample import at, of
from undertow.engine.calculus import CALCULUS
from undertow.engine.maps import Diagonal

STEPS = {torch.float64: (2**-13, 1e-8), torch.float32: (2**-6, 1e-4)}
"""By the narrowest dtype in the graph: how far to step, and how far off the differences may be, relative to the
largest entry of value and derivative. Rounding is divided by the step; what is left out goes with its fourth power."""

BY_DEFINITION = {
    "BernoulliBackward0": "a result that jumps with the probability has derivative 0",
    "CtcLossBackward0": "scores are taken to be logarithms of probabilities that add up to 1",
    "CtcLossBackward1": "scores are taken to be logarithms of probabilities that add up to 1",
    "EmbeddingBackward0": "a row that pads takes no gradient",
    "NextafterBackward0": "the next number has the slope of the number, but where it is the number itself",
    "NormalBackward1": "a random number does not depend on its mean",
    "NormalBackward2": "a random number does not depend on its deviation",
    "NormalBackward3": "a random number does not depend on its mean and deviation",
}
"""Where PyTorch's derivative, and so ours, is not the derivative of what is computed from the same random numbers."""


class Detached(TorchFunctionMode):
    """While active, `detach` gives what it gave the first time: what is held fixed does not move with the inputs."""

    def __init__(self):
        super().__init__()
        self.held, self.turn = [], None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not torch.Tensor.detach:
            return func(*args, **(kwargs or {}))
        if self.turn is None:
            self.held.append(func(*args))
            return self.held[-1]
        self.turn += 1
        return self.held[self.turn - 1]


def how_far_off(sample, calculus=CALCULUS):
    """By how much the forward derivative in a random direction misses the differences, in units of what it may."""
    detached = Detached()
    with detached:
        inputs, outputs = sample.ran()
    linear = undertow.linearize(outputs, inputs, calculus=calculus)
    generator = torch.Generator().manual_seed(5)
    tangents = [torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in inputs]
    step, most = STEPS[torch.float32 if _narrow(outputs) else torch.float64]

    def moved(h):
        detached.turn = 0
        there = [(x.detach() + h * tangent).requires_grad_() for x, tangent in zip(inputs, tangents, strict=True)]
        with detached:
            results = sample.results(there)
        return [result.detach() for result in results if result.requires_grad]

    found = zip(linear.push(tangents), *_differences(moved, step), strict=True)
    return max(_misses(*each) for each in found) / most


def _narrow(outputs):
    spaces = [space for spaces in undertow.Graph.read(outputs).spaces for space in spaces]
    return any(dtype in (torch.float32, torch.complex64) for _, dtype in spaces)


def _differences(moved, step):
    """Central differences of two steps, so combined that the error goes with the fourth power, and the values."""
    up, down, less_up, less_down = (moved(h) for h in (step, -step, step / 2, -step / 2))
    wide = [(a - b) / (2 * step) for a, b in zip(up, down, strict=True)]
    close = [(a - b) / step for a, b in zip(less_up, less_down, strict=True)]
    return [(4 * b - a) / 3 for a, b in zip(wide, close, strict=True)], up


def _misses(derivative, differences, values):
    finite = derivative.isfinite() & differences.isfinite() & values.isfinite()
    size = max(largest(differences[finite]), largest(values[finite]), 1e-3)
    return largest((derivative - differences)[finite]) / size


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_rule_is_the_derivative_of_what_is_computed(name):
    far = [number for number, sample in enumerate(SAMPLES[name]) if how_far_off(sample) > 1]
    assert bool(far) == (name in BY_DEFINITION), far


def test_the_rule_of_a_kink_is_that_of_one_side():
    relu = at(torch.relu, 0.0, 1.0)
    assert how_far_off(relu) <= 1
    assert how_far_off(of(lambda x: torch.relu(x - x.detach()), (3,))) > 1


PLANTED = {
    "a slightly wrong value": lambda node: (Diagonal(node._saved_self.cos() * (1 + 1e-6)),),
    "a wrong sign": lambda node: (Diagonal(-node._saved_self.cos()),),
    "another derivative": lambda node: (Diagonal(node._saved_self.sin()),),
    "nothing": lambda _: (None,),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_misses_the_differences(fault):
    sample = SAMPLES["SinBackward0"][0]
    assert how_far_off(sample, {**CALCULUS, "SinBackward0": PLANTED[fault]}) > 1


@pytest.mark.parametrize("power", range(1, 5))
def test_differences_of_a_polynomial_are_exact_up_to_rounding(power):
    assert how_far_off(of(lambda x: x**power, (4,))) < 1e-2
    assert math.isfinite(how_far_off(of(lambda x: x**power, (0,))))


def test_pytorchs_own_gradient_of_as_strided_scatter_is_not_that_of_what_it_computes():
    x, y = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.randn(2, 4, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(torch.as_strided_scatter(x, y, (2, 4), (4, 1)).sum(), x)
    assert not torch.equal(gradient, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).unsqueeze(1).expand(3, 4))


def test_pytorchs_own_gradient_of_equal_extremes_of_a_segment_is_not_linear():
    x = torch.tensor([2.0, 2.0, 1.0], requires_grad=True)
    most = torch.segment_reduce(x, "max", lengths=torch.tensor([3]))
    up, down = (torch.autograd.grad(most, x, torch.tensor([c]), retain_graph=True)[0] for c in (1.0, -1.0))
    assert not torch.equal(up, -down)


def test_equal_extremes_of_a_segment_are_borrowed():
    def run(x):
        return torch.segment_reduce(x * 0, "max", lengths=torch.tensor([6])).sum()

    x = torch.randn(6, requires_grad=True)
    assert undertow.backward(run(x), calculus=undertow.CALCULUS).borrowed == {"SegmentReduceBackward0": 1}
    assert torch.equal(x.grad, torch.autograd.grad(run(x), x)[0])
