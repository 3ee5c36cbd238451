"""Who takes part in a training: models, parameters, optimizers, and their names."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.weak import WeakTensorKeyDictionary

from undertow.observe.attributes import attribute_of
from undertow.observe.frames import user_frames, variables
from undertow.store import OptimizerState, Parameter

__all__ = ["Place", "Roster"]

Place = tuple[int, str]
"""A module: the number of its model, and its path in it."""

SETTINGS = ("lr", "momentum", "betas", "eps", "weight_decay", "nesterov", "alpha", "dampening", "maximize")


@dataclass
class _Model:
    label: str
    module: weakref.ref[nn.Module]
    paths: weakref.WeakKeyDictionary[nn.Module, str]
    kinds: dict[str, str]
    trained: bool
    called: set[str] = field(default_factory=set)


class Roster:
    """Everybody that was met, in the order of meeting.

    With one model, its modules and parameters go by their own names; with several, behind the model's:
    the variable that holds it, or its class.
    """

    def __init__(self) -> None:
        self.models: list[_Model] = []
        self.parameters: list[weakref.ref[Tensor]] = []
        self.numbers: weakref.WeakKeyDictionary[Optimizer, int] = weakref.WeakKeyDictionary()
        self.optimizers: list[OptimizerState] = []
        self._held: list[int] = []
        self._places: Any = WeakTensorKeyDictionary()
        self._numbers: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._labelled: dict[str, int] = {}
        self._shapes: list[dict[str, Any]] = []

    # models

    def meet_model(self, module: nn.Module, label: str = "") -> int:
        """The number of a model that is called from outside any other."""
        for number, model in enumerate(self.models):
            if model.module() is module:
                return number
        paths = weakref.WeakKeyDictionary({inner: path for path, inner in module.named_modules()})
        kinds = {path: type(inner).__name__ for path, inner in module.named_modules()}
        parameters = {name: p for name, p in module.named_parameters() if not is_lazy(p)}
        self.models.append(
            _Model(
                label or type(module).__name__,
                weakref.ref(module),
                paths,
                kinds,
                any(True for _ in module.parameters()),
            )
        )
        number = len(self.models) - 1
        for name, parameter in parameters.items():
            self._place(parameter, (number, name))
        return number

    def model_of(self, module: nn.Module) -> int | None:
        """The number of the model that a module is part of, if it has been met."""
        return next((n for n, model in enumerate(self.models) if module in model.paths), None)

    def place_of(self, module: nn.Module, within: int) -> Place:
        """Where a module stands in a model; for one made on the fly, its class."""
        return within, self.models[within].paths.get(module, f"({type(module).__name__})")

    def adopt(self, module: nn.Module, within: int, parent: nn.Module | None) -> None:
        """Meet a module that is called inside a model without being registered there."""
        model = self.models[within]
        owner = model.paths.get(parent, "") if parent is not None else ""
        path = ".".join(filter(None, (owner, attribute_of(parent, module) or f"({type(module).__name__})")))
        for inner_path, inner in module.named_modules():
            full = ".".join(filter(None, (path, inner_path)))
            model.paths[inner] = full
            model.kinds[full] = type(inner).__name__
        for name, parameter in module.named_parameters():
            self._place(parameter, (within, f"{path}.{name}"))

    def meet_attributes(self, module: nn.Module, place: Place) -> None:
        """Name the bare tensors that a module keeps as attributes and that could be trained."""
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
                self._place(value, (place[0], f"{place[1]}.{name}".lstrip(".")))
                self._shapes[self.number_of(value)]["bare"] = True

    def called(self, place: Place) -> None:
        """A module was called in a forward pass."""
        self.models[place[0]].called.add(place[1])

    def path(self, place: Place | None) -> str:
        """A module's or parameter's name, as a person would say it."""
        if place is None:
            return ""
        number, inner = place
        trained = [n for n, model in enumerate(self.models) if model.trained]
        if number < 0 or (trained == [number]):
            return inner
        label = self._label(number)
        return f"{label}.{inner}" if inner else label

    def _label(self, number: int) -> str:
        label = self.models[number].label
        same = [n for n, model in enumerate(self.models) if model.label == label]
        return label if len(same) == 1 else f"{label}#{same.index(number) + 1}"

    # parameters

    def number_of(self, tensor: Tensor) -> int:
        """The number of a parameter, which is met now if it was not before."""
        number = self._number(tensor)
        if number is not None:
            return number
        number = self._heir(tensor)
        self._numbers[id(tensor)] = weakref.ref(tensor), number
        if number == len(self.parameters):
            self.parameters.append(weakref.ref(tensor))
            self._shapes.append({"shape": tuple(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")})
            self._shapes[-1] |= {"trainable": tensor.requires_grad, "optimizer": -1, "place": None}
        self.parameters[number] = weakref.ref(tensor)
        self._shapes[number]["place"] = self._places.get(tensor)
        return number

    def _number(self, tensor: Tensor) -> int | None:
        met = self._numbers.get(id(tensor))
        return met[1] if met is not None and met[0]() is tensor else None

    def _heir(self, tensor: Tensor) -> int:
        """The number of the tensor whose variable this one has taken, as in `w = w - rate * slope`; or a new one."""
        place = self._places.get(tensor)
        if place is None or place[0] >= 0:
            return len(self.parameters)
        number = self._labelled.setdefault(place[1], len(self.parameters))
        same = number == len(self.parameters) or self._shapes[number]["shape"] == tuple(tensor.shape)
        return number if same else len(self.parameters)

    def numbers_of(self, tensors: Iterable[Tensor]) -> list[int] | None:
        """The numbers of parameters, if all of these have been met."""
        numbers = []
        for tensor in tensors:
            met = self._numbers.get(id(tensor))
            if met is None or met[0]() is not tensor:
                return None
            numbers.append(met[1])
        return numbers

    def name_of(self, tensor: Tensor) -> str:
        return self.name_at(self.number_of(tensor))

    def name_at(self, number: int) -> str:
        """A parameter's name by its number."""
        return self._name(number, self._shapes[number]["place"])

    def _name(self, number: int | None, place: Place | None) -> str:
        return self.path(place) if place is not None else f"tensor {number}"

    def _place(self, tensor: Tensor, place: Place) -> None:
        if tensor not in self._places or self._places[tensor][0] < 0 <= place[0]:
            self._places[tensor] = place
            number = self._number(tensor)
            if number is not None:
                self._shapes[number]["place"] = place

    def meet_locals(self, frame: FrameType | None) -> None:
        """Name bare tensors and models after the variables of the user's that hold them."""
        for user in user_frames(frame):
            for name, value in variables(user):
                for label, tensor in _tensors(name, value):
                    if isinstance(tensor, Tensor) and tensor.requires_grad and tensor.is_leaf:
                        self._place(tensor, (-1, label))

    def meet_holders(self, leaves: Iterable[Tensor]) -> None:
        """Meet the models that hold leaves without a name: compiled ones, which are not watched being called."""
        nameless = {id(leaf) for leaf in leaves if leaf not in self._places}
        found: dict[int, tuple[str, nn.Module]] = {}
        for user in user_frames(None) if nameless else ():
            for name, value in variables(user):
                module = getattr(value, "_orig_mod", value) if isinstance(value, nn.Module) else None
                if module is not None and name != "self" and nameless & {id(p) for p in module.parameters()}:
                    found.setdefault(id(module), (name, module))
        for label, module in sorted(found.values(), key=lambda item: -sum(1 for _ in item[1].modules())):
            if any(id(p) in nameless and p not in self._places for p in module.parameters()):
                model = self.models[self.meet_model(module, label)]
                model.called.update(model.kinds)

    def label_of(self, module: nn.Module, frame: FrameType | None) -> tuple[nn.Module, str]:
        """The largest model around a module that a variable of the user's holds, and that variable's name."""
        best, size, label = module, 0, ""
        for user in user_frames(frame):
            for name, value in variables(user):
                if not isinstance(value, nn.Module) or name == "self":
                    continue
                inside = [*value.modules()]
                if len(inside) > size and any(inner is module for inner in inside):
                    best, size, label = value, len(inside), name
        return best, label

    def called_parameters(self) -> Iterator[Tensor]:
        """The parameters of the modules that were called."""
        for model in self.models:
            yield from self.parameters_called(model)

    def parameters_called(self, model: _Model) -> Iterator[Tensor]:
        """Those of one model."""
        module = model.module()
        for path, inner in module.named_modules() if module is not None else ():
            if path in model.called:
                yield from (p for p in inner.parameters(recurse=False) if not is_lazy(p))

    # optimizers

    def meet_optimizer(self, optimizer: Optimizer) -> int:
        """The number of an optimizer; its settings are noted anew."""
        number = self.numbers.setdefault(optimizer, len(self.optimizers))
        group = optimizer.param_groups[0] if optimizer.param_groups else {}
        state = OptimizerState(type(optimizer).__name__, {k: _plain(group[k]) for k in SETTINGS if k in group})
        if number == len(self.optimizers):
            self.optimizers.append(state)
            self._held.append(0)
        self.optimizers[number] = state
        count = sum([len(group["params"]) for group in optimizer.param_groups])
        if count != self._held[number]:
            self._held[number] = count
            for tensor in chain.from_iterable(group["params"] for group in optimizer.param_groups):
                self._shapes[self.number_of(tensor)]["optimizer"] = number
        return number

    def held(self, tensor: Tensor) -> bool:
        """Whether an optimizer that was met holds it."""
        return bool(self._shapes[self.number_of(tensor)]["optimizer"] >= 0)

    # the table

    def table(self) -> list[Parameter]:
        """Every parameter met, by number."""
        for number, model in enumerate(self.models):
            module = model.module()
            for name, tensor in module.named_parameters() if module is not None else ():
                if not is_lazy(tensor):
                    self._place(tensor, (number, name))
                    self.number_of(tensor)
        return [self._row(number) for number in range(len(self.parameters))]

    def _row(self, number: int) -> Parameter:
        facts, tensor = self._shapes[number], self.parameters[number]()
        if tensor is not None:
            facts["trainable"] = tensor.requires_grad
        place: Place | None = facts["place"]
        owner = place[1].rpartition(".")[0] if place is not None else ""
        model = self.models[place[0]] if place is not None and place[0] >= 0 else None
        return Parameter(
            name=self._name(number, place),
            shape=facts["shape"],
            dtype=facts["dtype"],
            trainable=facts["trainable"],
            optimizer=facts["optimizer"],
            module=self.path((place[0], owner)) if model is not None and place is not None else "",
            kind="Tensor" if "bare" in facts else model.kinds.get(owner, "") if model is not None else "",
            used=model is None or owner in model.called,
        )


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (list, tuple)) and len(value) < 1000:
        for position, item in enumerate(value):
            if isinstance(item, (Tensor, list, tuple, dict)):
                yield from _tensors(f"{name}[{position}]", item)
    elif isinstance(value, dict) and len(value) < 1000 and not name.startswith("__"):
        for key, item in [*value.items()]:
            if isinstance(item, (Tensor, list, tuple)):
                yield from _tensors(f"{name}[{key!r}]", item)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Tensor) else value
