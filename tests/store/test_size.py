"""Law: a run stays small, 20 MB for 10,000 steps of a model of 200 modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

import undertow
from undertow.engine.graph import Graph
from undertow.engine.plan import Plan
from undertow.observe import Sampler, probes
from undertow.observe.batches import Batches
from undertow.observe.conditions import conditions
from undertow.observe.roster import Roster
from undertow.store.records import Probed
from undertow.store.updates import PAIR_COLUMNS, UPDATE_COLUMNS
from undertow.store.writer import Writer, facts_of


def test_ten_thousand_steps_of_two_hundred_modules_fit_into_20_megabytes(tmp_path: Path) -> None:
    net = nn.Sequential(*(layer for _ in range(100) for layer in (nn.Linear(8, 8), nn.ReLU())))
    graph = Graph.read(net(torch.randn(32, 8)).square().mean())
    plan = Plan(graph.topology())
    random = np.random.default_rng(0)
    writer = Writer(tmp_path / "run")
    writer.sites(["train.py:10"])
    writer.topology(0, plan.topology)
    head, inputs = probes.loss_head(graph), [*probes.inputs(graph)]
    noted = conditions(graph, head, None, Roster(), Batches())
    probed = [*probes.activations(graph)]
    sampler = Sampler()
    count = sum(1 for _ in net.parameters())
    writer.begin()
    for step in range(10_000):
        writer.losses([(step, 0, float(random.random()), step * 0.05)])
        if sampler.wants(step, step * 0.05, 0.0):
            sampler.observed(step, 0.001)
            sizes = dict(enumerate(random.lognormal(size=plan.keys)))
            activations = probed if step % 4 == 0 else []
            told = facts_of([1.0], 1.0, Probed(head, None, activations, inputs, noted if activations else None))
            writer.observed(step, 0, 0, 1.0, sizes, plan.keys, told)
            writer.updates(step, {name: random.lognormal(size=count) for name in UPDATE_COLUMNS})
        if sampler.wants_pair(step, step * 0.05):
            sampler.paired(step, 0.0001)
            writer.pair(step, {name: random.lognormal(size=count) for name in PAIR_COLUMNS})
    writer.commit()
    writer.close()
    stored = sum(file.stat().st_size for file in (tmp_path / "run").iterdir())
    run = undertow.Run(tmp_path / "run")
    assert len(run.passes) > 50
    assert stored <= 20e6
    print(f"{stored / 1e6:.1f} MB, {len(run.passes)} samples")
