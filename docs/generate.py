"""Write docs/diagnoses/ from the table of diagnoses (one page a code, and an index), and docs/coverage.md from runs."""

from pathlib import Path

from docs import coverage
from undertow.diagnose import review  # noqa: F401  (it fills the table)
from undertow.diagnose.table import DIAGNOSES, Diagnosis

FOLDER = Path(__file__).parent / "diagnoses"


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    return {"index.md": index()} | {f"{code}.md": page(DIAGNOSES[code]) for code in sorted(DIAGNOSES)}


def page(diagnosis: Diagnosis) -> str:
    text = diagnosis.page.replace("\n## ", "\n\n## ").replace("\n\n\n", "\n\n")
    effects = [f"[{code} {DIAGNOSES[code].name}]({code}.md)" for code in sorted(diagnosis.explains)]
    explains = f"\n\n## What it brings about\n{', '.join(effects)}." if effects else ""
    head = f"# {diagnosis.code} {diagnosis.name}\n\nFamily: {diagnosis.family}."
    return f"{head}\n\n{text}{explains}\n\n## Source\n{diagnosis.source}\n"


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


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text)
    (FOLDER.parent / "coverage.md").write_text(coverage.page())


if __name__ == "__main__":
    main()
