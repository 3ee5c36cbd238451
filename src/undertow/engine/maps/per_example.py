"""What a linear map does to a cotangent whose entries belong to the examples of a batch."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from undertow.engine.maps.batch import Batch, Shape
from undertow.engine.maps.parts import Parts
from undertow.engine.maps.pulled import Masked, Pulled

__all__ = ["PerExample"]


class PerExample(abc.ABC):
    """Where a map leaves the examples of a batch, and what it sends to a tensor that they share.

    What is here holds for every map, and is slow: one pull an example. Maps that know better say so.
    """

    __slots__ = ()

    @property
    @abc.abstractmethod
    def source(self) -> Shape:
        """Shape of the tensors it takes."""

    @property
    @abc.abstractmethod
    def target(self) -> Shape:
        """Shape of the tensors it gives."""

    @abc.abstractmethod
    def pull(self, cotangent: Tensor) -> Tensor:
        """What is pulled back from one cotangent."""

    @property
    def keeps_norms(self) -> bool:
        """Whether pulling keeps the norm of every cotangent. `False` where that is not known."""
        return False

    def pulled(self, batch: Batch) -> Batch | None:
        """Where examples that lie so in a cotangent lie in what is pulled back.

        `None` where the map joins them, as the one to a weight does, or where it cannot tell.
        """
        del batch
        return None

    def pushed(self, batch: Batch) -> Batch | None:
        """Where examples that lie so in a tangent lie in what is pushed on; `None` as for `pulled`."""
        del batch
        return None

    def mixes(self, batch: Batch) -> bool:
        """Whether this map lets the examples of a batch that lies so in its target see each other.

        Only said of maps that have no weight at their other end, such as a normalisation over the batch.
        """
        del batch
        return False

    @property
    def multiplies(self) -> bool:
        """Whether it is a product, over entries that are added up, with a tensor that may be the data."""
        return False

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        """What is pulled back, example by example, where the map joins them."""
        return Masked(self, cotangent, batch)

    def through(self, parts: Parts) -> Parts:
        """What is pulled back from each of some parts."""
        return Pulled(self, parts)

    def pull_each(self, cotangents: Tensor) -> Tensor:
        """What is pulled back from each of some cotangents, stacked along a first dimension."""
        return torch.stack([self.pull(cotangent) for cotangent in cotangents])
