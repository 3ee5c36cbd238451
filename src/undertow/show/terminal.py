"""Blocks as text on a terminal, by Rich."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text as Line

from undertow.compare import Comparison
from undertow.diagnose.finding import Review
from undertow.forecast import Outlook
from undertow.show.blocks import Bars, Block, Decades, Facts, Listing, Text, Verdict
from undertow.show.comparison import beside
from undertow.show.judgement import judgement
from undertow.show.outlook import Question, prospects
from undertow.show.words import clock, decades, duration
from undertow.store.run import Run

__all__ = ["comparison_screen", "explain_page", "outlook_screen", "print_review", "runs_table"]

COLOURS = {"sick": "red", "healthy": "green", "undecided": "yellow", "not-applicable": "blue"}
SIGNS = {"sick": "✗", "healthy": "✓", "undecided": "?", "not-applicable": "–"}
MOST_ROWS = 5


def print_review(run: Run, review: Review, console: Console) -> None:
    """Print one screen: the verdict, its cause and evidence, what to do, and where the report is."""
    for block in judgement(run, review):
        console.print(RENDERERS[type(block)](block))
    console.print(Line.assemble((_whereabouts(run), "dim")), soft_wrap=True)


def outlook_screen(seen: Outlook, question: Question) -> RenderableType:
    """Where a run is going, and what was asked of it."""
    return Group(*[RENDERERS[type(block)](block) for block in prospects(seen, question)])


def comparison_screen(seen: Comparison) -> RenderableType:
    """What differs between two runs."""
    return Group(*[RENDERERS[type(block)](block) for block in beside(seen) if type(block) in RENDERERS])


def _whereabouts(run: Run) -> str:
    page = run.folder / "report.html"
    return f"Report: {_from_here(page)}" if page.is_file() else f"Report: undertow report {run.name}"


def _from_here(path: Path) -> Path:
    """Shorter, where it lies below the working directory, if there still is one."""
    with suppress(OSError, ValueError):
        return path.relative_to(Path.cwd())
    return path


def _verdict(block: Verdict) -> RenderableType:
    colour = COLOURS[block.verdict]
    lines: list[RenderableType] = [Line(block.note)]
    if block.code:
        cause = Line.assemble("Cause  ", (f"{block.code} ", f"bold {colour}"), (block.name, "bold"))
        lines += [Line(), cause]
    if block.where:
        lines.append(Line.assemble("Where  ", " · ".join(block.where)))
    title = Line(f"{SIGNS[block.verdict]} {block.title}", style=f"bold {colour}")
    return Panel(Group(*lines), title=title, title_align="left", border_style=colour, padding=(0, 1))


def _headed(block: Block, body: Iterable[RenderableType]) -> RenderableType:
    return Group(Line(block.title, style="bold"), *(Padding(part, (0, 0, 0, 2)) for part in body), Line())


def _text(block: Text) -> RenderableType:
    return _headed(block, map(Line, block.paragraphs))


def _facts(block: Facts) -> RenderableType:
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in block.rows:
        grid.add_row(Line(name), Line(value))
    return _headed(block, [*_noted(block), grid])


def _noted(block: Block) -> list[RenderableType]:
    return [Line(block.note, style="dim")] if block.note else []


def _listing(block: Listing) -> RenderableType:
    grid = Grid.grid(padding=(0, 1))
    for label, words in block.items[: block.brief]:
        grid.add_row("•", Line.assemble((f"{label}  " if label else "", "bold"), words))
    if len(block.items) > block.brief:
        grid.add_row("", Line(f"and {len(block.items) - block.brief} more, in the report", style="dim"))
    return _headed(block, [*_noted(block), grid])


def _decades(block: Decades) -> RenderableType:
    head = Line.assemble(
        (block.target, "bold"),
        f": {decades(block.total)} decades from the loss to here ",
        ("(−1 is ten times smaller)", "dim"),
    )
    return _headed(block, [head, Columns([_account(bars) for bars in block.accounts[:2]], padding=(0, 4))])


def _account(bars: Bars) -> RenderableType:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column(f"by {bars.by}", max_width=34, no_wrap=True)
    grid.add_column("decades", justify="right")
    kept = sorted(bars.rows, key=lambda bar: -abs(bar.decades))[:MOST_ROWS]
    for bar in sorted(kept, key=lambda bar: bar.decades):
        colour = "red" if bar.decades < -0.5 else "cyan" if bar.decades > 0.5 else ""
        grid.add_row(Line(bar.label), Line(decades(bar.decades), style=colour))
    if bars.others or len(bars.rows) > MOST_ROWS:
        rest = bars.rest + sum(bar.decades for bar in bars.rows) - sum(bar.decades for bar in kept)
        grid.add_row(Line("all others", style="dim"), Line(decades(rest), style="dim"))
    return grid


RENDERERS: Mapping[type[Block], Callable[[Any], RenderableType]] = {
    Decades: _decades,
    Facts: _facts,
    Listing: _listing,
    Text: _text,
    Verdict: _verdict,
}


ROOMY = 100
"""Columns from which on a table of runs has room for when they began, which their names tell as well."""


def runs_table(runs: Iterable[Run], console: Console) -> None:
    """Print the runs there are: name, when, length, state, and the verdict where one was reached."""
    heads = [head for head in COLUMNS if head != "started" or console.width >= ROOMY]
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        grid.add_column(head, justify="right" if head in {"steps", "took"} else "left", overflow="fold")
    for run in runs:
        grid.add_row(*[COLUMNS[head](run) for head in heads])
    if grid.row_count:
        console.print(grid)
    else:
        console.print("No runs yet: `undertow run train.py` makes one.", markup=False)


def _judged(run: Run) -> Line:
    try:
        review = json.loads((run.folder / "review.json").read_text())
    except (OSError, ValueError):
        return Line("not reviewed", style="dim")
    verdict, cause = str(review.get("verdict", "")), review.get("cause") or {}
    words = " ".join(filter(None, (verdict, cause.get("code"), cause.get("name"))))
    return Line(words, style=COLOURS.get(verdict, ""))


COLUMNS: Mapping[str, Callable[[Run], Line]] = {
    "run": lambda run: Line(run.name, style="bold"),
    "started": lambda run: Line(clock(run.meta.get("started"))),
    "steps": lambda run: Line(f"{run.steps:,}"),
    "took": lambda run: Line(duration(float(run.meta.get("seconds", "nan")))),
    "state": lambda run: Line(run.state),
    "verdict": _judged,
}


def explain_page(title: str, markdown: str, console: Console) -> None:
    """Print the page of a diagnosis."""
    console.print(Line(title, style="bold"), Line(), Markdown(markdown), sep="\n")
