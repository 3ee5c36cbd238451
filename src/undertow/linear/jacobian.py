"""`undertow.linearize`: the Jacobian of a recorded forward pass, as an operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.tape import Tape
from undertow.linear.operator import Operator
from undertow.linear.space import Point, Space, arranged, chosen

__all__ = ["Linearization", "linearize"]


@dataclass(frozen=True, repr=False)
class Linearization(Operator):
    """The Jacobian of a forward pass at the point where it was run.

    Attributes:
        source: The space of tangents: that of the inputs.
        target: The space of cotangents: that of the outputs.
        borrowed: How many operations of each type have no rule of ours, so that PyTorch's is called.
    """

    tape: Tape
    source: Space
    target: Space

    @property
    def borrowed(self) -> Counter[str]:
        return self.tape.borrowed

    @torch.no_grad()
    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        return self.target.filled(self.tape.push(tangents))

    @torch.no_grad()
    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        return self.source.filled(self.tape.pull(cotangents))


def linearize(outputs: Point, inputs: Point | nn.Module, *, calculus: Mapping[str, Rule] = CALCULUS) -> Linearization:
    """The derivative of some outputs by some of the tensors that they were computed from, as a linear operator.

    It is used as often as wished after one forward pass: `push` is the Jacobian-vector product by a forward sweep,
    `pull` the vector-Jacobian product by a reverse one, over the same local derivatives.

    Args:
        outputs: What was computed: a tensor, several in order, or several by name.
        inputs: What to differentiate by, leaves or not: likewise, or a module for its parameters by name.
            By inputs that the outputs do not depend on, the derivative is zero.
        calculus: The local derivatives to use, by operation type. Those that it does not state are borrowed.

    Returns:
        The operator. What the forward pass saved is read here, once, and kept with it; the first `push` adds up to
        about one tensor more for each operation that acts entry by entry. A later `loss.backward()` may free the
        graph; operations that are borrowed need it kept (`retain_graph=True`).

    Raises:
        GraphError: An output or an input does not require a gradient.
        GraphFreedError: The graph was swept before without `retain_graph=True`.

    Its products raise `SpaceError` for what does not fit, `GraphError` after an in-place change of a leaf (an optimizer
    step), and `MissingRuleError` where a forward derivative can be neither stated nor borrowed.
    """
    inputs = chosen(inputs)
    tape = Tape(arranged(outputs)[0], arranged(inputs)[0], calculus)
    return Linearization(tape, Space.of(inputs), Space.of(outputs))
