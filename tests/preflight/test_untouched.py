"""Whatever is done with a model inside, it comes out as it was, to the last bit."""

import contextlib
import random

import numpy as np
import pytest
import torch
from torch import nn

from undertow.preflight import untouched


def made(optimizer=torch.optim.Adam):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
    return model, optimizer(model.parameters(), lr=0.1)


def trained(model, optimizer, steps=2):
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(16, 4)).square().mean().backward()
        optimizer.step()


def bits(model, optimizer):
    """Everything that is to stay, copied."""
    state = [{k: torch.as_tensor(v).clone() for k, v in s.items()} for s in optimizer.state.values()]
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    chance = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return tensors, gradients, state, groups, [m.training for m in model.modules()], chance


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("before", [0, 2], ids=["fresh", "trained"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad])
def test_training_inside_leaves_no_trace(before, optimizer):
    model, optimizer = made(optimizer)
    trained(model, optimizer, before)
    kept, objects = bits(model, optimizer), [*map(id, model.parameters())]
    with untouched(model, optimizer):
        trained(model, optimizer)
        model.eval()
        optimizer.param_groups[0]["lr"] = 7.0
        random.random()
        np.random.rand()
        assert not same(kept, bits(model, optimizer))
    assert same(kept, bits(model, optimizer))
    assert objects == [*map(id, model.parameters())]


def test_it_is_put_back_when_something_is_raised_inside():
    model, optimizer = made()
    kept = bits(model, optimizer)
    with contextlib.suppress(ZeroDivisionError), untouched(model, optimizer):
        trained(model, optimizer)
        raise ZeroDivisionError
    assert same(kept, bits(model, optimizer))


def test_a_training_goes_on_as_if_nothing_had_happened():
    results = []
    for disturbed in (False, True):
        model, optimizer = made()
        trained(model, optimizer)
        if disturbed:
            with untouched(model, optimizer):
                trained(model, optimizer, 3)
        trained(model, optimizer)
        results.append(bits(model, optimizer))
    assert same(*results)


def test_what_is_no_tensor_of_the_module_is_not_put_back():
    model, optimizer = made()
    model.calls = []
    with untouched(model, optimizer):
        model.calls.append(1)
    assert model.calls == [1]
