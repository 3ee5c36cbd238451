"""Results that show themselves: in a notebook, as Plotly figures, and as a page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Shown"]


class Stored(Protocol):
    """A run on disk, such as `undertow.Run`."""

    folder: Path


class Shown:
    """What a user gets and may look at. How it looks is said in `undertow.show`, imported when it is looked at."""

    __slots__ = ()

    def figures(self, *, dark: bool = False) -> list[Figure]:
        """Its pictures as Plotly figures, which can be changed, shown and written as any other."""
        found: list[Figure] = _show().figures_of(self, dark)
        return found

    def figure(self, *, dark: bool = False) -> Figure:
        """Its first picture as a Plotly figure.

        Raises:
            ShowError: It has none.
        """
        found: Figure = _show().figure_of(self, dark)
        return found

    def save(self, path: str | Path) -> Path:
        """Write it as one HTML file that needs no network, and return where that is.

        Raises:
            OSError: The file cannot be written.
        """
        written: Path = _show().saved(self, path)
        return written

    def keep(self, run: Stored) -> Path:
        """Keep it in a run's folder, where the run's report shows it from then on, and return where it is.

        Of results of one kind the last is kept.

        Raises:
            StoreError: The file cannot be written.
        """
        kept: Path = _show().kept_with(self, run.folder)
        return kept

    def _repr_html_(self) -> str:
        """As a notebook shows it: the page of `save`, framed."""
        framed: str = _show().framed(self)
        return framed


def _show() -> Any:
    return import_module("undertow.show.notebook")
