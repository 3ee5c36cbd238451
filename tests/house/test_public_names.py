import ast
import inspect

import pytest

import undertow
from undertow import errors

from .root import MODULES, PACKAGE, dotted


def listed(path):
    """What a file says is public, or None."""
    for statement in ast.parse(path.read_text()).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return ast.literal_eval(statement.value)
    return None


def in_order(name):
    """Constants, then classes, then functions, as Ruff sorts them."""
    return not name.isupper(), not name[0].isupper(), name


def test_the_package_shows_what_it_lists_and_nothing_else():
    assert dir(undertow) == sorted(undertow.__all__)
    assert not any(inspect.ismodule(getattr(undertow, name)) for name in undertow.__all__)


@pytest.mark.parametrize("name", undertow.__all__)
def test_every_public_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(undertow, name))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_list_of_public_names_is_sorted_and_true(path):
    names = listed(path)
    if names is not None:
        assert names == sorted(names, key=in_order)
        module = __import__(dotted(path), fromlist=["_"])
        assert all(hasattr(module, name) for name in names)


def test_the_tree_of_errors_is_drawn_as_it_is():
    drawn = {word for line in errors.__doc__.splitlines() for word in line.split() if word.endswith("Error")}
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert drawn == defined
    assert all(issubclass(getattr(errors, name), errors.UndertowError) for name in defined)
