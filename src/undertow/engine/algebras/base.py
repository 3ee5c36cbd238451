"""What a reverse sweep needs of whatever it carries."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from undertow.engine.calculus import Local, Rule
from undertow.engine.maps import Compose, LinearMap, Shape

__all__ = ["Algebra", "fitted"]

C = TypeVar("C")


class Algebra(abc.ABC, Generic[C]):
    """The operations that a reverse sweep needs of the cotangents it carries, of type `C`."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What its sweep is called."""

    @property
    @abc.abstractmethod
    def takes_complex(self) -> bool:
        """Whether it says anything true of complex tensors."""

    @abc.abstractmethod
    def seed(self, cotangent: Tensor) -> C:
        """What the sweep starts with, from an ordinary cotangent of an output."""

    @abc.abstractmethod
    def pull(self, jacobian: LinearMap, cotangent: C) -> C:
        """Carry a cotangent from an operation's output to one of its inputs."""

    def through(
        self, node: Any, rule: Rule, cotangents: Sequence[C | None], wanted: Sequence[bool]
    ) -> Sequence[C | None] | None:
        """One contribution for each input of an operation that is wanted, through the maps that its rule states.

        `None` where the rule states none.
        """
        local = rule(node)
        if local is None:
            return None
        answer: list[C | None] = [None] * len(wanted)
        begun = _beginnings(local)
        for position, maps in enumerate(local):
            if maps is None or not wanted[position]:
                continue
            for slot, jacobian in enumerate(maps if isinstance(maps, tuple) else (maps,)):
                cotangent = cotangents[slot]
                if jacobian is not None and cotangent is not None:
                    part, present = self._pulled(jacobian, slot, cotangent, begun), answer[position]
                    answer[position] = part if present is None else self.add(present, part)
        return answer

    def _pulled(self, jacobian: LinearMap, slot: int, cotangent: C, begun: dict[tuple[int, int], C | None]) -> C:
        """What is pulled back; with what other maps begin with as well pulled once for all of them."""
        if type(jacobian) is not Compose or (key := (slot, id(jacobian.outer))) not in begun:
            return self.pull(jacobian, cotangent)
        if (between := begun[key]) is None:
            between = begun[key] = self.pull(jacobian.outer, cotangent)
        return self.pull(jacobian.inner, between)

    @abc.abstractmethod
    def add(self, left: C, right: C) -> C:
        """Join the cotangents that reach one tensor by two paths."""

    @abc.abstractmethod
    def fit(self, contribution: C, shape: Shape, dtype: torch.dtype) -> C:
        """Bring a contribution to the shape and dtype of the tensor it is for.

        An operation may answer in a broadcast shape, or in the dtype that its inputs were promoted to.
        """

    @abc.abstractmethod
    def borrow(self, node: Any, cotangents: list[C | None]) -> Sequence[C | None] | None:
        """Carry cotangents through an operation whose local derivative nobody stated.

        `None` if the algebra needs more than PyTorch's own product can tell.

        Raises:
            SweptOnceError: The operation is a region that can only be run by PyTorch, and only once.
        """


def _beginnings(local: Local) -> dict[tuple[int, int], Any]:
    """Output and outer part of the maps from there that begin alike, with a place for what comes of it."""
    if len(local) < 2:
        return {}
    met = [
        (slot, id(jacobian.outer))
        for maps in local
        for slot, jacobian in enumerate(maps if isinstance(maps, tuple) else (maps,))
        if type(jacobian) is Compose
    ]
    return {key: None for key, count in Counter(met).items() if count > 1} if met else {}


def fitted(contribution: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
    """A tensor summed over the dimensions that were broadcast, and in another dtype; itself if it fits."""
    if contribution.shape != shape:
        by_rows = contribution.shape[1:] == shape  # most often, for a bias, and faster to sum plainly
        contribution = contribution.sum(0) if by_rows else contribution.sum_to_size(shape)
    if contribution.dtype is dtype:
        return contribution
    return (contribution.real if contribution.is_complex() and not dtype.is_complex else contribution).to(dtype)
