"""The part of a report that says what is wrong: what a terminal shows, and what a page begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from undertow.diagnose.finding import Finding, Review
from undertow.diagnose.labels import LABELS
from undertow.engine.flow import Attribution
from undertow.show.blocks import Bar, Bars, Block, Decades, Facts, Listing, Text, Verdict
from undertow.show.moments import Moment, moments, named_weight
from undertow.show.words import TERMS, VERDICTS, decades, plain, sentence, short_operation
from undertow.store.run import Run

__all__ = ["account", "judgement", "summed"]

MOST_BARS = 12
SMALLEST = 0.005
SAME = 0.2
"""Decades within which the evidence and an account are about the same thing."""


def judgement(run: Run, review: Review) -> list[Block]:
    """The verdict, its cause with the evidence, and what to do."""
    blocks: list[Block] = [_verdict(review)]
    if review.cause is not None:
        accounts = list(_account_of(run, review.cause))
        if (
            sentence(review.cause.message) not in sentence(review.summary)
            and review.cause.message not in review.summary
        ):
            blocks.append(Text("What was seen", paragraphs=(sentence(review.cause.message),)))
        blocks += [*_evidence(review.cause, tables=not accounts), *accounts, *_aftermath(review.cause)]
    others = [finding for finding in review.findings if finding is not review.cause]
    blocks += _findings("It could also be this", review.apart, others)
    blocks += _findings("Worth knowing", "Faults that this run survives.", review.remarks)
    if review.against:
        blocks.append(Listing("What speaks against it", items=tuple(("", sentence(told)) for told in review.against)))
    if review.possible:
        others_possible = tuple((sentence(told.what), told.decides) for told in review.possible)
        blocks.append(Listing("What else is possible, and what would decide", items=others_possible))
    if review.notes:
        blocks.append(Listing("Limits of this review", items=tuple(("", sentence(note)) for note in review.notes)))
    return blocks


def summed(review: Review) -> list[Block]:
    """A review without its run: the verdict, and what to do."""
    aftermath = _aftermath(review.cause) if review.cause is not None else ()
    notes = tuple(("", sentence(note)) for note in review.notes)
    return [_verdict(review), *aftermath, *([Listing("Limits of this review", items=notes)] if notes else [])]


def _verdict(review: Review) -> Verdict:
    cause = review.cause
    return Verdict(
        title=VERDICTS[review.verdict],
        note=sentence(review.summary),
        verdict=review.verdict,
        code=cause.code if cause else "",
        name=cause.name if cause else "",
        where=_place(cause) if cause else (),
    )


def _place(finding: Finding) -> tuple[str, ...]:
    return tuple(filter(None, (finding.module, short_operation(finding.operation), finding.source)))


def _account_of(run: Run, cause: Finding) -> Iterator[Decades]:
    """The account of the gradient that the evidence is about, if it is about one."""
    told = cause.evidence.get("decades")
    for moment in moments(run, cause)[:1]:
        if moment.account is None or not named_weight(moment.seen.flow, cause):
            continue
        if not isinstance(told, (int, float)) or abs(told - moment.account.total) < SAME:
            yield account(moment)


def _evidence(cause: Finding, *, tables: bool) -> Iterator[Facts]:
    """The facts, without words that are told elsewhere; short tables on request."""
    told = f"{cause.message} {cause.advice}"
    facts = {LABELS.get(key, key.replace("_", " ")): value for key, value in cause.evidence.items()}
    rows = [
        (key, plain(value)) for key, value in facts.items() if not isinstance(value, Mapping) and not _in(told, value)
    ]
    if tables:
        rows += [(key, _pairs(value)) for key, value in facts.items() if isinstance(value, Mapping) and value]
    if rows:
        yield Facts("The evidence", rows=tuple(rows))


def _in(told: str, value: object) -> bool:
    """Whether a fact is a sentence that is told already; names and numbers may be told twice."""
    return isinstance(value, str) and " " in value and value in told


def _pairs(table: Mapping[str, object]) -> str:
    weighty = [(key, value) for key, value in table.items() if not isinstance(value, float) or abs(value) >= SMALLEST]
    shown = [f"{short_operation(str(key)) or '(no module)'} {plain(value)}" for key, value in weighty[:6]]
    return " · ".join(shown) + (f" · and {len(weighty) - 6} more" if len(weighty) > 6 else "")


def _aftermath(cause: Finding) -> Iterator[Block]:
    if cause.advice:
        yield Text("What to do", paragraphs=(sentence(cause.advice),))
    if cause.symptoms:
        items = tuple((f"{symptom.code} {symptom.name}", sentence(symptom.message)) for symptom in cause.symptoms)
        yield Listing("Explained by this cause", "Seen as well, and expected to go with it.", items)


def _findings(title: str, note: str, findings: Sequence[Finding]) -> Iterator[Block]:
    items = tuple((f"{f.code} {f.name}", _sentence(f)) for f in findings)
    if items:
        yield Listing(title, note, items)


def _sentence(finding: Finding) -> str:
    place = " · ".join(_place(finding))
    return " ".join(filter(None, (sentence(finding.message), f"({place})" if place else "", sentence(finding.advice))))


def account(moment: Moment, cause: Finding | None = None) -> Decades:
    """The account of where a gradient gained and lost its size, three ways."""
    if moment.account is None:
        raise ValueError(f"the pass of step {moment.seen.step} gave no parameter a finite gradient to account for")
    return Decades(
        title="Where the gradient gained and lost its size",
        note=f"At step {moment.seen.step:,}. {TERMS['decade']} Every account sums to the same total, exactly."
        f"{_summed_over_uses(moment.account.total, cause)}",
        target=moment.target,
        total=moment.account.total,
        accounts=tuple(_accounts(moment.account)),
    )


def _summed_over_uses(total: float, cause: Finding | None) -> str:
    """Why the account of a weight that is used many times is not that of the evidence."""
    facts = cause.evidence if cause is not None else {}
    uses, told = facts.get("uses"), facts.get("decades")
    if not isinstance(uses, int) or not isinstance(told, (int, float)) or abs(told - total) < SAME:
        return ""
    return (
        f" The weight is used {uses} times, and its gradient is the sum over its uses: those nearest the loss make it "
        f"up. The {decades(told)} decades of the evidence are what is left of the gradient at its first use."
    )


def _accounts(attribution: Attribution) -> Iterator[Bars]:
    yield _bars("operation", {short_operation(name): brought for name, brought in attribution.by_operation().items()})
    yield _bars("module", {name or "(outside modules)": brought for name, brought in attribution.by_module().items()})
    if len(lines := attribution.by_source()) > 1:
        yield _lines(lines)


def _lines(lines: Mapping[str, float]) -> Bars:
    """By line of the user's code, without the name of the file where there is only one."""
    files = {source.rpartition(":")[0] for source in lines if source}
    if len(files) > 1:
        return _bars("line", {source or "(line not recorded)": brought for source, brought in lines.items()})
    told = {source: f"line {source.rpartition(':')[2]}" if source else "(not recorded)" for source in lines}
    return _bars(f"line of {PurePath(*files).name}", {told[source]: brought for source, brought in lines.items()})


def _bars(by: str, sums: Mapping[str, float]) -> Bars:
    ranked = sorted(sums.items(), key=lambda item: -abs(item[1]))
    kept = [item for item in ranked[:MOST_BARS] if abs(item[1]) >= SMALLEST]
    rows = tuple(Bar(label, brought) for label, brought in sorted(kept, key=lambda item: item[1]))
    rest = sum(brought for _, brought in ranked[len(kept) :])
    return Bars(by, rows, len(ranked) - len(kept) if abs(rest) >= SMALLEST else 0, rest)
