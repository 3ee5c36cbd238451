"""Changes in place whose nodes tell nothing are found out by asking, or else borrowed."""

import pytest
import torch

import undertow
from undertow.engine.calculus import CALCULUS
from undertow.engine.maps import Mask


def put(base, value, **options):
    """The node of writing a value into the middle columns of a tensor."""
    base, value = (tensor.to(**options).requires_grad_() for tensor in (base, value))
    changed = base * 1
    changed[:, 100:400] = value
    return changed.grad_fn


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_places_are_found_exactly_in_every_dtype(dtype):
    node = put(torch.randn(50, 500), torch.randn(50, 300), dtype=dtype)
    kept, placed = CALCULUS["CopySlices"](node)
    assert isinstance(kept, Mask)
    values = torch.randn(50, 300, dtype=torch.float64)
    expected = torch.zeros(50, 500, dtype=torch.float64)
    expected[:, 100:400] = values
    assert torch.equal(placed.push(values), expected)
    assert torch.equal(placed.pull(expected), values)


def test_what_is_written_in_another_precision_is_found_too():
    base = torch.randn(50, 500, requires_grad=True) * 1
    base[:, 100:400] = torch.randn(50, 300, dtype=torch.bfloat16, requires_grad=True)
    assert CALCULUS["CopySlices"](base.grad_fn) is not None


MIXING = {
    "a product of matrices": lambda x: x[:3].addmm_(torch.randn(3, 2), torch.randn(2, 4, requires_grad=True)),
    "a running sum": lambda x: x[:3].cumsum_(0),
}


@pytest.mark.parametrize("change", MIXING)
def test_a_change_in_place_that_mixes_entries_is_borrowed(change):
    x = torch.randn(5, 4, requires_grad=True)
    changed = x * 1
    MIXING[change](changed)
    assert CALCULUS["CopySlices"](changed.grad_fn) is None
    flow = undertow.backward(changed.sum(), calculus=undertow.CALCULUS)
    assert flow.borrowed["CopySlices"] == 1


def test_strides_that_overlap_are_borrowed_where_the_input_does_not_lie_in_order():
    x = torch.randn(3, 2, requires_grad=True)
    assert CALCULUS["AsStridedBackward0"](x.as_strided((4, 3), (1, 1)).grad_fn) is not None
    assert CALCULUS["AsStridedBackward0"](x.t().as_strided((4, 3), (1, 1)).grad_fn) is None


def test_asking_leaves_random_numbers_as_they_were():
    node = put(torch.randn(3, 500), torch.randn(3, 300))
    torch.manual_seed(0)
    CALCULUS["CopySlices"](node)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(3))


def test_a_gradient_that_is_infinite_where_it_was_overwritten_does_not_come_through():
    x = torch.randn(2, 3, requires_grad=True)
    changed = x * 1
    changed[0] = 0.0
    undertow.backward(changed, torch.tensor([[torch.inf] * 3, [1.0] * 3]), calculus=undertow.CALCULUS)
    assert x.grad.tolist() == [[0.0] * 3, [1.0] * 3]
