"""Room for numbers that are held from step to step, apart from the memory in which a step's tensors come and go."""

from __future__ import annotations

import mmap
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rows"]


class Rows:
    """Arrays that are handed out, given back, and handed out again.

    What is taken from the heap between two steps and kept may lie in the gap that an activation left, which then no
    longer fits the next one, and the heap grows: a few kilobytes held so cost a convolutional network a quarter more.
    """

    def __init__(self) -> None:
        self._free: defaultdict[tuple[int, np.dtype[Any]], list[NDArray[Any]]] = defaultdict(list)

    def take(self, length: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of any numbers. Shape (length,), of at least one."""
        free = self._free[length, dtype]
        return free.pop() if free else np.frombuffer(mmap.mmap(-1, length * dtype.itemsize), dtype)

    def held(self, values: NDArray[Any]) -> NDArray[Any]:
        """A copy."""
        row = self.take(values.size, values.dtype)
        row[:] = values
        return row

    def give(self, row: NDArray[Any]) -> None:
        """Take an array back; one that never comes back is let go with whoever had it."""
        self._free[row.size, row.dtype].append(row)
