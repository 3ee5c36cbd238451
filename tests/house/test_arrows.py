"""Imports point one way only: down this list to up."""

import ast
import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import undertow

from .root import MODULES, PACKAGE, dotted

LAYERS = {
    "undertow.errors": (),
    "undertow.shown": ("plotly",),
    "undertow.engine": ("undertow.shown", "undertow.errors", "torch"),
    "undertow.noise": ("undertow.shown", "undertow.engine", "undertow.errors", "torch", "numpy", "scipy"),
    "undertow.derivation": ("undertow.shown", "undertow.engine", "undertow.errors", "torch"),
    "undertow.linear": ("undertow.engine", "undertow.errors", "torch", "numpy", "scipy"),
    "undertow.store": ("undertow.shown", "undertow.engine", "undertow.errors", "numpy"),
    "undertow.observe": ("undertow.engine", "undertow.store", "undertow.errors", "torch", "numpy"),
    "undertow.diagnose": (
        "undertow.shown",
        "undertow.engine.flow",
        "undertow.engine.graph",
        "undertow.engine.plan",
        "undertow.store",
        "undertow.errors",
        "numpy",
        "scipy",
    ),
    "undertow.forecast": ("undertow.shown", "undertow.diagnose.outcome", "undertow.store", "undertow.errors", "numpy"),
    "undertow.curvature": (
        "undertow.shown",
        "undertow.engine.example",
        "undertow.engine.per_sample",
        "undertow.engine.reading",
        "undertow.linear",
        "undertow.noise",
        "undertow.errors",
        "numpy",
        "scipy",
        "torch",
    ),
    "undertow.landscape": (
        "undertow.shown",
        "undertow.curvature",
        "undertow.linear",
        "undertow.engine.batched",
        "undertow.engine.example",
        "undertow.preflight.untouched",
        "undertow.errors",
        "numpy",
        "scipy",
        "torch",
    ),
    "undertow.compare": ("undertow.shown", "undertow.diagnose", "undertow.store", "numpy"),
    "undertow.show": (
        "undertow.curvature",
        "undertow.derivation",
        "undertow.preflight",
        "undertow.noise",
        "undertow.standstill",
        "undertow.compare",
        "undertow.diagnose",
        "undertow.forecast",
        "undertow.landscape",
        "undertow.store",
        "undertow.engine",
        "undertow.errors",
        "jinja2",
        "markupsafe",
        "numpy",
        "plotly",
        "rich",
    ),
    "undertow.ranks": (),
    "undertow.api": (
        "undertow.diagnose",
        "undertow.forecast",
        "undertow.observe",
        "undertow.ranks",
        "undertow.store",
        "undertow.errors",
        "torch",
    ),
    "undertow.preflight": (
        "undertow.shown",
        "undertow.api",
        "undertow.diagnose",
        "undertow.engine.example",
        "undertow.errors",
        "numpy",
        "torch",
    ),
    "undertow.standstill": (
        "undertow.shown",
        "undertow.curvature",
        "undertow.engine.example",
        "undertow.linear",
        "undertow.noise",
        "undertow.preflight.untouched",
        "undertow.errors",
        "torch",
    ),
    "undertow.testing": (
        "undertow.api",
        "undertow.diagnose",
        "undertow.engine.example",
        "undertow.preflight",
        "torch",
    ),
    "undertow.launch": ("undertow.api", "undertow.errors"),
    "undertow.progress": ("undertow.api", "rich"),
    "undertow.cli": ("undertow", "rich", "torch", "typer"),
    "undertow.__main__": ("undertow.cli",),
    "undertow": ("lazy_loader",),
}
"""For each layer, what it may import besides itself and the standard library."""

WITHIN_THE_ENGINE = {
    "undertow.engine.maps": ("undertow.engine.maps", "torch"),
    "undertow.engine.calculus": ("undertow.engine.calculus", "undertow.engine.maps", "undertow.errors", "torch"),
    "undertow.engine.reading": ("torch",),
    "undertow.engine.graph": ("undertow.engine.reading", "undertow.errors", "torch"),
    "undertow.engine.saved": ("torch",),
    "undertow.engine.lifetimes": ("undertow.engine.graph", "undertow.engine.reading", "undertow.engine.saved"),
    "undertow.engine.schedule": ("undertow.engine.graph", "torch"),
    "undertow.engine.flow": ("undertow.shown", "undertow.engine.graph", "undertow.engine.plan"),
}
"""A new operation touches the calculus alone, and the graph and the flow are plain data."""

ON_DEMAND = ("undertow.compare", "undertow.curvature", "undertow.landscape", "undertow.standstill")
"""Folders named after what they offer, loaded when that is asked for."""


def imported(path):
    """Every module that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in {path}"
            yield node.module


def below(name, allowed):
    return any(name == prefix or name.startswith(prefix + ".") for prefix in allowed)


def layer(name, layers):
    return max((prefix for prefix in layers if below(name, (prefix,))), key=len, default=None)


def is_standard(name):
    return name.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_up_only(path):
    own = layer(dotted(path), LAYERS)
    wrong = [name for name in imported(path) if not is_standard(name) and not below(name, (*LAYERS[own], own))]
    assert not wrong, f"{own} may not import these"


@pytest.mark.parametrize("part", WITHIN_THE_ENGINE)
def test_the_parts_of_the_engine_know_as_little_as_they_can(part):
    for path in MODULES:
        if below(dotted(path), (part,)):
            wrong = [
                name for name in imported(path) if not is_standard(name) and not below(name, WITHIN_THE_ENGINE[part])
            ]
            assert not wrong, f"{path} may not import these"


def test_every_module_belongs_to_a_layer():
    names = {dotted(path) for path in MODULES}
    assert {layer(name, LAYERS) for name in names} == set(LAYERS)
    unplaced = [name for name in names if layer(name, LAYERS) == "undertow" and name != "undertow"]
    assert not unplaced


def test_observing_loads_nothing_that_only_judging_calculating_and_showing_need():
    loaded = "import sys, undertow; undertow.observe; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=120, check=True)
    kept_out = ("scipy", "plotly", "jinja2", "rich", "typer", "undertow.engine.calculus", "undertow.show")
    assert not [name for name in found.stdout.split() if below(name, (*kept_out, *ON_DEMAND))]


def test_a_name_that_a_folder_has_too_means_the_function():
    for path in MODULES:
        if path.stem != "__main__":
            importlib.import_module(dotted(path))
    assert set(ON_DEMAND) < {f"undertow.{name}" for name in undertow.__all__}
    assert not [name for name in undertow.__all__ if isinstance(getattr(undertow, name), ModuleType)]
