"""Hypothesis strategies: shapes, chains of maps, and forward passes with forks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor

from undertow.engine import maps as m
from undertow.engine.maps.batch import Batch

__all__ = ["batches", "chains", "forked_losses", "forked_values", "seeds", "shapes", "sliding"]

shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
seeds = st.integers(0, 2**31)


def tensor(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@st.composite
def links(draw: st.DrawFn, source: tuple[int, ...]) -> m.LinearMap:
    """One map from tensors of a shape."""
    seed = draw(seeds)
    dims = range(len(source))
    dim = draw(st.sampled_from(dims))
    options: list[Callable[[], m.LinearMap]] = [
        lambda: m.Identity(source),
        lambda: m.Scale(draw(st.floats(-2, 2)), source),
        lambda: m.Diagonal(tensor(source, seed)),
        lambda: m.Mask(tensor(source, seed) > 0),
        lambda: m.Above(tensor(source, seed), 0.1),
        lambda: m.Permute(source, tuple(draw(st.permutations(dims)))),
        lambda: m.Reshape(source, (torch.Size(source).numel(),)),
        lambda: m.Expand(source, (2, *source)),
        lambda: m.Total(source, (dim,)),
        lambda: m.Slice(source, dim, draw(st.integers(0, source[dim] - 1)), 1),
        lambda: m.Flip(source, (dim,)),
        lambda: m.Roll(source, (draw(st.integers(-3, 3)),), (dim,)),
        lambda: m.Softmax(tensor(source, seed).softmax(dim), dim),
        lambda: m.LogSoftmax(tensor(source, seed).log_softmax(dim), dim),
        lambda: m.Standardize(tensor(source, seed), tensor(source, seed).amax(dim, keepdim=True).exp(), (dim,)),
        lambda: m.RankOne(tensor(source, seed), tensor(source, seed + 1), (dim,)),
        lambda: m.TakeAlong(source, dim, tensor(source, seed).argsort(dim)),
        lambda: m.CumulativeSum(source, dim),
        lambda: m.CumulativeSoftmax(tensor(source, seed), tensor(source, seed).logcumsumexp(dim), dim),
        lambda: m.AlongAxis(tensor((2, source[dim]), seed), source, dim),
        lambda: m.Windows(source, dim, 1 + source[dim] // 2, 1),
        lambda: m.Sum(m.Diagonal(tensor(source, seed)), m.Flip(source, (dim,))),
        lambda: _crossed(source, seed),
    ]
    if len(source) > 1:
        *batch, rows, columns = source
        options += [
            lambda: m.LeftMultiply(tensor((*batch, 2, rows), seed), columns, draw(st.booleans())),
            lambda: m.RightMultiply(tensor((*batch, columns, 2), seed), rows),
            lambda: m.DiagonalOf(source, draw(st.integers(-1, 1)) if min(rows, columns) > 1 else 0, -2, -1),
        ]
    made = draw(st.sampled_from(options))()
    return m.Adjoint(made) if made.source == made.target and draw(st.booleans()) else made


def _crossed(source: tuple[int, ...], seed: int) -> m.LinearMap:
    """Blocks that make two parts change places."""
    first, rest, rows = slice(0, 1), slice(1, None), source[0] - 1
    blocks = m.Diagonal(tensor((1, *source[1:]), seed)), m.Scale(2, (rows, *source[1:]))
    return m.Blocks(source, source, ((first,), (rest,)), blocks, ((slice(rows, None),), (slice(0, rows),)))


@st.composite
def chains(draw: st.DrawFn) -> m.LinearMap:
    """Up to four maps that fit end to end."""
    chain = draw(links(draw(shapes)))
    for _ in range(draw(st.integers(0, 3))):
        chain = draw(links(chain.target)) @ chain
    return chain


@st.composite
def sliding(draw: st.DrawFn) -> m.LinearMap:
    """A convolution, transposed or not, as a map of the image or of the kernel."""
    ndim, seed = draw(st.integers(1, 3)), draw(seeds)
    size, stride, padding, dilation = (
        draw(st.tuples(*[st.integers(*at)] * ndim)) for at in ((1, 2), (1, 2), (0, 1), (1, 2))
    )
    spatial, batch = draw(st.tuples(*[st.integers(3, 4)] * ndim)), draw(st.integers(1, 2))
    groups, narrow, wide, transposed = *(draw(st.integers(1, 2)) for _ in range(3)), draw(st.booleans())
    geometry = m.Geometry(stride, padding, dilation, transposed, (0,) * ndim, groups)
    kernel = tensor((groups * (narrow if not transposed else wide), wide if not transposed else narrow, *size), seed)
    image = tensor((batch, groups * wide, *spatial), seed + 1)
    target = geometry.convolve(image, kernel).shape
    if draw(st.booleans()):
        return m.Convolve(kernel, geometry, tuple(image.shape), tuple(target))
    return m.ConvolveKernel(image, geometry, tuple(kernel.shape), tuple(target))


STEPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "product": lambda x, w: x @ w,
    "tanh": lambda x, _: x.tanh(),
    "sigmoid": lambda x, _: x.sigmoid(),
    "relu": lambda x, _: x.relu(),
    "bias": lambda x, w: x + w[0],
    "gate": lambda x, w: x * w[0],
    "transposed": lambda x, w: (w @ x.t()).t(),
    "normalized": lambda x, _: torch.nn.functional.layer_norm(x, (3,)),
    "squared": lambda x, _: x**2,
    "softmax": lambda x, _: x.softmax(-1),
}


@st.composite
def forked_values(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], list[Tensor]]:
    """Values, one row an example, along a random graph in which they are used more than once, and its leaves."""
    seed = draw(seeds)
    leaves = [tensor((3, 3), seed + i).to(dtype).requires_grad_() for i in range(3)]
    values = [tensor((4, 3), seed + 9).to(dtype), *[tensor((4, 3), seed + 10).to(dtype) @ leaf for leaf in leaves]]
    for _ in range(draw(st.integers(1, 8))):
        step = STEPS[draw(st.sampled_from(sorted(STEPS)))]
        made = step(draw(st.sampled_from(values)), draw(st.sampled_from(leaves)))
        if draw(st.booleans()):
            made = made + draw(st.sampled_from(values))
        values.append(made)
    return values, leaves


@st.composite
def forked_losses(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> tuple[Tensor, list[Tensor]]:
    """A loss computed along a random graph in which values are used more than once, and its leaves."""
    values, leaves = draw(forked_values(dtype))
    loss = sum((value.square().mean() for value in values[-2:]), start=values[1].sum() * 0.1)
    assume(bool(loss.abs() < 1e30))  # squares of squares overflow in the end
    return loss, leaves


@st.composite
def batches(draw: st.DrawFn, shape: tuple[int, ...]) -> Batch:
    """Some way in which examples can lie in a tensor of this shape."""
    dim = draw(st.sampled_from(range(len(shape))))
    count = draw(st.sampled_from([n for n in range(1, shape[dim] + 1) if shape[dim] % n == 0]))
    left = shape[dim] // count
    return Batch(count, dim, draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
