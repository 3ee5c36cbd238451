"""A step observed in full over a plain step, ours and others': `python -m benchmarks.observe [--peers]`.

One thread, the ways compared one after the other in every round, medians of the ratios within a round.
Peers are measured where they can be imported; install them apart, after torch, so that nothing pulls another torch in.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from benchmarks.models import MODELS, Task

SECONDS = float(os.environ.get("SECONDS", "20"))
FEWEST = 5
BURST = 0.25
"""Seconds of steps that one way runs at a time: long enough to settle, short enough to meet the same weather."""

Way = Callable[[nn.Module, Optimizer], AbstractContextManager[Callable[[Any], None]]]
"""Attaches to a model for a burst of steps; what it yields is called with the loss after each backward pass."""


def plain(model: nn.Module, optimizer: Optimizer) -> AbstractContextManager[Callable[[Any], None]]:
    return nullcontext(lambda _: None)


@contextmanager
def ours(model: nn.Module, optimizer: Optimizer) -> Iterator[Callable[[Any], None]]:
    import undertow

    with tempfile.TemporaryDirectory() as folder, undertow.observe(every=1, store=Path(folder) / "run"):
        yield lambda _: None


@contextmanager
def wandb_watch(model: nn.Module, optimizer: Optimizer) -> Iterator[Callable[[Any], None]]:
    import wandb

    with tempfile.TemporaryDirectory() as folder:
        run = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True, console="off"))
        run.watch(model, log="all", log_freq=1)
        yield lambda loss: run.log({"loss": float(loss.detach())})
        run.unwatch(model)
        run.finish()


@contextmanager
def torchmortem_thorough(model: nn.Module, optimizer: Optimizer) -> Iterator[Callable[[Any], None]]:
    from torchmortem import Autopsy

    with Autopsy(model, optimizer=optimizer, sampling="thorough") as autopsy:
        yield lambda loss: autopsy.step(loss=float(loss.detach()))


@contextmanager
def neural_observatory(model: nn.Module, optimizer: Optimizer) -> Iterator[Callable[[Any], None]]:
    from neural_observatory import Observatory, ObservatoryConfig

    every = {"activation_sample_rate": 1, "gradient_sample_rate": 1, "parameter_sample_rate": 1}
    observatory = Observatory(model, config=ObservatoryConfig(**every, stats_only_mode=True))
    observatory.watch()
    steps = count()
    observatory.step(step=next(steps), epoch=0)
    yield lambda _: observatory.step(step=next(steps), epoch=0)
    observatory.stop()


WAYS: dict[str, Way] = {"Undertow, every step": ours}
PEERS: dict[str, Way] = {
    "W&B watch, log=all": wandb_watch,
    "torchmortem, thorough": torchmortem_thorough,
    "neural-observatory": neural_observatory,
}


def burst(task: Task, optimizer: Optimizer, way: Way, warm: int = 3) -> float:
    """Seconds of the median step of a burst; the first steps, which learn names, are left out."""
    times: list[float] = []
    with way(task.model, optimizer) as tell:
        end = time.perf_counter() + BURST
        while len(times) < warm + 5 or time.perf_counter() < end:
            began = time.perf_counter()
            loss = task.loss()
            optimizer.zero_grad()
            loss.backward()
            tell(loss)
            optimizer.step()
            times.append(time.perf_counter() - began)
    return statistics.median(times[warm:])


def ratios(make: Callable[[], Task], ways: dict[str, Way]) -> tuple[float, dict[str, list[float]]]:
    """The plain step in seconds, and for each way its ratios to it."""
    task = make()
    optimizer = torch.optim.SGD(task.model.parameters(), 1e-3)
    found: dict[str, list[float]] = {name: [] for name in ways}
    alone = []
    end = time.perf_counter() + SECONDS
    while len(alone) < FEWEST or time.perf_counter() < end:
        alone.append(burst(task, optimizer, plain))
        for name, way in ways.items():
            found[name].append(burst(task, optimizer, way) / alone[-1])
    return statistics.median(alone), found


def available(ways: dict[str, Way]) -> dict[str, Way]:
    """The ways that work here; the others are told."""
    found = {}
    for name, way in ways.items():
        model = nn.Linear(2, 2)
        try:
            with way(model, torch.optim.SGD(model.parameters(), 0.1)):
                found[name] = way
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__}: {error}", file=sys.stderr)
    return found


def whole_run(width: int, steps: int = 1000) -> tuple[float, float]:
    """What a run of steps of about 10 ms costs at the default budget: in processor time, and by our own account."""
    import undertow

    spent = [_trained(width, steps, nullcontext())]
    with tempfile.TemporaryDirectory() as folder:
        spent.append(_trained(width, steps, undertow.observe(store=Path(folder) / "run")))
        meta = undertow.Run(Path(folder) / "run").meta
    return spent[1] / spent[0] - 1, meta["observing"] / meta["seconds"]


def _trained(width: int, steps: int, watch: Any) -> float:
    """Processor seconds: other busy processes disturb them less than they disturb the clock."""
    torch.manual_seed(0)
    net = _net(width)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    x = torch.randn(128, width)
    began = time.process_time()
    with watch:
        for _ in range(steps):
            loss = net(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.process_time() - began


def _net(width: int) -> nn.Module:
    return nn.Sequential(*(nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(6)))


def _width_for(seconds: float) -> int:
    for width in range(128, 2048, 64):
        net, x = _net(width), torch.randn(128, width)
        began = time.perf_counter()
        for _ in range(5):
            net(x).square().mean().backward()
        if (time.perf_counter() - began) / 5 > seconds:
            return width
    return 2048


LASTING = 6.0
"""Seconds of training over which the peak of memory is taken."""


def memory(name: str) -> list[float]:
    """Peak memory of a process that trains, observed at the default budget, over that of one that does not, less 1."""
    found = []
    for _ in range(3):
        peaks = [
            int(subprocess.run([sys.executable, "-m", "benchmarks.observe", "--peak", name, way], **CAPTURED).stdout)
            for way in ("plain", "observed")
        ]
        found.append(peaks[1] / peaks[0] - 1)
    return found


CAPTURED: dict[str, Any] = {"capture_output": True, "text": True, "check": True}


def peak(name: str, way: str) -> int:
    """Of this process, which trains first, with what `import undertow` takes only if it observes."""
    task = MODELS[name]()
    optimizer = torch.optim.SGD(task.model.parameters(), 1e-3)
    with tempfile.TemporaryDirectory() as folder, _observed(Path(folder)) if way == "observed" else nullcontext():
        end = time.perf_counter() + LASTING
        while time.perf_counter() < end:
            loss = task.loss()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1])  # getrusage would tell the parent's peak, which a child inherits


def _observed(folder: Path) -> AbstractContextManager[Any]:
    import undertow

    return undertow.observe(store=folder / "run")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    if "--peak" in sys.argv:
        print(peak(*sys.argv[-2:]))
        return
    os.environ.setdefault("WANDB_SILENT", "true")
    ways = WAYS | (available(PEERS) if "--peers" in sys.argv else {})
    print("A step observed in full, over a plain step (median of ratios; first and third quartile).\n")
    print("| model | plain step | " + " | ".join(ways) + " |")
    print("| --- | --- | " + " | ".join("---" for _ in ways) + " |")
    for name, make in MODELS.items():
        alone, found = ratios(make, ways)
        cells = []
        for values in found.values():
            low, middle, high = statistics.quantiles(values, n=4)
            cells.append(f"{middle:.2f} ({low:.2f}–{high:.2f})")
        print(f"| {name} | {1e3 * alone:.1f} ms | " + " | ".join(cells) + " |", flush=True)
    width = _width_for(0.010)
    runs = [whole_run(width) for _ in range(7)]
    processor, own = statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)
    print(f"\nWhole run, budget 1 %, 1,000 steps of about 10 ms: {100 * processor:.1f} % more processor time; ", end="")
    print(f"by our own account {100 * own:.1f} %.")
    print(
        "\nPeak memory of the process at the default budget, over that of a plain one (least to most of three pairs):\n"
    )
    for name in MODELS:
        least, middle, most = (100 * more for more in sorted(memory(name)))
        print(f"- {name}: {middle:+.1f} % ({least:+.1f} to {most:+.1f})", flush=True)


if __name__ == "__main__":
    main()
