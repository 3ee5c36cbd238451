"""What of a slice has been measured, in a file, so that it can be gone on with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertow.errors import LandscapeError

__all__ = ["Progress"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """The losses measured so far, kept in an `.npz` file if one is named.

    Attributes:
        losses: One for each point; NaN where `done` is false.
        done: Which points have been measured.
        key: What was to be measured, so that no file is gone on with for something else.
        file: Where this is kept.
    """

    losses: Floats
    done: NDArray[np.bool_]
    key: str
    file: Path | None = None

    @classmethod
    def begun(cls, points: int, key: str, file: Path | None) -> Progress:
        """Nothing yet, or what the file holds.

        Raises:
            LandscapeError: The file is no such file, or holds other points, weights or directions.
        """
        if file is None or not file.exists():
            return cls(np.full(points, np.nan), np.zeros(points, bool), key, file)
        try:
            with np.load(file, allow_pickle=False) as kept:
                losses, done, of = kept["losses"], kept["done"], str(kept["key"])
        except (OSError, ValueError, KeyError) as error:
            raise LandscapeError(f"{file} holds no slice\n  Name another file, or delete it.") from error
        if of != key:
            raise LandscapeError(
                f"{file} holds another slice: other weights, directions, points, data, statistics or loss function\n"
                "  Going on with it would mix two surfaces. Name another file, or delete it."
            )
        return cls(losses, done, key, file)

    def add(self, points: NDArray[np.int64], losses: Floats) -> None:
        """Keep what was measured; the file is whole at every instant."""
        self.losses[points] = losses
        self.done[points] = True
        if self.file is None:
            return
        fresh = self.file.with_name(self.file.name + ".part")
        with fresh.open("wb") as written:
            np.savez(written, losses=self.losses, done=self.done, key=self.key)
        os.replace(fresh, self.file)
