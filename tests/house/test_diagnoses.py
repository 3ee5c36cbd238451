"""What holds for each diagnosis in the table."""

import inspect
import re
import string

import pytest

from benchmarks.gallery import records
from tests.gallery.table import load
from undertow.diagnose.causes import _APART, CERTAIN, EFFECTS, FEEDBACK, POSSIBLE, STAGES
from undertow.diagnose.review import CHECKS
from undertow.diagnose.table import DIAGNOSES, FAMILIES, explain

GIVEN = {"where", "at", "operation", "module", "source", "harm"}
REMEDIES = re.compile(r"(add|avoid|call|check|clip|divide|fix|lower|move|normalise|raise|reduce|remove|set|use|zero)-")

each = pytest.mark.parametrize("found", DIAGNOSES.values(), ids=lambda found: found.code)


@each
def test_has_a_page_that_says_what_it_means_when_it_is_harmless_and_what_to_do(found):
    headings = re.findall(r"^## (.*)$", found.page, re.MULTILINE)
    assert headings == ["What it means", "When it is harmless", "What to do"]
    title, *sections = re.split(r"^## .*$", found.page, flags=re.MULTILINE)
    assert title.strip().endswith(".")
    assert "\n" not in title.strip(), "the first line stands alone in the index"
    assert all(section.strip() for section in sections)


@each
def test_names_its_source(found):
    assert found.source.strip()


@each
def test_is_named_after_the_fault_and_not_after_the_remedy(found):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", found.name)
    assert not REMEDIES.match(found.name)


@each
def test_belongs_to_a_family(found):
    assert found.family == FAMILIES[found.code[:3]]


@each
def test_explains_known_codes_and_not_itself(found):
    assert found.explains <= set(DIAGNOSES) - {found.code}


@each
@pytest.mark.parametrize("part", ["message", "advice"])
def test_its_templates_ask_for_what_the_check_tells(found, part):
    fields = {name for _, name, _, _ in string.Formatter().parse(getattr(found, part)) if name is not None}
    assert all(name.isidentifier() for name in fields)
    told = set(re.findall(r"[\"'](\w+)[\"']\s*:|\b(\w+)=", inspect.getsource(inspect.getmodule(found.check))))
    assert fields <= GIVEN | {name for pair in told for name in pair}


@each
def test_is_found_by_its_code_and_by_its_name(found):
    assert explain(found.code.lower()) == explain(found.name) == explain(found.code)
    title, page = explain(found.code)
    assert title == f"{found.code} {found.name}"
    assert found.page in page
    assert found.source in page


def test_each_check_belongs_to_a_module_that_the_review_runs():
    assert {inspect.getmodule(found.check) for found in DIAGNOSES.values()} == set(CHECKS)


def stage_of(code):
    return next(stage for stage, codes in STAGES.items() if code in codes)


def test_each_diagnosis_has_its_stage_and_its_effects():
    assert sorted(code for codes in STAGES.values() for code in codes) == sorted(DIAGNOSES)
    assert set(EFFECTS) == set(DIAGNOSES)
    assert set(POSSIBLE) <= set(DIAGNOSES)


def test_nothing_brings_about_what_stands_before_it():
    order = [*STAGES]
    wrong = [
        (cause, effect)
        for cause, effects in EFFECTS.items()
        for effect in effects
        if order.index(stage_of(effect)) < order.index(stage_of(cause)) and stage_of(effect) not in FEEDBACK
    ]
    assert not wrong


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in FEEDBACK])
def test_within_a_stage_that_training_does_not_close_nothing_goes_round_in_a_circle(stage):
    left = {code: EFFECTS[code] & STAGES[stage] for code in STAGES[stage]}
    while done := [code for code, effects in left.items() if not effects & set(left)]:
        for code in done:
            del left[code]
    assert not left


def test_what_is_certain_was_written_by_a_person():
    assert STAGES["program"] == CERTAIN


def test_what_tells_two_apart_is_said_of_known_codes_in_order():
    assert all(set(pair) <= set(DIAGNOSES) and list(pair) == sorted(pair) for pair in _APART)


def test_what_has_no_diagnosis_is_said_to_have_none():
    of = {family: {code for code, found in DIAGNOSES.items() if found.family == family} for family in FAMILIES.values()}
    assert of["dynamics"] == {"UT701", "UT702", "UT703", "UT704", "UT705", "UT706", "UT707", "UT708"}
    assert of["transfer"] == {"UT901", "UT902"}


def test_what_was_published_of_the_gallery_is_of_the_gallery_as_it_is():
    runs = load()
    published = [*records("build"), *records("judge")]
    assert {(r["name"], r["planted"], r["split"]) for r in published} <= {
        (c.name, c.code, c.split) for c in runs.values()
    }
    assert sum(r["planted"] is not None for r in published) >= 150
    assert sum(r["planted"] is None for r in published) >= 150
