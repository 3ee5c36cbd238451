"""Files stay short and calls narrow; what does not is named here, with the reason."""

import ast

import pytest

from .root import MODULES, PACKAGE, dotted

MOST_LINES = 300
MOST_PARAMETERS = 6

LONGER: dict[str, str] = {}

WIDER = {
    "undertow.cli.forecast.forecast": "one parameter for each option of the command line",
    "undertow.cli.landscape.landscape": "one parameter for each option of the command line",
    "undertow.cli.run.run": "one parameter for each option of the command line",
    "undertow.store.writer.observed": "one parameter for each column of the table it writes",
}


def functions(path):
    """Name and number of parameters of each function of a file, `self` and `cls` left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            parameters = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            yield f"{dotted(path)}.{node.name}", sum(p.arg not in {"self", "cls"} for p in parameters)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_one_can_read_at_a_sitting(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES or dotted(path) in LONGER


def test_no_function_takes_more_than_a_handful_of_parameters():
    wide = {name for path in MODULES for name, count in functions(path) if count > MOST_PARAMETERS}
    assert wide == set(WIDER)


def test_the_list_of_longer_files_is_not_longer_than_it_must_be():
    lengths = {dotted(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name for name in LONGER if lengths[name] <= MOST_LINES} == set(), "short enough: strike them off"
