"""Where a backward pass starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.autograd.graph import GradientEdge, get_gradient_edge

from undertow.engine.reading import Start

__all__ = ["starts_of"]


def starts_of(outputs: Sequence[Any]) -> list[Start]:
    """The nodes of the outputs that have one."""
    starts = []
    for output in outputs:
        if isinstance(output, GradientEdge):
            starts.append((output.node, output.output_nr))
        elif output.requires_grad:
            edge = get_gradient_edge(output)
            starts.append((edge.node, edge.output_nr))
    return starts
