"""Blocks as one self-contained page: Jinja2 for the text, Plotly and a script of our own for the pictures."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from undertow.compare import Comparison
from undertow.diagnose.finding import Review
from undertow.landscape import Barrier, Slice, Track
from undertow.show.blocks import Bars, Block, Decades, Figure, FlowMap
from undertow.show.comparison import beside
from undertow.show.landscape import path_blocks, slice_blocks
from undertow.show.report import judged, pictures
from undertow.show.source import highlighted
from undertow.show.still_figure import still_figure
from undertow.show.still_map import still_map
from undertow.show.words import TERMS, decades, distance
from undertow.store.run import Run

__all__ = ["page", "write_comparison", "write_landscape", "write_page", "write_report", "written"]

STYLES = ("page.css", "flowmap.css")
SCRIPTS = ("theme.js", "fold.js", "lanes.js", "flowmap.js")


def write_report(run: Run, review: Review, path: str | Path) -> Path:
    """Write the report of a run as one HTML file that needs no network, and return where it is.

    Raises:
        OSError: The file cannot be written.
    """
    verdict, *grounds = judged(run, review)
    return write_page(run.name, verdict, grounds, pictures(run, review), path)


def write_comparison(seen: Comparison, path: str | Path) -> Path:
    """Write a comparison of two runs as one HTML file that needs no network, and return where it is.

    Raises:
        OSError: The file cannot be written.
    """
    top, *blocks = beside(seen)
    return write_page(f"{seen.left.name} and {seen.right.name}", top, [], blocks, path)


def write_landscape(seen: Slice | Barrier, path: str | Path, track: Track | None = None) -> Path:
    """Write a slice, with a trajectory in it if one is given, or a path as one HTML file, and return where it is.

    Raises:
        OSError: The file cannot be written.
    """
    top, *blocks = path_blocks(seen) if isinstance(seen, Barrier) else slice_blocks(seen, track)
    return write_page("Landscape", top, [], blocks, path)


def write_page(name: str, top: Block, grounds: Sequence[Block], shown: Sequence[Block], path: str | Path) -> Path:
    """Write blocks as a page: what comes first, its grounds, and all else."""
    return written(page(name, top, grounds, shown), path)


def written(text: str, path: str | Path) -> Path:
    """Write a page. Whoever reads the file meanwhile finds the old page or the new one, whole."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.new")
    fresh.write_text(text, encoding="utf-8", errors="backslashreplace")
    return fresh.replace(target)


def page(name: str, top: Block, grounds: Sequence[Block], shown: Sequence[Block], embedded: bool = False) -> str:
    """Blocks as a page; one that is embedded is packed, has no head and foot, and takes the colours of its host."""
    explained = any(isinstance(block, (Decades, FlowMap)) for block in (top, *grounds, *shown))
    drawn = any(isinstance(block, Figure) for block in (top, *shown))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            name=name,
            top=top,
            grounds=grounds,
            shown=shown,
            embedded=embedded,
            still=Markup(_shipped("still.css")),
            dark=Markup(_dark()),
            plotly=Markup(_packed() if embedded else get_plotlyjs()) if drawn else "",
            styles=Markup("\n".join(map(_shipped, STYLES))),
            scripts=Markup("\n".join(map(_shipped, SCRIPTS))),
            version=_version(),
            terms=TERMS if explained else {},
        )
    )


@lru_cache
def _packed() -> str:
    """Plotly's script, packed: a third of its size, which a notebook keeps with each result."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


@lru_cache
def _environment() -> Environment:
    loader = PackageLoader("undertow.show", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"decades": decades, "distance": distance, "kind": _kind, "prose": _prose, "widest": _widest}
    environment.filters |= {"still_map": still_map, "still_figure": still_figure, "highlighted": highlighted}
    return environment


def _dark() -> str:
    """The colours of the dark theme, for a page whose script does not choose."""
    return "{" + _shipped("page.css").partition('[data-theme="dark"] {')[2].partition("}")[0] + "}"


def _shipped(name: str) -> str:
    return files("undertow.show").joinpath("templates", name).read_text(encoding="utf-8")


def _kind(block: Block) -> str:
    """The name of the macro that draws a block."""
    return type(block).__name__.lower()


def _widest(bars: Bars) -> float:
    """The longest bar of an account, so that the others can be drawn against it."""
    sizes = [abs(bar.decades) for bar in bars.rows]
    return max([size for size in sizes if size < float("inf")], default=0.0) or 1.0


def _prose(text: str) -> Markup:
    """A sentence with what stands between backticks set as code."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def _version() -> str:
    try:
        return version("undertow")
    except PackageNotFoundError:
        return ""
