"""Seconds that reading and reviewing a long run takes: `python -m benchmarks.review [STEPS [EVERY]]`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import undertow

BLOCKS = 166
"""Of three modules each, with the first and the last layer: 500 modules."""

TIMES = 5


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.activation = nn.Linear(16, 16), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.activation(self.linear(x))


def train(folder: Path, steps: int, every: int | None) -> undertow.Run:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 16), *[Block() for _ in range(BLOCKS)], nn.Linear(16, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    inputs = torch.randn(512, 16)
    labels = inputs[:, :4].argmax(1)
    with undertow.observe(store=folder, every=every):
        for _ in range(steps):
            batch = torch.randint(512, (16,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    return undertow.Run(folder)


def main(steps: str = "10000", every: str = "") -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = train(Path(folder) / "run", int(steps), int(every) if every else None)
        size = sum(file.stat().st_size for file in (Path(folder) / "run").iterdir())
        taken = []
        for _ in range(TIMES):
            started = time.perf_counter()
            verdict = undertow.review(undertow.Run(Path(folder) / "run")).verdict
            taken.append(time.perf_counter() - started)
        print(f"{run.steps} steps, {len(run.passes)} of them observed, {3 * BLOCKS + 2} modules, {size / 1e6:.1f} MB")
    print(f"review ({verdict}): median {statistics.median(taken):.2f} s, {min(taken):.2f} to {max(taken):.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
