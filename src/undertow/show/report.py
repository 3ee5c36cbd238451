"""A run and its review as a sequence of blocks: the verdict, the pictures, the particulars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from undertow.diagnose.finding import Review
from undertow.diagnose.labels import LABELS
from undertow.show import figures
from undertow.show.blocks import Block, Decades, Facts, Listing, Table, Text
from undertow.show.flowmap import flow_map
from undertow.show.judgement import account, judgement
from undertow.show.kept import kept_blocks
from undertow.show.moments import Moment, moments
from undertow.show.outlook import fan
from undertow.show.signal import signal_and_noise
from undertow.show.words import clock, duration, number, plain
from undertow.store.records import OptimizerState, Parameter
from undertow.store.run import Run
from undertow.store.updates import Updates

__all__ = ["judged", "pictures", "report"]

TIMES = {"seconds", "observing"}
FACTS = {
    "argv": "command",
    "started": "started",
    "state": "ended",
    "seconds": "took",
    "steps": "optimizer steps",
    "passes": "backward passes",
    "observing": "spent on observing",
    "budget": "budget for observing",
    "compiled": "compiled",
    "torch": "torch",
    "python": "Python",
    "device": "device",
    "threads": "threads",
}
"""What is known of a run as a whole, in the order it is told."""
EVENTS = {
    "birth": "first non-finite value",
    "cut": "gradient cut",
    "compiled": "compiled region",
    "checkpointed": "checkpointed region",
    "exception": "ended by an exception",
    "interrupted": "interrupted",
    "fault": "a fault of Undertow's own",
    "no-backward": "no backward pass",
}
MOST_EVENTS = 30


def report(run: Run, review: Review) -> list[Block]:
    """Everything there is to show of a run, the verdict first."""
    return [*judged(run, review), *pictures(run, review)]


def judged(run: Run, review: Review) -> list[Block]:
    """The judgement; the account that belongs to its evidence comes under the flow map instead."""
    return [block for block in judgement(run, review) if not isinstance(block, Decades)]


def pictures(run: Run, review: Review) -> list[Block]:
    """What a report shows after the judgement: flow map, account, figures, what was kept, the particulars."""
    shown = moments(run, review.cause)
    return [*_flow(run, review, shown), *_drawn(run, review, shown), *kept_blocks(run), *_particulars(run)]


def _flow(run: Run, review: Review, shown: Sequence[Moment]) -> Iterator[Block]:
    if not shown:
        yield Text("The flow map", paragraphs=("No backward pass was observed in full, so there is no flow to draw.",))
        return
    yield flow_map(shown, run.parameters, review.cause)
    told = next((moment for moment in shown if moment.account is not None), None)
    if told is None:
        words = "No parameter received a gradient that is finite and not zero, so there is nothing to account for."
        yield Text("Where the gradient gained and lost its size", paragraphs=(words,))
    else:
        yield account(told, review.cause)


def _drawn(run: Run, review: Review, shown: Sequence[Moment]) -> Iterator[Block]:
    yield from figures.losses(run, review)
    # What is not meant to fall has no way down to foretell; an outlook that was kept is shown as it was then.
    if review.outcome.kind != "unknown" and "outlook" not in run.results:
        yield from fan(run)
    yield from figures.depth(run)
    yield from figures.gradients(run)
    yield from figures.ratios(run)
    yield from signal_and_noise(run)
    yield from figures.activations(shown)


def _particulars(run: Run) -> Iterator[Block]:
    if run.parameters:
        yield _parameters(run)
    if run.events:
        items = tuple(
            (f"step {e.step:,}: {EVENTS.get(e.kind, e.kind)}", _told(e.facts)) for e in run.events[:MOST_EVENTS]
        )
        more = f" The first {MOST_EVENTS} of {len(run.events)}." if len(run.events) > MOST_EVENTS else ""
        yield Listing("Events", f"Things that happened once.{more}", items)
    yield Facts("This run", rows=(*_facts(run), *map(_optimizer, run.optimizers)))


def _told(facts: Mapping[str, object]) -> str:
    kept = {key: value for key, value in facts.items() if key != "traceback"}
    return plain({LABELS.get(key, key.replace("_", " ")): value for key, value in kept.items()})


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    known = {"steps": run.steps} | run.meta | {"state": run.state}
    yield "run", run.name
    for key, words in FACTS.items():
        if key in known:
            yield words, _fact(key, known[key])
    yield "passes observed in full", number(len(run.passes))
    yield "steps with updates measured", number(len(run.updates))
    spent, took = run.meta.get("observing"), run.meta.get("seconds")
    if isinstance(spent, float) and isinstance(took, float) and took > 0:
        yield "cost of observing", f"{100 * spent / took:.2g} % of the time"
    yield "parameters", f"{sum(p.size for p in run.parameters):,} numbers in {len(run.parameters):,} tensors"


def _fact(key: str, value: object) -> str:
    if key in TIMES and isinstance(value, (int, float)):
        return duration(float(value))
    if key == "started":
        return clock(value)
    if key == "budget" and isinstance(value, (int, float)):
        return f"{100 * value:.2g} % of the time"
    return " ".join(map(str, value)) if isinstance(value, list) else plain(value)


def _optimizer(state: OptimizerState) -> tuple[str, str]:
    settings = ", ".join(f"{key} {plain(value)}" for key, value in state.settings.items() if value is not None)
    return f"optimizer {state.kind}", settings or "settings not recorded"


def _parameters(run: Run) -> Table:
    last = run.updates[-1] if run.updates else None
    return Table(
        title="Parameters",
        note=(
            "In the order they were met. Norms are overall sizes at the last sampled step; the update ratio is how far "
            "that step moved the parameter, over its size; silent is the share of entries whose gradient was zero."
        ),
        columns=("parameter", "kind", "shape", "held by", "weight norm", "gradient norm", "update ratio", "silent"),
        rows=tuple(_parameter(run, number, p, last) for number, p in enumerate(run.parameters)),
        numbers=frozenset({4, 5, 6, 7}),
    )


def _parameter(run: Run, place: int, parameter: Parameter, last: Updates | None) -> tuple[str, ...]:
    shape = "×".join(map(str, parameter.shape)) or "scalar"
    return (parameter.name, parameter.kind, f"{shape} {parameter.dtype}", _holder(run, parameter), *_sizes(place, last))


def _holder(run: Run, parameter: Parameter) -> str:
    if not parameter.trainable:
        return "frozen"
    if not 0 <= parameter.optimizer < len(run.optimizers):
        return "no optimizer"
    return run.optimizers[parameter.optimizer].kind


def _sizes(place: int, last: Updates | None) -> tuple[str, ...]:
    if last is None:
        return ("", "", "", "")
    weight, gradient, update, silent = (float(v[place]) for v in (last.weight, last.gradient, last.update, last.silent))
    ratio = update / weight if weight > 0 else np.nan
    return (_cell(weight), _cell(gradient), _cell(ratio), "" if np.isnan(silent) else f"{100 * silent:.3g} %")


def _cell(value: float) -> str:
    return "" if np.isnan(value) else number(value)
