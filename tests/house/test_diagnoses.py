"""What holds for each diagnosis in the table."""

import inspect
import re
import string

import pytest

from undertow.diagnose.review import APART, CHECKS
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


def test_what_tells_two_apart_is_said_of_known_codes_in_order():
    assert all(set(pair) <= set(DIAGNOSES) and list(pair) == sorted(pair) for pair in APART)
