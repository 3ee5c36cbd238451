"""Results that are kept with a run, and shown in its report."""

import json

import pytest
import torch
from torch import nn

import undertow
from tests.show import results, runs
from undertow.errors import StoreError
from undertow.show import write_report
from undertow.show.kept import plain_blocks
from undertow.show.notebook import blocks_of
from undertow.show.report import report
from undertow.store import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return runs.sigmoids(tmp_path_factory.mktemp("kept") / "run")


MADE = {
    "standstill": results.standing,
    "noiseofrun": results.noise,
    "density": lambda: undertow.curvature(results.model(), results.cross_entropy, results.batch()).density(),
    "slice": lambda: results.slices(("random", "gradient"), 5),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_kept_is_shown_in_the_report_as_it_shows_itself(name, run, tmp_path):
    made = MADE[name]()
    assert made.keep(run).stem == name
    again = Run(run.folder)
    blocks = blocks_of(made)
    shown = report(again, runs.sick(again))
    assert plain_blocks(blocks) == again.results[name]
    assert {block.title for block in blocks} <= {block.title for block in shown}
    page = write_report(again, runs.sick(again), tmp_path / "report.html").read_text()
    assert all(block.title.partition("'")[0] in page for block in blocks)


def saddle():
    """A product of two layers that are zero: its gradient is zero, and its curvature is not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4, bias=False), nn.Linear(4, 3, bias=False))
    for layer in model:
        nn.init.zeros_(layer.weight)
    inputs = torch.randn(48, 6)
    targets = inputs @ torch.randn(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    return undertow.standstill(model, nn.functional.mse_loss, [(inputs, targets)], optimizer)


def test_the_way_off_a_saddle_is_drawn():
    stands = saddle()
    assert stands.kind == "saddle"
    drawn = next(block for block in blocks_of(stands) if "negative curvature" in block.title)
    ahead, back = drawn.data
    assert max(ahead["y"] + back["y"]) == pytest.approx(stands.escape.fall)
    assert (stands.escape.length, stands.escape.fall) in stands.escape.looks
    assert len(ahead["x"]) + len(back["x"]) == len(stands.escape.looks)


def test_of_one_kind_the_last_is_kept(run):
    made = results.standing()
    assert made.keep(run) == made.keep(run)
    assert [*Run(run.folder).results].count("standstill") == 1


def test_a_damaged_result_is_named(run, tmp_path):
    made = runs.sigmoids(tmp_path / "run")
    (tmp_path / "run" / "results").mkdir()
    (tmp_path / "run" / "results" / "standstill.json").write_text(json.dumps([1])[:-1])
    with pytest.raises(StoreError, match=r"standstill\.json cannot be read"):
        _ = made.results
