"""Write docs/diagnoses/ and docs/algebras/ (a page each, and an index) from the code, docs/coverage.md from runs."""

import inspect
from collections.abc import Mapping
from pathlib import Path

from benchmarks.gallery import measured
from docs import coverage
from undertow.diagnose import review  # noqa: F401  (it fills the table)
from undertow.diagnose.table import DIAGNOSES, Diagnosis
from undertow.engine.algebras import Gradient, Magnitude, MaxProduct, Rounded, Samples, Scaled

DOCS = Path(__file__).parent

MEASURED = """## Measured
On short trainings ([the gallery](../../benchmarks/gallery.md)), with 95 % intervals:
"""

ASKED = {
    Gradient: ("gradient", "undertow.backward(loss)"),
    Scaled: ("scaled", "undertow.sweep(loss, Scaled())"),
    Rounded: ("rounded", "undertow.precision(loss, torch.float16)"),
    Magnitude: ("magnitude", "undertow.sweep(loss, Magnitude())"),
    MaxProduct: ("max-product", 'undertow.strongest_path(loss, "0.weight")'),
    Samples: ("per-sample", "undertow.per_sample_norms(losses, model)"),
}
"""Of each algebra its page, and how it is asked."""


def folders() -> dict[str, dict[str, str]]:
    """The text of each page, by folder and file name."""
    return {"diagnoses": pages(), "algebras": algebras()}


def algebras() -> dict[str, str]:
    """The text of each page about an algebra, and their index."""
    texts = {algebra: inspect.getdoc(algebra) or "" for algebra in ASKED}
    head = [
        "# Algebras",
        "",
        "What can travel backward from a loss: one table of local derivatives, and for each algebra another quantity.",
        "",
        "| algebra | what arrives | asked by |",
        "| --- | --- | --- |",
    ]
    rows = [f"| [{page}]({page}.md) | {texts[a].splitlines()[0]} | `{call}` |" for a, (page, call) in ASKED.items()]
    written = {f"{page}.md": _about(a, page, call, texts[a]) for a, (page, call) in ASKED.items()}
    return {"index.md": "\n".join([*head, *rows, ""])} | written


def _about(algebra: type, name: str, call: str, text: str) -> str:
    asked = f"Asked by `{call}`; in the code `undertow.engine.algebras.{algebra.__name__}`."
    return f"# The {name} algebra\n\n{asked}\n\n{text}\n"


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    return {"index.md": index()} | {f"{code}.md": page(DIAGNOSES[code]) for code in sorted(DIAGNOSES)}


def page(diagnosis: Diagnosis) -> str:
    text = diagnosis.page.replace("\n## ", "\n\n## ").replace("\n\n\n", "\n\n")
    effects = [f"[{code} {DIAGNOSES[code].name}]({code}.md)" for code in sorted(diagnosis.explains)]
    explains = f"\n\n## What it brings about\n{', '.join(effects)}." if effects else ""
    head = f"# {diagnosis.code} {diagnosis.name}\n\nFamily: {diagnosis.family}."
    return f"{head}\n\n{text}{explains}\n\n## Source\n{diagnosis.source}\n\n{MEASURED}\n{measured(diagnosis.code)}\n"


def index() -> str:
    rows = [
        f"| [{code}]({code}.md) | {found.name} | {found.family} | {found.page.splitlines()[0]} |"
        for code, found in sorted(DIAGNOSES.items())
    ]
    head = [
        "# Diagnoses",
        "",
        "What Undertow can find. Each page is also printed by `undertow explain CODE`.",
        "",
        "| code | name | family | what it is |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """These pages and no others."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text)


def main() -> None:
    for name, texts in folders().items():
        write(DOCS / name, texts)
    (DOCS / "coverage.md").write_text(coverage.page())


if __name__ == "__main__":
    main()
