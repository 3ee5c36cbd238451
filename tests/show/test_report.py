import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import plotly.graph_objects as go
import pytest
from rich.console import Console

from tests.show import runs
from undertow.show import explain_page, print_review, runs_table, write_report
from undertow.show.blocks import Block, Decades, Figure, FlowMap
from undertow.show.figures import activations, depth, gradients
from undertow.show.moments import moments
from undertow.show.report import report
from undertow.show.still_figure import still_figure
from undertow.show.terminal import RENDERERS
from undertow.show.traces import axis, line
from undertow.show.words import decades, distance, duration, number, plain, sentence, short_operation

MADE = {
    "sigmoids": runs.sick,
    "residual": runs.healthy,
    "transformer": runs.healthy,
    "deep": runs.sick,
    "functional": runs.healthy,
    "gan": runs.healthy,
    "not_finite": runs.hostile,
    "empty": runs.nothing,
}


@pytest.fixture(scope="module", params=MADE)
def judged(request, tmp_path_factory):
    run = getattr(runs, request.param)(tmp_path_factory.mktemp(request.param) / "run")
    return run, MADE[request.param](run)


def printed(run, review, width=100):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        print_review(run, review, console)
    return console.export_text()


class Page(HTMLParser):
    """What a page asks of the network, and its scripts of data."""

    def __init__(self, text):
        super().__init__()
        self.asked, self.data, self._script = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        asked = [known.get(name) for name in ("src", "href") if known.get(name)]
        self.asked += [address for address in asked if not address.startswith(("data:", "#"))]
        self._script = tag == "script" and known.get("type") == "application/json"

    def handle_data(self, data):
        if self._script:
            self.data.append(data)
            self._script = False


def test_every_run_makes_a_page_that_holds_all_it_needs(judged, tmp_path):
    path = write_report(*judged, tmp_path / "deep" / "report.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert page.asked == []
    assert path.stat().st_size < 6e6
    for data in page.data:
        json.loads(data, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_every_run_prints_a_review(judged):
    run, review = judged
    text = printed(run, review)
    assert "Report: undertow report run" in text
    if review.cause is not None:
        assert review.cause.code in text


def test_the_screen_fits_a_screen(tmp_path):
    run = runs.sigmoids(tmp_path / "run")
    text = printed(run, runs.sick(run))
    assert len(text.splitlines()) <= 50
    for words in (
        "UT101",
        "vanishing-gradient",
        "11 · Sigmoid · train.py:14",
        "by operation",
        "by module",
        "What to do",
    ):
        assert words in text


def test_every_kind_of_block_can_be_drawn_on_a_page_and_every_judgement_on_a_terminal(judged):
    drawn = {macro for macro in re.findall(r"macro (\w+)\(block\)", _template()) if macro != "head"}
    assert drawn == {kind.__name__.lower() for kind in Block.__subclasses__()}
    run, review = judged
    pictures = {Figure, FlowMap}
    assert {type(block) for block in report(run, review)} - pictures - set(RENDERERS) <= {_table()}


def _template():
    from undertow.show.page import _shipped

    return _shipped("blocks.html.j2")


def _table():
    from undertow.show.blocks import Table

    return Table


def test_every_figure_is_one_that_plotly_accepts(judged):
    def coloured(value):
        if isinstance(value, str) and value.startswith("@"):
            return "#000000"
        if isinstance(value, dict):
            return {key: coloured(item) for key, item in value.items()}
        return [coloured(item) for item in value] if isinstance(value, (list, tuple)) else value

    for block in report(*judged):
        if isinstance(block, Figure):
            go.Figure(coloured(list(block.data)), coloured(dict(block.layout)))


def test_accounts_sum_to_the_total(judged):
    for block in report(*judged):
        if isinstance(block, Decades):
            for account in block.accounts:
                sums = sum(bar.decades for bar in account.rows) + account.rest
                assert sums == pytest.approx(block.total, abs=0.005 * (1 + len(account.rows) + account.others))


def test_the_pass_that_the_cause_names_is_shown_first(tmp_path):
    run = runs.sigmoids(tmp_path / "run")
    cause = runs.sick(run).cause
    named = replace(cause, evidence={"step": 39, "weight": "4.weight"})
    first = moments(run, named)[0]
    assert (first.seen.step, first.target) == (39, "4.weight")
    assert moments(run, None)[0].target == "0.weight"


def test_both_sites_of_a_gan_are_shown(tmp_path):
    sources = {moment.source for moment in moments(runs.gan(tmp_path / "run"), None)}
    assert sources == {"gan.py:31", "gan.py:38"}


def test_weights_stand_from_the_input_to_the_loss(tmp_path):
    run = runs.residual(tmp_path / "run")
    (figure,) = depth(run)
    names = list(figure.data[0]["x"])
    assert names[0] == "stem.weight"
    assert names[-1] == "head.weight"
    assert names.index("blocks.0.fc1.weight") < names.index("blocks.0.fc2.weight") < names.index("blocks.2.fc1.weight")


def test_a_gradient_that_is_zero_everywhere_draws_no_empty_figure(tmp_path):
    run = runs.residual(tmp_path / "run")
    for update in run.updates:
        update.gradient[:] = 0
    assert not list(depth(run))
    assert not list(gradients(run))


def test_a_second_cause_comes_with_what_would_tell_them_apart(tmp_path):
    run = runs.residual(tmp_path / "run")
    review = runs.sick(run)
    other = replace(review.cause, code="UT501", name="rate-too-high", message="Steps overshoot.")
    text = printed(run, replace(review, findings=(review.cause, other), apart="A run at a tenth of the rate."))
    assert "UT501" in text
    assert "A run at a tenth of the rate." in text


def test_markup_in_names_is_text(tmp_path):
    run = runs.residual(tmp_path / "run")
    page = write_report(run, runs.hostile(run), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "<script>document.title" not in page
    assert "[bold]" in printed(run, runs.hostile(run))


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path):
    run = runs.empty(tmp_path / "run")
    path = write_report(run, runs.nothing(run), tmp_path / "report.html")
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [path.name]
    with pytest.raises(OSError, match=r"exists|directory"):
        write_report(run, runs.nothing(run), path / "report.html")
    assert "Undertow" in path.read_text(encoding="utf-8")


def test_the_facts_of_a_run_are_told_in_units(tmp_path):
    run = runs.sigmoids(tmp_path / "run")
    run.meta |= {
        "started": 1.7e9,
        "budget": 0.01,
        "observing": 0.125,
        "compiled": False,
        "argv": ["train.py", "--lr", "1"],
    }
    facts = dict(next(b for b in report(run, runs.sick(run)) if b.title == "This run").rows)
    assert facts["started"].startswith("2023-11-1")
    assert facts["budget for observing"] == "1 % of the time"
    assert facts["cost of observing"] == "1 % of the time"
    assert facts["command"] == "train.py --lr 1"
    assert facts["took"] == "12.5 s"


def test_the_page_says_where_it_is(tmp_path):
    run = runs.empty(tmp_path / "run")
    write_report(run, runs.nothing(run), run.folder / "report.html")
    assert str(run.folder / "report.html") in printed(run, runs.nothing(run), width=400)


def test_runs_are_listed_with_their_verdicts(tmp_path):
    run = runs.sigmoids(tmp_path / "bad", depth=3)
    (run.folder / "review.json").write_text(json.dumps(runs.sick(run).to_dict()))
    (runs.empty(tmp_path / "broken").folder / "review.json").write_text("{")
    console = Console(width=120)
    with console.capture() as caught:
        runs_table([run, runs.Run(tmp_path / "broken")], console)
        runs_table([], console)
        explain_page("UT101 vanishing-gradient", "## What it means\n\nIt `vanishes`.", console)
    text = caught.get()
    for words in ("sick UT101 vanishing-gradient", "not reviewed", "No runs yet", "What it means"):
        assert words in text


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (number(1234), "1,234"),
        (number(2743.7), "2,740"),
        (number(-0.00012345), "−0.000123"),
        (number(math.nan), "not a number"),
        (number(-math.inf), "−infinite"),
        (decades(-3.456), "−3.46"),
        (decades(-0.001), "+0.00"),
        (decades(-123.4), "−123.4"),
        (decades(-math.inf), "−∞"),
        (distance(-9.45), "9.45 decades smaller (about 2.8 billion times)"),
        (distance(0.3), "0.30 decades larger (about 2 times)"),
        (duration(12.5), "12.5 s"),
        (duration(3725), "1 h 2 min"),
        (duration(math.nan), "unknown"),
        (plain({"a": [1, True, math.inf]}), "a 1, yes, infinite"),
        (short_operation("SigmoidBackward0"), "Sigmoid"),
        (short_operation("AccumulateGrad"), "AccumulateGrad"),
        (short_operation("Backward"), "Backward"),
        (sentence("the gradient is small"), "The gradient is small."),
        (sentence("fc.weight is not held"), "fc.weight is not held."),
        (sentence(""), ""),
    ],
)
def test_numbers_are_told_in_words(made, told):
    assert made == told


def test_every_figure_of_lines_has_a_still_picture_within_its_frame(judged):
    for block in report(*judged):
        if isinstance(block, Figure):
            still = still_figure(block)
            named = block.layout["yaxis"].get("type") == "category"
            assert (still is None) == (named or any(trace["type"] == "bar" for trace in block.data))
            for path, *_ in [] if still is None else [*still.lines, *still.areas]:
                assert all(0 <= float(place) <= 1000 for place in re.findall(r"[0-9.]+", path))


def test_a_still_picture_has_every_peak_and_every_gap_of_its_lines():
    x = list(range(20_000))
    y = [None if 9_000 < at < 9_500 else 50.0 if at == 12_345 else 1.0 for at in x]
    figure = Figure("", "", [line(x, [math.nan if v is None else v for v in y], "loss", "@line", 1)], LINES)
    (path, tone, _, _), *others = still_figure(figure).lines
    assert tone == "var(--line)"
    assert not others
    assert path.count("M") == 2
    heights = [float(point.split()[1]) for point in re.split("[ML]", path)[1:]]
    assert min(heights) == pytest.approx(1000 * 0.04 / 1.08, abs=1)


LINES = {"xaxis": axis("step"), "yaxis": axis("loss")}


def test_activations_that_all_let_the_gradient_pass_are_told_and_not_drawn(tmp_path):
    run = runs.residual(tmp_path / "run")
    (first, *_) = moments(run, None)
    clear = [replace(a, flat=np.zeros(a.units, bool), flat_share=0.0) for a in first.seen.activations]
    (told,) = activations([replace(first, seen=replace(first.seen, activations=clear))])
    assert "all let the gradient pass" in told.paragraphs[0]


def test_why_an_account_is_not_that_of_the_evidence_is_said(tmp_path):
    run = runs.sigmoids(tmp_path / "run")
    review = runs.sick(run)
    evidence = {"parameter": "0.weight", "decades": -30.0, "uses": 60}
    told = replace(review, cause=replace(review.cause, evidence=evidence))
    notes = [next(b.note for b in report(run, r) if isinstance(b, Decades)) for r in (review, told)]
    assert "used 60 times" not in notes[0]
    assert "used 60 times" in notes[1]
    assert "−30.0 decades" in notes[1]
