"""`undertow.derive`: the backward pass of a model as Python to read, run and edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from os import PathLike
from pathlib import Path
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
from undertow.errors import DerivationError, GraphError
from undertow.shown import Shown

__all__ = ["Derivation", "derive"]

INDENT = "    "


MAIN = """

if __name__ == "__main__":
    given = torch.load(__file__.removesuffix(".py") + ".pt")
    for name, gradient in backward(**given).items():
        print(f"{gradient.norm():12.6g}  {name}")
"""
"""What makes a script of the source."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a backward pass was derived from, and the source as it was derived."""

    model: nn.Module
    loss_fn: Callable[..., Tensor]
    source: str

    def of(self, example: Sequence[Any]) -> Derivation:
        """What the same source reads of another example."""
        again = derive(self.model, self.loss_fn, example)
        if again.source != self.source:
            raise DerivationError(
                "the backward pass of this example is not the one that was derived\n"
                f"  {_first_difference(self.source, again.source)}\n"
                "  A source holds for the shapes, the mode and the branches of its example. Derive it again for this."
            )
        return again


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Shown):
    """The backward pass of a model, written out. Printed, it is its source; called, it gives the gradients.

    Attributes:
        source: A Python module that imports torch alone and defines `backward(parameters, saved)`, which answers
            with the gradient of the loss by parameter name.
        parameters: The parameters that it reads, by name.
        saved: What it reads of the forward pass: inputs, outputs of modules by path, and what operations saved.
        origin: The model and the loss that it is the backward pass of.
    """

    source: str
    parameters: Mapping[str, Tensor]
    saved: Mapping[str, Tensor]
    origin: Origin = field(repr=False)

    def __call__(self, *example: Any) -> dict[str, Tensor]:
        """The gradients by parameter name, had by running the source.

        Args:
            example: Another batch, as the model and `loss_fn` take it: its forward pass is run anew, with the
                parameters that the model has now, and what the source reads is kept of it. The model's buffers are left
                as they were. Without one, the example that it was derived from, as it was then.

        Raises:
            DerivationError: The source is no program that defines `backward`; or the backward pass of this example is
                another one, because of its shapes, the model's mode or a branch that it takes.
        """
        given = self.origin.of(example) if example else self
        gradients: dict[str, Tensor] = _defined(self.source)(given.parameters, given.saved)
        return gradients

    def edited(self, source: str | Path) -> Derivation:
        """The same with another text, or the text of a file, in place of its source.

        Raises:
            DerivationError: It is no program that defines `backward`.
        """
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        _defined(text)
        return replace(self, source=text)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the source to a file, and what it reads to a file beside it, ending in `.pt`.

        The file runs as a script, without Undertow, and prints the norm of each gradient. Where it is called
        `….html`, a page to read is written instead.

        Raises:
            DerivationError: The file is called neither `….py` nor `….html`.
        """
        to = Path(path)
        if to.suffix == ".html":
            return super().save(to)
        if to.suffix != ".py":
            raise DerivationError(
                f"a derivation is saved to a Python file, not to {to}\n"
                "  Give a name that ends in .py, or in .html for a page to read."
            )
        torch.save({"parameters": dict(self.parameters), "saved": dict(self.saved)}, to.with_suffix(".pt"))
        to.write_text(self.source + ("" if MAIN in self.source else MAIN), encoding="utf-8")
        return to

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
    origin = Origin(model, loss_fn, source)
    return Derivation(source, values.table("parameters"), values.table("saved"), origin)


def _defined(source: str) -> Callable[..., dict[str, Tensor]]:
    """The function `backward` of a source."""
    namespace: dict[str, Any] = {"__name__": "undertow.derived"}
    try:
        exec(compile(source, "<undertow.derive>", "exec"), namespace)
    except SyntaxError as error:
        raise DerivationError(f"the source is not Python: {error}\n  Nothing was run.") from error
    if not callable(namespace.get("backward")):
        raise DerivationError("the source defines no backward(parameters, saved)\n  Keep that function when editing.")
    backward: Callable[..., dict[str, Tensor]] = namespace["backward"]
    return backward


def _first_difference(ours: str, theirs: str) -> str:
    lines = zip_longest(ours.splitlines(), theirs.splitlines(), fillvalue="(nothing)")
    number, (had, has) = next((n, pair) for n, pair in enumerate(lines, 1) if pair[0] != pair[1])
    return f"Line {number} is {has.strip()!r}, and was {had.strip()!r}."


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
