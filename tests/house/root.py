"""Where the repository is, and how its pages are read and run."""

import contextlib
import io
import re
from pathlib import Path
from unittest.mock import patch

from undertow.engine.calculus import CALCULUS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "undertow"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md")])


def dotted(path):
    """The name by which a file of the package is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def executed(code, name, **given):
    """Run some code as a program and return what it printed; rules that it states are forgotten afterwards."""
    printed = io.StringIO()
    with patch.dict(CALCULUS), contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {"__name__": "__main__", **given})
    return printed.getvalue()


def blocks(page):
    """The Python code of a page, as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
