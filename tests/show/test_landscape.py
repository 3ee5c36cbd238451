import json
import re

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from undertow.landscape import Barrier, Evaluation, Grid
from undertow.landscape.evaluate import Way
from undertow.show import write_landscape
from undertow.show.blocks import Facts, Figure
from undertow.show.landscape import path_blocks, slice_blocks


def model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def batch():
    torch.manual_seed(1)
    return torch.randn(12, 4), torch.randint(3, (12,))


def figures(blocks):
    return {block.title: block for block in blocks if isinstance(block, Figure)}


def test_map_and_surface_hold_the_numbers_with_the_first_direction_across():
    seen = undertow.landscape(model(), cross_entropy, batch(), grid=[Grid(-2, 2, 4), Grid(-1, 1, 3)])
    drawn = figures(slice_blocks(seen))
    for title in ("Map", "Surface"):
        trace = drawn[title].data[0]
        np.testing.assert_array_equal(np.array(trace["customdata"]), seen.losses.T)
        assert (len(trace["x"]), len(trace["y"])) == (4, 3)


def test_the_least_loss_and_the_trajectory_are_marked_where_they_are():
    one = model()
    seen = undertow.landscape(one, cross_entropy, batch(), grid=Grid(-1, 1, 5))
    track = seen.track([{name: p + seen.plane.directions[0][name] / 2 for name, p in one.named_parameters()}])
    traces = {trace.get("name", ""): trace for trace in figures(slice_blocks(seen, track))["Map"].data}
    least = next(trace for name, trace in traces.items() if name.startswith("least"))
    assert (least["x"][0], least["y"][0]) == seen.minimum[0]
    trail = traces["trajectory, projected"]
    np.testing.assert_allclose([trail["x"][0], trail["y"][0]], [0.5, 0], atol=1e-5)


def test_what_was_interpolated_says_so_with_its_error():
    seen = undertow.landscape(
        model(), cross_entropy, batch(), ("gradient",), Grid(0, 1, 101), Evaluation(tolerance=0.1)
    )
    facts = dict(next(block for block in slice_blocks(seen) if isinstance(block, Facts)).rows)
    assert "polynomial" in facts["evaluated"]
    assert "its greatest relative error, by points held out" in facts


def test_losses_that_are_no_numbers_are_gaps(tmp_path):
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        return cross_entropy(outputs, targets) * (torch.nan if len(calls) % 3 == 0 else 1)

    seen = undertow.landscape(model(), loss, batch(), grid=Grid(-1, 1, 5))
    assert np.isnan(seen.losses).any()
    page = write_landscape(seen, tmp_path / "slice.html").read_text()
    specs = [json.loads(spec) for spec in re.findall(r'<script[^>]*class="spec"[^>]*>(.*?)</script>', page, re.S)]
    assert specs[0]["data"][0]["z"][0].count(None) + sum(row.count(None) for row in specs[0]["data"][0]["z"][1:])


def test_the_top_of_a_path_is_marked_with_its_height_if_there_is_one():
    for middle in (3.0, 1.0):
        seen = Barrier(np.array([0.0, 0.5, 1.0]), np.array([1.0, middle, 2.0]), "stored", Way(1))
        curve = figures(path_blocks(seen))["Loss on the path"].data
        marks = [trace for trace in curve if trace["mode"] == "markers"]
        assert [mark["x"] for mark in marks] == ([[0.5]] if middle == 3 else [])
        np.testing.assert_array_equal(curve[0]["y"], seen.losses)
