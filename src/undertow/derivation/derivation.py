"""`undertow.derive`: the backward pass of a model as Python to read, run and edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from undertow.derivation.names import saved
from undertow.derivation.scopes import LOSS, Scopes
from undertow.derivation.trace import Trace
from undertow.derivation.values import Source, Values
from undertow.derivation.writing import body
from undertow.engine.graph import Graph
from undertow.engine.outset import refuse_second_pass
from undertow.errors import GraphError

__all__ = ["Derivation", "derive"]

INDENT = "    "


@dataclass(frozen=True, eq=False, repr=False)
class Derivation:
    """The backward pass of a model, written out. Printed, it is its source.

    Attributes:
        source: A Python module that imports torch alone and defines `backward(parameters, saved)`, which answers
            with the gradient of the loss by parameter name.
        parameters: The parameters that it reads, by name.
        saved: What it reads of the forward pass: inputs, outputs of modules by path, and what operations saved.
    """

    source: str
    parameters: Mapping[str, Tensor]
    saved: Mapping[str, Tensor]

    def run(self) -> dict[str, Tensor]:
        """The gradients at the example, by parameter name, had by running the source."""
        namespace: dict[str, Any] = {}
        exec(compile(self.source, "<undertow.derive>", "exec"), namespace)
        gradients: dict[str, Tensor] = namespace["backward"](self.parameters, self.saved)
        return gradients

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"Derivation({len(self.source.splitlines())} lines, {len(self.saved)} saved tensors)"


def derive(model: nn.Module, loss_fn: Callable[..., Tensor], example: Tensor | Sequence[Any]) -> Derivation:
    """Write out the backward pass of a model as Python source, in terms of its modules' names.

    The model is run once on the example, and left as it was, buffers and random numbers included. What it recorded
    is swept by the rules of `undertow.CALCULUS`, and each thing that they do becomes an expression. So the source is
    that of this forward pass: its shapes, its mode, the branches that it took.

    Args:
        model: What is differentiated, by its parameters that require a gradient.
        loss_fn: Gives the loss, one number, from the model's output and the rest of the example.
        example: The model's input, or a sequence of the input and what else `loss_fn` takes, such as targets.
            An input that is a tuple or a mapping becomes positional or named arguments of the model.

    Returns:
        The source, with the tensors that it reads. Parameters that nothing reaches have no gradient in it.

    Raises:
        GraphError: The loss is not one number, or depends on no parameter.
        MissingRuleError: The forward pass contains an operation that has no rule; it is named, with its module.
    """
    inputs, *rest = (example,) if isinstance(example, Tensor) else tuple(example)
    scopes, values = Scopes.of(model), Values()
    loss = _run(model, loss_fn, inputs, rest, scopes, values)
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    source = written(loss, names, scopes, values, type(model).__name__)
    return Derivation(source, values.table("parameters"), values.table("saved"))


def written(loss: Tensor, parameters: Mapping[Tensor, str], scopes: Scopes, values: Values, title: str) -> str:
    """The source of a sweep from a loss to some parameters. What it reads is noted in `values`.

    Raises:
        GraphError: The loss depends on none of them.
    """
    graph = Graph.read(loss)
    refuse_second_pass(graph)
    _know_results(graph, scopes, values)
    trace = Trace(graph, scopes, values)
    trace.run(loss, parameters)
    if not trace.gradients:
        raise GraphError("the loss depends on no parameter of the model\n  Is its output used in the loss?")
    return _source(title, trace)


def _run(
    model: nn.Module, loss_fn: Callable[..., Tensor], inputs: Any, rest: Sequence[Any], scopes: Scopes, values: Values
) -> Tensor:
    """The loss, with whatever has a name noted on the way."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    positional, named = ((), inputs) if isinstance(inputs, Mapping) else (inputs, {})
    positional = positional if isinstance(positional, tuple) else (positional,)
    for name, parameter in model.named_parameters():
        values.know("parameters", name, parameter)
    for tables, label in ((positional, "inputs"), (rest, "targets")):
        tensors = [tensor for tensor in tables if isinstance(tensor, Tensor)]
        for number, tensor in enumerate(tensors):
            values.know("saved", label if len(tensors) == 1 else f"{label}.{number}", tensor)
    for name, tensor in named.items():
        values.know("saved", name, tensor)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        with scopes.watching():
            outputs = functional_call(model, buffers, positional, {**named})
        start = torch._C._autograd._get_sequence_nr()
        loss = loss_fn(outputs, *rest)
        scopes.brackets.append((start, torch._C._autograd._get_sequence_nr(), LOSS))
    for path, tensor, version in scopes.tensors:
        values.know("saved", path, tensor, version)
    for name, buffer in buffers.items():
        values.know("saved", name, buffer)
    return _one_number(loss)


def _know_results(graph: Graph, scopes: Scopes, values: Values) -> None:
    """Name what operations gave after them, and what is left after the module that took it."""
    for node in graph.nodes:
        result = getattr(node, "_saved_result", None)
        if isinstance(result, Tensor):
            values.know(
                "saved", ".".join(filter(None, (scopes.of_node(node), saved(type(node).__name__, "result")))), result
            )
    for path, tensor, version in scopes.inputs:
        values.know("saved", path, tensor, version)


def _one_number(loss: Tensor) -> Tensor:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise GraphError(
            f"the loss to derive is not one number: {shape}\n"
            "  A gradient is of one number. Let loss_fn reduce it (.mean(), .sum())."
        )
    return loss


def _source(model: str, trace: Trace) -> str:
    statements, texts = body(trace)
    answers = [f'{INDENT}"{name}": {texts[id(gradient)].text},' for name, gradient in trace.gradients.items()]
    trace.values.keep_only({word for line in statements for word in re.findall(r"\w+", line)})
    lines = [*_preamble([*trace.values.used.values()]), *statements, "", "return {", *answers, "}"]
    head = f'"""The backward pass of {model}, for shapes and mode as in the example it was derived from."""'
    definition = ["@torch.no_grad()", "def backward(parameters, saved):"]
    summary = '"""The gradient of the loss by each parameter, by name."""'
    text = [f"{INDENT}{line}" if line else "" for line in (summary, *lines)]
    return "\n".join([head, "", "import torch", "", "", *definition, *text, ""])


def _preamble(used: Sequence[Source]) -> list[str]:
    """What the program is given, each under the name that it has there."""
    lines = []
    for table, given in (("parameters", used), ("saved", used[::-1])):
        for source in given:
            if source.table == table:
                shape = "×".join(map(str, source.tensor.shape)) or "one number"
                lines.append(f'{source.variable} = {table}["{source.key}"]  # {shape}')
    return lines
