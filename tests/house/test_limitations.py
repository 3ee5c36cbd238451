"""Every row of LIMITATIONS.md names the tests that show it to be true."""

import ast
import re

import pytest

from .root import ROOT

PAGE = ROOT / "LIMITATIONS.md"
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| (?!---|context)", line)]


def named_tests(row):
    """File and name of each test in the row's last cell; `::name` alone continues the file before it."""
    file = None
    for path, name in re.findall(r"`([\w/.]*)::(\w+)[^`]*`", row):
        file = path or file
        yield file, name


def defined(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_row_names_tests_that_exist(row):
    tests = list(named_tests(row))
    assert tests
    missing = [name for path, name in tests if name not in defined(ROOT / path)]
    assert not missing


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_row_says_works_partly_or_not(row):
    assert re.match(r"(works|partly|not|untested)\b", row.split("|")[2].strip())
