"""Several processes that train together, started as their users start them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import undertow
from tests.cli.test_run import python, run

TRAIN = """
import hashlib, pathlib, sys
import torch, torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
x, y = torch.randn(256, 16), torch.randint(4, (256,))
x[torch.arange(256), y] += 3

def train(wrap):
    torch.manual_seed(1)
    model = wrap(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = torch.Generator().manual_seed(rank)
    losses = []
    for step in range(40):
        batch = torch.randint(256, (16,), generator=batches)
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    parts = [getattr(p, "_local_tensor", p).detach().numpy().tobytes() for p in model.parameters()]
    return hashlib.sha256(repr(losses).encode() + b"".join(parts)).hexdigest()

"""

REPLICATED = """
from torch.nn.parallel import DistributedDataParallel
pathlib.Path(f"{sys.argv[1]}.{rank}").write_text(train(DistributedDataParallel))
"""

SHARDED = """
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
mesh = init_device_mesh("cpu", (2,))

def sharded(model):
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)

for name in sys.argv[1:]:
    pathlib.Path(f"{name}.{rank}").write_text(train(sharded))
"""

# A thread of gloo's that still lets go of the last reduced tensors while Python shuts down aborts the process (PyTorch
# 2.13, with or without Undertow); a barrier holds no tensor, and the wait is for the thread to take it up.
ENDED = """
import time
dist.barrier()
dist.destroy_process_group()
time.sleep(0.5)
"""

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch without distributed training")


def together(*words: str, folder: Path):
    return python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words, folder=folder)


def test_each_process_of_a_data_parallel_training_has_a_run_and_trains_the_same(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN + REPLICATED + ENDED)
    assert together("train.py", "alone", folder=tmp_path).returncode == 0
    watched = together("-m", "undertow", "run", "--name", "it", "train.py", "watched", folder=tmp_path)
    assert watched.returncode == 0
    for rank in (0, 1):
        assert (tmp_path / f"watched.{rank}").read_text() == (tmp_path / f"alone.{rank}").read_text()
    runs = tmp_path / "undertow-runs"
    assert {folder.name for folder in runs.iterdir()} == {"it", "it-rank1"}
    assert watched.stderr.count("This training is healthy") == 1
    assert "process 0 of 2" in watched.stderr
    for rank, name in enumerate(("it", "it-rank1")):
        stored = undertow.Run(runs / name)
        assert (stored.meta["rank"], stored.meta["ranks"]) == (rank, 2)
        assert undertow.review(stored).verdict == "healthy"
        assert stored.passes[0].flow.topology.leaves()
    assert json.loads((runs / "it" / "review.json").read_text())["verdict"] == "healthy"


def test_weights_in_pieces_are_not_observed_and_train_the_same(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN + SHARDED + ENDED)
    ended = together("-m", "undertow", "run", "--name", "it", "train.py", "met", "left", folder=tmp_path)
    assert ended.returncode == 0
    for rank in (0, 1):
        assert (tmp_path / f"met.{rank}").read_text() == (tmp_path / f"left.{rank}").read_text()
    for name in ("it", "it-rank1"):
        told = undertow.review(undertow.Run(tmp_path / "undertow-runs" / name))
        assert told.verdict == "undecided"
        assert any("spread over several processes" in note for note in told.notes)


def test_a_launcher_is_refused_with_what_to_write_instead(tmp_path: Path) -> None:
    ended = run("-m", "torch.distributed.run", "--standalone", "train.py", folder=tmp_path)
    assert ended.returncode == 1
    assert "-m undertow run train.py" in ended.stderr
    assert not (tmp_path / "undertow-runs").exists()


CHILDREN = """
import subprocess, sys
busy = "import time; [0 for _ in iter(lambda: time.process_time() < 1.2, False)]"
subprocess.run([sys.executable, "-c", busy], check=True)
"""


def test_what_child_processes_may_have_trained_is_said_to_be_unobserved(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(CHILDREN)
    ended = run("train.py", folder=tmp_path)
    assert ended.returncode == 0
    assert "No backward pass ran" in ended.stderr
    assert "Child processes" in ended.stderr
