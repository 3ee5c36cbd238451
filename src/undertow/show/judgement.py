"""The part of a report that says what is wrong: what a terminal shows, and what a page begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from undertow.diagnose.finding import Finding, Review
from undertow.engine.flow import Attribution
from undertow.show.blocks import Bar, Bars, Block, Decades, Facts, Listing, Text, Verdict
from undertow.show.moments import Moment, moments
from undertow.show.words import TERMS, VERDICTS, plain, short_operation
from undertow.store.run import Run

__all__ = ["account", "judgement"]

MOST_BARS = 12
SMALLEST = 0.005


def judgement(run: Run, review: Review) -> list[Block]:
    """The verdict, its cause with the evidence, and what to do."""
    blocks: list[Block] = [_verdict(review)]
    if review.cause is not None:
        blocks += _cause(review.cause)
        if review.cause.family == "signal":
            blocks += [account(moment) for moment in moments(run, review.cause)[:1] if moment.account is not None]
        blocks += _aftermath(review.cause)
    others = [finding for finding in review.findings if finding is not review.cause]
    blocks += _findings("It could also be this", review.apart, others)
    blocks += _findings("Worth knowing", "Faults that this run survives.", review.remarks)
    if review.notes:
        blocks.append(Listing("Limits of this review", items=tuple(("", note) for note in review.notes)))
    return blocks


def _verdict(review: Review) -> Verdict:
    cause = review.cause
    return Verdict(
        title=VERDICTS[review.verdict],
        note=review.summary,
        verdict=review.verdict,
        code=cause.code if cause else "",
        name=cause.name if cause else "",
        where=_place(cause) if cause else (),
    )


def _place(finding: Finding) -> tuple[str, ...]:
    return tuple(filter(None, (finding.module, short_operation(finding.operation), finding.source)))


def _cause(cause: Finding) -> Iterator[Block]:
    yield Text("What was seen", paragraphs=(cause.message,))
    numbers = [(key, plain(value)) for key, value in cause.evidence.items() if not isinstance(value, Mapping)]
    tables = [(key, _pairs(value)) for key, value in cause.evidence.items() if isinstance(value, Mapping) and value]
    if numbers or tables:
        yield Facts("The evidence", rows=tuple(numbers + tables))


def _pairs(table: Mapping[str, object]) -> str:
    shown = [f"{short_operation(str(key)) or '(no module)'} {plain(value)}" for key, value in list(table.items())[:6]]
    return " · ".join(shown) + (f" · and {len(table) - 6} more" if len(table) > 6 else "")


def _aftermath(cause: Finding) -> Iterator[Block]:
    if cause.advice:
        yield Text("What to do", paragraphs=(cause.advice,))
    if cause.symptoms:
        items = tuple((f"{symptom.code} {symptom.name}", symptom.message) for symptom in cause.symptoms)
        yield Listing("Explained by this cause", "Seen as well, and expected to go with it.", items)


def _findings(title: str, note: str, findings: Sequence[Finding]) -> Iterator[Block]:
    items = tuple((f"{f.code} {f.name}", _sentence(f)) for f in findings)
    if items:
        yield Listing(title, note, items)


def _sentence(finding: Finding) -> str:
    place = " · ".join(_place(finding))
    return " ".join(filter(None, (finding.message, f"({place})" if place else "", finding.advice)))


def account(moment: Moment) -> Decades:
    """The account of where a gradient gained and lost its size, three ways."""
    if moment.account is None:
        raise ValueError(f"the pass of step {moment.seen.step} gave no parameter a finite gradient to account for")
    return Decades(
        title="Where the gradient gained and lost its size",
        note=f"{TERMS['decade']} Every account sums to the same total, exactly.",
        target=moment.target,
        total=moment.account.total,
        accounts=tuple(_accounts(moment.account)),
    )


def _accounts(attribution: Attribution) -> Iterator[Bars]:
    yield _bars("operation", {short_operation(name): brought for name, brought in attribution.by_operation().items()})
    yield _bars("module", {name or "(outside modules)": brought for name, brought in attribution.by_module().items()})
    lines = {name or "(line not recorded)": brought for name, brought in attribution.by_source().items()}
    if len(lines) > 1:
        yield _bars("line", lines)


def _bars(by: str, sums: Mapping[str, float]) -> Bars:
    ranked = sorted(sums.items(), key=lambda item: -abs(item[1]))
    kept = [item for item in ranked[:MOST_BARS] if abs(item[1]) >= SMALLEST]
    rows = tuple(Bar(label, brought) for label, brought in sorted(kept, key=lambda item: item[1]))
    return Bars(by, rows, len(ranked) - len(kept), sum(brought for _, brought in ranked[len(kept) :]))
