"""`undertow.sweep`: any algebra, from a loss to its leaves, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from undertow.engine.algebras import Algebra
from undertow.engine.borrowed import REENTRANT, refuse
from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.graph import Graph, outputs_of
from undertow.engine.graph_task import in_graph_task
from undertow.engine.outset import leaf_names, refuse_second_pass, seeds_of
from undertow.engine.places import Places
from undertow.engine.sweep import Watcher
from undertow.engine.sweep import sweep as run
from undertow.errors import GraphError, MissingRuleError

__all__ = ["Swept", "carried", "destinations", "places_of", "sweep"]

C = TypeVar("C")


@dataclass(frozen=True, slots=True, eq=False)
class Swept(Mapping[str, C], Generic[C]):
    """What an algebra brought to each leaf (or to each of the inputs that were named), by name.

    Attributes:
        arrived: By name. Leaves that nothing reached are not in it.
        borrowed: How often each type of operation had its derivative borrowed from PyTorch.
    """

    arrived: dict[str, C]
    borrowed: Counter[str]

    def __getitem__(self, name: str) -> C:
        return self.arrived[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrived)

    def __len__(self) -> int:
        return len(self.arrived)


def sweep(
    outputs: Tensor | Sequence[Tensor],
    algebra: Algebra[C],
    *,
    gradient: Tensor | Sequence[Tensor | None] | None = None,
    inputs: Mapping[str, Tensor] | None = None,
    model: nn.Module | None = None,
    calculus: Mapping[str, Rule] = CALCULUS,
) -> Swept[C]:
    """Carry something other than the gradient backward: what, the algebra says.

    Nothing is accumulated into `.grad`, and the graph stays as it is: `loss.backward()` may follow.

    Args:
        outputs: The loss, or several outputs.
        algebra: What travels, such as `Scaled()`.
        gradient: The cotangent of each output, of its shape; may be left out for outputs of one element.
        inputs: Tensors that it is to arrive at, by names of your own; all leaves when left out.
        model: Where the names of parameters come from. Other leaves are called `leaf 0`, `leaf 1`, …
        calculus: The local derivatives to use.

    Returns:
        What arrived, by name.

    Raises:
        GraphError: An output or a named tensor is not in a graph, or a cotangent does not fit, or is complex
            where the algebra is for real numbers.
        GraphFreedError: The graph was swept before and not kept.
        MissingRuleError: The algebra cannot borrow, and met an operation without a rule.
        SweptOnceError: A region under reentrant checkpointing.
    """
    outputs = outputs_of(outputs)
    graph = Graph.read(outputs)
    seeds = seeds_of(outputs, gradient)
    return carried(graph, seeds, algebra, destinations(graph, inputs, model), calculus=calculus)


def carried(
    graph: Graph,
    seeds: Sequence[Tensor],
    algebra: Algebra[C],
    names: Mapping[str, tuple[int, int]],
    *,
    watcher: Watcher | None = None,
    calculus: Mapping[str, Rule] = CALCULUS,
) -> Swept[C]:
    """One sweep that delivers to these places, `(operation, slot)`, by name."""
    refuse_second_pass(graph)
    for node in graph.nodes:
        if type(node).__name__ == REENTRANT:
            refuse(node, algebra.name, calculus)
    if not algebra.takes_complex:
        _refuse_complex(graph, algebra.name)
    values: dict[str, C] = {}
    arrivals: dict[int, Callable[[list[C | None]], None]] = {}
    for name, (index, slot) in names.items():
        arrivals[index] = partial(_keep, values, name, slot, arrivals.get(index))
    start = [algebra.seed(seed) for seed in seeds]
    work = partial(run, graph, start, algebra, arrivals, watcher=watcher, calculus=calculus)
    try:
        return Swept(values, in_graph_task(work))
    except MissingRuleError as error:
        raise _placed(error, graph, names) from None


def _keep(
    values: dict[str, C],
    name: str,
    slot: int,
    previous: Callable[[list[C | None]], None] | None,
    cotangents: list[C | None],
) -> None:
    if previous is not None:
        previous(cotangents)
    if (arrived := cotangents[slot]) is not None:
        values[name] = arrived


def destinations(
    graph: Graph, inputs: Mapping[str, Tensor] | None, model: nn.Module | None
) -> dict[str, tuple[int, int]]:
    """Where each of these tensors is, or else each leaf, by the model's name for it or by number."""
    if inputs is not None:
        return _named(graph, inputs)
    known = leaf_names(graph, model)
    return {known.get(index, f"leaf {n}"): (index, 0) for n, (index, _) in enumerate(graph.leaves())}


def _named(graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Where each of these tensors is."""
    indices = {node: index for index, node in enumerate(graph.nodes)}
    found = {}
    for name, tensor in inputs.items():
        edge = get_gradient_edge(tensor) if tensor.requires_grad else None
        if edge is None or edge.node not in indices:
            raise GraphError(
                f"the tensor {name!r}, of shape {tuple(tensor.shape)}, is not in the graph of these outputs\n"
                "  No path leads from the outputs to it, so nothing can arrive there.\n"
                "  Was it used to compute them, and did it require a gradient then?"
            )
        found[name] = (indices[edge.node], edge.output_nr)
    return found


def _refuse_complex(graph: Graph, algebra: str) -> None:
    for node, spaces in zip(graph.nodes, graph.spaces, strict=True):
        if any(dtype.is_complex for _, dtype in spaces):
            raise GraphError(
                f"the {algebra} sweep met complex numbers at {type(node).__name__}\n"
                "  It compares and rounds real numbers, and would say nothing true of complex ones.\n"
                "  Use the gradient or the scaled algebra, or compute with real and imaginary parts."
            )


def _placed(error: MissingRuleError, graph: Graph, names: Mapping[str, tuple[int, int]]) -> MissingRuleError:
    """The same error, with where in the user's model the operation stands, as far as that is known."""
    name = type(error.node).__name__
    message = str(error).replace(name, places_of(graph, names).of(error.node), 1)
    return MissingRuleError(message, error.node)


def places_of(graph: Graph, names: Mapping[str, tuple[int, int]]) -> Places:
    """Where operations stand, in terms of the leaves that have these names."""
    known = {index: name for name, (index, _) in names.items()}
    return Places(graph, {leaf: known[index] for index, leaf in graph.leaves() if index in known})
