"""Results by themselves: framed for a notebook, as a page, as Plotly figures."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

from markupsafe import escape
from plotly.graph_objects import Figure as Picture

from undertow.compare import Comparison
from undertow.curvature import Density, Edge, Eigen
from undertow.curvature.trace import Trace
from undertow.derivation import Derivation
from undertow.diagnose import Review, review
from undertow.engine.flow import Flow
from undertow.engine.paths import Path as StrongestPath
from undertow.engine.per_sample import SampleNorms
from undertow.engine.precision import Precision
from undertow.errors import ShowError
from undertow.forecast import Forecast, Outlook
from undertow.landscape import Barrier, Slice
from undertow.noise import GradientNoise, NoiseOfBatch, NoiseOfRun, Tradeoff
from undertow.preflight import Preflight
from undertow.show import sweeps
from undertow.show.blocks import Block, Facts, Figure, FlowMap, Source, Table
from undertow.show.comparison import beside
from undertow.show.eigenvalues import edge_blocks, eigen_blocks, trace_blocks
from undertow.show.judgement import summed
from undertow.show.kept import plain_blocks
from undertow.show.landscape import path_blocks, slice_blocks
from undertow.show.noise import batch_blocks, noise_blocks, scale_blocks, tradeoff_blocks
from undertow.show.outlook import Question, fan_of, forecast_blocks, prospects
from undertow.show.page import page, written
from undertow.show.paint import painted
from undertow.show.preflight import preflight_blocks
from undertow.show.report import report
from undertow.show.source import source_blocks
from undertow.show.spectrum import spectrum_blocks
from undertow.show.standstill import standstill_blocks
from undertow.standstill import Standstill
from undertow.store import Run
from undertow.store.kept import keep

__all__ = ["blocks_of", "figure_of", "figures_of", "framed", "kept_with", "saved"]

TALL = 1400
"""Pixels above which a frame scrolls, until the page in it says how tall it is."""


@singledispatch
def blocks_of(result: Any) -> list[Block]:
    """What there is to show of a result, what comes first first.

    Raises:
        ShowError: Nothing is known of showing such a thing.
    """
    raise ShowError(f"there is no picture of a {type(result).__name__}\n  Print it, or look at its attributes.")


blocks_of.register(Slice, slice_blocks)
blocks_of.register(Barrier, path_blocks)
blocks_of.register(Comparison, beside)
blocks_of.register(Density, spectrum_blocks)
blocks_of.register(Standstill, standstill_blocks)
blocks_of.register(Eigen, eigen_blocks)
blocks_of.register(Edge, edge_blocks)
blocks_of.register(Trace, trace_blocks)
blocks_of.register(GradientNoise, scale_blocks)
blocks_of.register(NoiseOfBatch, batch_blocks)
blocks_of.register(NoiseOfRun, noise_blocks)
blocks_of.register(Tradeoff, tradeoff_blocks)
blocks_of.register(Preflight, preflight_blocks)
blocks_of.register(Derivation, source_blocks)
blocks_of.register(Flow, sweeps.flow_blocks)
blocks_of.register(StrongestPath, sweeps.path_blocks)
blocks_of.register(Precision, sweeps.precision_blocks)
blocks_of.register(SampleNorms, sweeps.sample_blocks)
blocks_of.register(Forecast, forecast_blocks)
blocks_of.register(Review, summed)


@blocks_of.register(Outlook)
def _outlook(seen: Outlook) -> list[Block]:
    first, _ = prospects(seen, Question())
    return [first, *fan_of(seen)]  # whose note says what stopping now would lose


@blocks_of.register(Run)
def _run(seen: Run) -> list[Block]:
    return report(seen, review(seen))


def figures_of(result: Any, dark: bool) -> list[Picture]:
    """Its pictures, in the colours of the page."""
    return [painted(block, dark) for block in blocks_of(result) if isinstance(block, Figure)]


def figure_of(result: Any, dark: bool) -> Picture:
    """Its first picture."""
    found = figures_of(result, dark)
    if not found:
        raise ShowError(f"{type(result).__name__} has no picture\n  Its page (`save`) is text alone.")
    return found[0]


def saved(result: Any, path: str | Path) -> Path:
    """Its page, written to a file."""
    return written(_page(result, embedded=False), path)


def kept_with(result: Any, folder: Path) -> Path:
    """Its blocks, kept in a run's folder for that run's report."""
    return keep(folder, type(result).__name__.lower(), plain_blocks(blocks_of(result)))


def framed(result: Any) -> str:
    """Its page in a frame, so that neither the notebook's styles nor its scripts meet those of the page."""
    source = escape(_page(result, embedded=True))
    grow = "this.style.height = this.contentDocument.documentElement.scrollHeight + 'px'"
    height = min(TALL, sum(_height(block) for block in blocks_of(result)))
    style = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe srcdoc="{source}" style="{style}" onload="{grow}"></iframe>'


def _page(result: Any, embedded: bool) -> str:
    top, *blocks = blocks_of(result)
    return page(type(result).__name__, top, [], blocks, embedded)


def _height(block: Block) -> int:
    """About how tall a block is."""
    match block:
        case Figure():
            return block.height + 130
        case FlowMap():
            return TALL
        case Source():
            return 120 + 20 * block.text.count("\n")
        case Facts() | Table():
            return 120 + 36 * len(block.rows)
        case _:
            return 160
