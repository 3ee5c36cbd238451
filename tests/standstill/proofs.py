"""What a stall is made sure of: each proof measures what makes a kind that kind, and hands the stall on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from itertools import islice

import torch
from torch import Tensor, nn

from .stalls import Data, Stall

Bend = tuple[Tensor, Tensor, Tensor]
"""The gradient, and the Hessian's eigenvalues with their vectors, along which the gradient is told."""


def made_sure(proof: Callable[..., Stall], *settings: float) -> Callable[[Callable[..., Stall]], Callable[..., Stall]]:
    """Each stall that is made so passes the proof, or is none."""

    def sure(make: Callable[..., Stall]) -> Callable[..., Stall]:
        @wraps(make)
        def proven(*variant: object) -> Stall:
            return proof(make(*variant), *settings)

        return proven

    return sure


def gathered(batches: list[Data]) -> Data:
    inputs, targets = map(torch.cat, zip(*batches, strict=True))
    return inputs, targets


def level(stood: Stall, draws: int = 1) -> float:
    """The mean loss over all batches as training computes it, over so many draws of its dropout."""
    model = copy.deepcopy(stood.model)
    with torch.no_grad():
        losses = [stood.loss_fn(model(inputs), targets) for _ in range(draws) for inputs, targets in stood.batches]
    return float(torch.stack(losses).mean())


def onward(stood: Stall, steps: int, rate: float = 1.0, batches: list[Data] | None = None) -> Tensor:
    """The loss over all batches as training goes on, at a multiple of its rate, told after every fifth step."""
    model, optimizer = copy.deepcopy((stood.model, stood.optimizer))
    for group in optimizer.param_groups:
        group["lr"] *= rate
    told = [level(Stall(model, stood.loss_fn, stood.batches, optimizer))]
    for number, (inputs, targets) in enumerate(islice(drawn(batches or stood.batches), steps), 1):
        optimizer.zero_grad()
        stood.loss_fn(model(inputs), targets).backward()
        optimizer.step()
        if number % 5 == 0:
            told.append(level(Stall(model, stood.loss_fn, stood.batches, optimizer)))
    return torch.tensor(told)


def drawn(batches: list[Data]):
    while True:
        for number in torch.randperm(len(batches)).tolist():
            yield batches[number]


def stands(losses: Tensor, share: float = 0.01) -> None:
    """Over these losses, told at every fifth step, 100 steps bring less than this share of the loss."""
    earlier, later = (float(half.mean()) for half in losses.tensor_split(2))
    steps = 5 * len(losses) / 2
    fall = (earlier - later) / steps * 100 if earlier > later else 0.0
    assert fall < share * earlier, f"it falls from {earlier} to {later} in {steps:.0f} steps"
    assert later < 1.1 * earlier, f"it grows from {earlier} to {later} in {steps:.0f} steps"


def bend(stood: Stall) -> Bend:
    """Slope and curvature of the loss over all data, in double precision, by differentiating twice."""
    model = copy.deepcopy(stood.model).double()
    inputs, targets = (p.double() if p.is_floating_point() else p for p in gathered(stood.batches))
    free = [p for p in model.parameters() if p.requires_grad]
    loss = stood.loss_fn(model(inputs), targets)
    slope = torch.cat([g.flatten() for g in torch.autograd.grad(loss, free, create_graph=True, materialize_grads=True)])
    rows = [torch.autograd.grad(entry, free, retain_graph=True, materialize_grads=True) for entry in slope]
    hessian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    curvatures, directions = torch.linalg.eigh((hessian + hessian.T) / 2)
    return directions.T @ slope.detach(), curvatures, directions


def at_rest(told: Bend, loss: float) -> None:
    """A step of Newton's along all that curves upward gains next to nothing."""
    slopes, curvatures, _ = told
    upward = curvatures > 1e-6 * curvatures.abs().max()
    gain = float((slopes[upward] ** 2 / curvatures[upward]).sum() / 2)
    assert gain < 1e-3 * loss, f"a step of Newton's gains {gain} of {loss}"
    assert float(slopes[~upward].norm()) < 1e-3 * loss, "there is a slope where nothing curves upward"


def minimum(stood: Stall) -> Stall:
    """No slope, nothing curves downward, and the steps' noise adds less than half a percent to the loss."""
    loss, told = level(stood), bend(stood)
    at_rest(told, loss)
    assert told[1][0] > -1e-6 * told[1][-1], f"curvature {told[1][0]}"
    stays(stood, loss, 400)
    return stood


def stays(stood: Stall, loss: float, steps: int = 100) -> None:
    """Training goes on at this loss, to half a percent: no noise adds more to it, and nothing takes more away."""
    later = float(onward(stood, steps)[-steps // 10 :].mean())
    assert abs(later / loss - 1) < 0.005, f"the loss is {loss}, and {later} as training goes on"


def saddle(stood: Stall, steps: int = 100) -> Stall:
    """No slope, a curvature that is clearly negative, and along it a training finds its way down."""
    loss, told = level(stood), bend(stood)
    at_rest(told, loss)
    assert told[1][0] < -1e-2 * told[1].abs().max(), f"least curvature {told[1][0]} of {told[1][-1]}"
    stays(stood, loss)
    reached = min(aside(stood, told[2][:, 0] * far, steps) for far in (-1.0, -0.1, 0.1, 1.0))
    assert reached < 0.95 * loss, f"from {loss} along negative curvature to {reached} only"
    return stood


def aside(stood: Stall, displacement: Tensor, steps: int) -> float:
    """The loss after so many steps more from a place a little aside."""
    model, optimizer = copy.deepcopy((stood.model, stood.optimizer))
    free = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for parameter, part in zip(free, displacement.float().split([p.numel() for p in free]), strict=True):
            parameter += part.view_as(parameter)
    return float(onward(Stall(model, stood.loss_fn, stood.batches, optimizer), steps)[-1])


def plateau(stood: Stall, better: Stall, share: float = 0.8) -> Stall:
    """Within a distance of 1 nothing is to be gained, by slope or curvature; from a good beginning much is reached."""
    loss, told = level(stood), bend(stood)
    at_rest(told, loss)
    assert told[1][0] > -2e-3 * loss, f"least curvature {told[1][0]}, at a loss of {loss}"
    stays(stood, loss)
    assert level(better) < share * loss, f"{loss} here, and {level(better)} from a good beginning"
    return stood


def slow(stood: Stall, factor: float) -> Stall:
    """It stands at its rate, and falls by a tenth in 100 steps at a rate so many times as large."""
    stands(onward(stood, 100))
    start, end = (float(part.mean()) for part in onward(stood, 100, factor)[[0, 1, -2, -1]].split(2))
    assert end < 0.9 * start, f"from {start} to {end} only at {factor} times the rate"
    return stood


def bouncing(stood: Stall, steps: int = 300, lower: float = 0.05) -> Stall:
    """No noise, no fall nor growth; and at a rate so much smaller the loss comes to lie well below."""
    first = stood.batches[0]
    assert all(torch.equal(a, b) for batch in stood.batches for a, b in zip(batch, first, strict=True))
    losses = onward(stood, 300)
    stands(losses)
    reached = float(onward(stood, steps, lower)[-5:].mean())
    assert reached < 0.95 * float(losses.mean()), f"{float(losses.mean())} as it goes, {reached} at a smaller rate"
    return stood


def noisy(stood: Stall, steps: int = 400) -> Stall:
    """It stands well above where the same steps on all data at once come to rest: by the noise, not the rate."""
    losses = onward(stood, 600)
    stands(losses)
    quiet = onward(stood, steps, batches=[gathered(stood.batches)])[-10:]
    assert float(quiet.mean()) < 0.97 * float(losses.mean()), f"{losses.mean()} with noise, {quiet.mean()} without"
    assert float(quiet.std()) < 0.01 * float(quiet.mean()), "without noise it bounces"
    return stood


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
