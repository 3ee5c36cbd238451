"""The pages say what is true: their code runs, their tables match the code, their links lead somewhere."""

import inspect
import re
from dataclasses import fields
from operator import attrgetter

import pytest
import torch
from torch import nn

from docs import coverage, generate
from undertow.diagnose import review  # noqa: F401  (it fills the table)
from undertow.diagnose.finding import Finding, Outcome, Possibility, Review, Symptom
from undertow.diagnose.table import DIAGNOSES
from undertow.engine import algebras

from .root import PACKAGE, PAGES, ROOT, blocks, executed

WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]


def named(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executed(blocks(page), str(page), **(what_a_reader_has() if page.name == "README.md" else {}))


def what_a_reader_has():
    """A model, a loss and a training, for code that speaks of the reader's own."""
    torch.manual_seed(0)
    inputs = torch.randn(32, 4)

    def network():
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def loss_of(model):
        return (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    def train():
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(50):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()

    model = network()
    return {
        "model": model,
        "loss": loss_of(model),
        "train": train,
        "loss_fn": nn.MSELoss(),
        "batch": (inputs, inputs.sum(1, keepdim=True)),
        "batches": [(inputs[part], inputs[part].sum(1, keepdim=True)) for part in (slice(0, 16), slice(16, 32))],
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose)
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


FOLDERS = generate.folders()


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_pages_of_a_folder_are_what_make_docs_writes(folder):
    generated = FOLDERS[folder]
    written = {path.name: path.read_text() for path in (ROOT / "docs" / folder).glob("*.md")}
    assert set(written) == set(generated)
    stale = [name for name in generated if written[name] != generated[name]]
    assert not stale, "run `make docs`"


ALGEBRAS = {
    kind for kind in vars(algebras).values() if isinstance(kind, type) and issubclass(kind, algebras.Algebra)
} - {algebras.Algebra}


def test_every_algebra_has_a_page():
    assert set(generate.ASKED) == ALGEBRAS


@pytest.mark.parametrize("algebra", sorted(ALGEBRAS, key=attrgetter("__name__")), ids=attrgetter("__name__"))
def test_an_algebra_says_what_its_result_means_how_it_errs_what_it_needs_and_whence_it_is(algebra):
    first, *rest = inspect.getdoc(algebra).split("\n\n## ")
    assert "\n" not in first
    assert first.endswith(".")
    assert [part.splitlines()[0] for part in rest] == ["What it means", "How it errs", "What it needs", "Source"]
    assert all(part.split("\n", 1)[1].strip() for part in rest)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
def test_the_page_of_what_is_covered_is_what_make_docs_writes():
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage.page(), "run `make docs`"


def documented(page, heading):
    """The names in the first column of the table below a heading."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", page.read_text(), re.DOTALL | re.MULTILINE)[1]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("The review", Review), ("A possibility", Possibility), ("A finding", Finding), ("The outcome", Outcome)],
)
def test_every_field_of_a_review_is_documented(heading, kind):
    assert documented(ROOT / "docs" / "review-format.md", heading) == [field.name for field in fields(kind)]


def test_the_fields_of_a_symptom_are_documented():
    text = (ROOT / "docs" / "review-format.md").read_text()
    assert "objects with " + ", ".join(f"`{field.name}`" for field in fields(Symptom)) in text


def test_every_table_of_the_store_is_documented():
    schema = (PACKAGE / "store" / "schema.sql").read_text()
    page = (ROOT / "docs" / "run-format.md").read_text()
    tables = {
        name: re.findall(r"(\w+) (?:TEXT|INTEGER|REAL|BLOB)", columns)
        for name, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\)[\s\w]*;", schema, re.DOTALL)
    }
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert {name: re.findall(r"`(\w+)`", cell) for name, cell in rows} == tables


def test_the_readme_names_every_diagnosis_under_its_family():
    rows = re.findall(r"^\| (\w+) \| (.*UT\d+.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {(family, code) for family, cell in rows for code in re.findall(r"\[(UT\d+)\]", cell)}
    assert named == {(found.family, code) for code, found in DIAGNOSES.items()}
