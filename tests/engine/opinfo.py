"""PyTorch's own samples of its operations and layers, and how our rules stand on what they record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

import undertow
from tests.engine.laws import broken_first, largest
from undertow.engine.algebras import Gradient, Magnitude
from undertow.engine.calculus import CALCULUS

__all__ = ["ROUNDED", "Recorded", "Verdict", "of_layers", "of_operations"]

ROUNDED = {"native_layer_norm 8", "native_layer_norm 10", "nn.functional.layer_norm 2"}
"""Normalised over one number: for the weight PyTorch answers x · r - mean · r, which rounds; ours is exactly 0."""

END_TO_END = {torch.float64: 1e-12, torch.float32: 1e-5}
"""By how much a gradient may be off, over what it would be if no two paths cancelled."""


@dataclass(frozen=True)
class Verdict:
    """How often each type of node obeyed the laws, and which were borrowed or broke some."""

    obeyed: Counter[str]
    borrowed: Counter[str]
    broken: dict[str, set[str]]
    gradients_agree: bool

    @property
    def kind(self) -> str:
        if self.broken or not self.gradients_agree:
            return "differs"
        return "borrowed" if self.borrowed else "ours"


@dataclass(frozen=True)
class Recorded:
    """What one sample recorded: its name, the outputs that have a gradient, and the inputs that need one."""

    name: str
    outputs: list[Tensor]
    inputs: dict[str, Tensor] = field(repr=False)

    @cached_property
    def graph(self) -> undertow.Graph:
        return undertow.Graph.read(self.outputs)

    def verdict(self) -> Verdict:
        """Each node by the laws, and the sweep from end to end by `torch.autograd.grad`."""
        obeyed, borrowed, broken = Counter(), Counter(), {}
        for node in self.operations():
            name = type(node).__name__
            rule = CALCULUS.get(name)
            with torch.no_grad():
                local = None if rule is None else rule(node)
                faults = set() if local is None else broken_first(node, local)
            if local is None:
                borrowed[name] += 1
            elif faults:
                broken.setdefault(name, set()).update(faults)
            else:
                obeyed[name] += 1
        return Verdict(obeyed, borrowed, broken, self._gradients_agree(bool(borrowed)))

    def operations(self) -> list[Any]:
        """The nodes behind the outputs, leaves left out."""
        return [node for node, edges in zip(self.graph.nodes, self.graph.edges, strict=True) if edges]

    def _gradients_agree(self, borrows: bool) -> bool:
        seeds = [torch.randn(out.shape, dtype=out.dtype, generator=_generator()) for out in self.outputs]
        theirs = torch.autograd.grad(self.outputs, [*self.inputs.values()], seeds, allow_unused=True, retain_graph=True)
        expected = {name: had for name, had in zip(self.inputs, theirs, strict=True) if had is not None}
        named = {name: self.inputs[name] for name in expected}
        ours = undertow.sweep(self.outputs, Gradient(), gradient=seeds, inputs=named)
        dtypes = {dtype for spaces in self.graph.spaces for _, dtype in spaces}
        tolerance = END_TO_END[torch.float32 if dtypes & {torch.float32, torch.complex64} else torch.float64]
        if all(_near(ours.arrived.get(name), had, tolerance) for name, had in expected.items()):
            return True
        if borrows or any(dtype.is_complex for dtype in dtypes):
            return False
        bounds = undertow.sweep(self.outputs, Magnitude(), gradient=seeds, inputs=named)
        sizes = {name: largest(bound.magnitude) for name, bound in bounds.items()}
        return all(_near(ours.arrived.get(name), had, tolerance, sizes.get(name, 0)) for name, had in expected.items())


def _near(found: Tensor | None, expected: Tensor, tolerance: float, size: float = 0) -> bool:
    found = torch.zeros_like(expected) if found is None else found
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return False
    finite = expected.isfinite()
    if not torch.equal(found.isfinite(), finite):
        return False
    return largest((found - expected)[finite]) <= tolerance * max(largest(expected[finite]), size)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def of_operations(dtype: torch.dtype, most: int | None = None, only: Collection[str] = ()) -> Iterator[Recorded]:
    """What PyTorch's samples of each operation record, at most so many of each, or of these operations alone."""
    from torch.testing._internal.common_methods_invocations import op_db

    for op in op_db:
        if not op.supports_autograd or dtype not in op.supported_backward_dtypes("cpu"):
            continue
        if only and op.full_name not in only:
            continue
        torch.manual_seed(0)
        for number, sample in enumerate(islice(op.sample_inputs("cpu", dtype, requires_grad=True), most)):
            result = sample.output_process_fn_grad(op(sample.input, *sample.args, **sample.kwargs))
            yield from _kept(f"{op.full_name} {number}", result, (sample.input, sample.args, sample.kwargs))


def of_layers(dtype: torch.dtype, most: int | None = None) -> Iterator[Recorded]:
    """The same of the classes of `torch.nn`, losses and recurrent layers among them."""
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        if dtype not in info.dtypes:
            continue
        torch.manual_seed(0)
        kinds = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True)
        for number, kind in enumerate(islice(kinds, most)):
            made, given = kind.constructor_input, kind.forward_input
            layer = info.module_cls(*made.args, **made.kwargs).to(dtype)
            inputs = (*layer.parameters(), given.args, given.kwargs)
            yield from _kept(f"{info.name} {number}", layer(*given.args, **given.kwargs), inputs)


def _kept(name: str, result: Any, given: Any) -> Iterator[Recorded]:
    """One record, if there is anything to sweep."""
    outputs, inputs = _swept(result), _swept(given)
    if outputs:
        yield Recorded(name, outputs, {str(number): tensor for number, tensor in enumerate(inputs)})


def _swept(tree: Any) -> list[Tensor]:
    """The dense tensors that a gradient goes to, each once."""
    tensors = [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    needed = [tensor for tensor in tensors if tensor.requires_grad and tensor.layout is torch.strided]
    return [*{id(tensor): tensor for tensor in needed}.values()]
