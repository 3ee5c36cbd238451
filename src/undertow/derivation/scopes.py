"""Watching one forward pass for the names a person knows: which module recorded what, and what it gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from undertow.derivation.recording import tensors_in

__all__ = ["FORWARD", "LOSS", "Bracket", "Scopes"]

Bracket = tuple[int, int, str]
"""The range of sequence numbers of what one call of a module recorded, and the module's path."""

FORWARD: Bracket = (0, 0, "")

LOSS = "loss"
"""The scope of what is computed from the model's outputs."""


@dataclass(frozen=True, eq=False)
class Scopes:
    """What a forward pass told of its modules.

    Attributes:
        paths: The path of each module; the model's own is empty.
        brackets: One for each call of a module.
        inputs: What each module was given, with the version that it had then.
        tensors: What each module gave, by path, likewise.
        outputs: The path of the module that a node's output is the output of.
    """

    paths: Mapping[nn.Module, str]
    brackets: list[Bracket] = field(default_factory=list)
    inputs: list[tuple[str, Tensor, int]] = field(default_factory=list)
    tensors: list[tuple[str, Tensor, int]] = field(default_factory=list)
    outputs: dict[tuple[Any, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module) -> Scopes:
        return cls({module: path for path, module in model.named_modules()})

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Modules that are called within tell of themselves."""
        opened: list[int] = []

        def enters(module: nn.Module, inputs: Any) -> None:
            opened.append(torch._C._autograd._get_sequence_nr())
            if path := self.paths.get(module):
                self.inputs.extend((f"{path}.input", tensor, tensor._version) for tensor in tensors_in(inputs))

        def leaves(module: nn.Module, _: Any, outputs: Any) -> None:
            start, path = opened.pop(), self.paths.get(module)
            if path:
                self.brackets.append((start, torch._C._autograd._get_sequence_nr(), path))
                self.gave(path, outputs)

        handles = register_module_forward_pre_hook(enters), register_module_forward_hook(leaves)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def gave(self, path: str, outputs: Any) -> None:
        """Name some tensors after the module that gave them, unless a module within it gave them before."""
        if isinstance(outputs, Mapping):
            outputs = [*outputs.values()]
        for tensor in tensors_in(outputs):
            self.tensors.append((path, tensor, tensor._version))
            if tensor.grad_fn is not None:
                edge = get_gradient_edge(tensor)
                self.outputs.setdefault((edge.node, edge.output_nr), path)

    def around(self, node: Any) -> Bracket:
        """The innermost call of a module that recorded a node."""
        number = node._sequence_nr()
        around = [bracket for bracket in self.brackets if bracket[0] <= number < bracket[1]]
        return min(around, key=lambda bracket: bracket[1] - bracket[0]) if around else FORWARD

    def of_node(self, node: Any) -> str:
        """The path of the innermost module that recorded a node; empty for the model's own `forward`."""
        return self.around(node)[2]

    def kind(self, path: str) -> str:
        """The class of the module at a path; empty for the loss."""
        return next((type(module).__name__ for module, known in self.paths.items() if known == path), "")
