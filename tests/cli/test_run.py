"""`undertow run`: the script's own arguments, output, exceptions and exit status, and a review afterwards."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import undertow
from undertow.errors import StoreError

TRAIN = """
import sys, os, pickle, time
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
class Net(torch.nn.Linear):
    pass
net = Net(4, 1)
assert type(pickle.loads(pickle.dumps(net))) is Net
optimizer = torch.optim.SGD(net.parameters(), 0.01)
for step in range(int(os.environ.get("STEPS", 30))):
    loss = (net(torch.randn(8, 4)) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(float(os.environ.get("PAUSE", 0)))
print(__name__, sys.argv[1:], sys.path[0], __file__, os.getcwd(), float(loss))
print("told on stderr", file=sys.stderr)
"""

ENDINGS = {
    "falls off its end": "",
    "raises": "def inner():\n    raise ValueError('mine')\ninner()",
    "raises in a backward pass": "loss.backward()",
    "exits with a number": "sys.exit(3)",
    "exits with words": "sys.exit('no good')",
    "exits well": "sys.exit()",
    "is interrupted": "import signal; signal.raise_signal(signal.SIGINT)",
    "is terminated": "os.kill(os.getpid(), 15); time.sleep(5)",
}


def python(*words: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"} | options.pop("env", {})
    )
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **options
    )


def run(*words: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return python("-m", "undertow.cli", "run", *words, folder=folder, **options)


def stored(folder: Path) -> undertow.Run:
    (found,) = (folder / "undertow-runs").iterdir()
    return undertow.Run(found)


@pytest.mark.parametrize("ending", ENDINGS)
def test_output_exit_status_and_traceback_are_the_scripts_own(ending: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN + ENDINGS[ending])
    alone = python("train.py", "--lr", "1", "-m", folder=tmp_path)
    watched = run("--no-report", "train.py", "--lr", "1", "-m", folder=tmp_path)
    assert watched.stdout == alone.stdout
    assert watched.stderr == alone.stderr
    assert watched.returncode == alone.returncode
    assert stored(tmp_path).steps == 30


def test_a_review_follows_on_stderr_and_in_the_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    watched = run("--store", "kept", "--name", "mine", "--every-step", "train.py", folder=tmp_path)
    assert watched.returncode == 0
    assert "report.html" in watched.stderr
    folder = tmp_path / "kept" / "mine"
    assert json.loads((folder / "review.json").read_text())["verdict"] in {"sick", "healthy", "undecided"}
    assert (folder / "report.html").stat().st_size > 1000
    assert len(undertow.Run(folder).passes) == 30


def test_a_module_runs_as_python_runs_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "train.py").write_text(TRAIN + "\nprint(__spec__.name, __package__)\n")
    alone = python("-m", "package.train", "--lr", "1", folder=tmp_path)
    watched = run("--no-report", "-m", "package.train", "--lr", "1", folder=tmp_path)
    assert (watched.stdout, watched.returncode) == (alone.stdout, 0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_find_the_script(method: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(f"""
import multiprocessing, torch
def double(x):
    return 2 * x
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        print(pool.map(double, [1, 2]))
""")
    watched = run("--no-report", "train.py", folder=tmp_path)
    assert (watched.stdout, watched.returncode) == ("[2, 4]\n", 0), watched.stderr


def test_a_script_that_trains_nothing_is_stored_and_told_so(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('no network here')")
    watched = run("train.py", folder=tmp_path)
    assert (watched.stdout, watched.returncode) == ("no network here\n", 0)
    assert stored(tmp_path).meta["passes"] == 0
    assert json.loads((stored(tmp_path).folder / "review.json").read_text())["verdict"] == "not-applicable"


def _has_begun(folder: Path) -> bool:
    """Whether steps have been stored. A database that is just being made is not one yet."""
    try:
        return any(undertow.Run(path.parent).steps > 0 for path in folder.glob("undertow-runs/*/run.db"))
    except StoreError:
        return False


def break_off(folder: Path, number: int, after: float) -> tuple[int, undertow.Run]:
    (folder / "train.py").write_text(TRAIN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "STEPS": "100000", "PAUSE": "0.002"}
    command = [sys.executable, "-m", "undertow.cli", "run", "--no-report", "--every-step", "train.py"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    while not _has_begun(folder):
        time.sleep(0.05)
    time.sleep(after)
    process.send_signal(number)
    return process.wait(60), stored(folder)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_at_any_moment_stays_readable(seed: int, tmp_path: Path) -> None:
    status, found = break_off(tmp_path, signal.SIGKILL, after=random.Random(seed).uniform(0.0, 2.0))
    assert status == -signal.SIGKILL
    assert found.meta["state"] == "running"
    assert found.state == "killed"
    assert found.steps > 0
    assert found.passes
    assert found.passes[-1].step >= found.steps - 400
    assert undertow.review(found).verdict in {"sick", "healthy", "undecided"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_is_kept_to_its_last_step(number: signal.Signals, tmp_path: Path) -> None:
    status, found = break_off(tmp_path, number, after=0.5)
    assert status == -number
    assert found.state == "interrupted"
    assert [event.facts["signal"] for event in found.events if event.kind == "interrupted"] == [number.name]
    assert len(found.losses[0].steps) == found.meta["passes"]


def file_in_the_way(folder: Path) -> list[str]:
    (folder / "taken").touch()
    return ["--store", "taken", "train.py"]


BAD: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no such script": (lambda folder: ["nosuch.py"], "cannot read the script nosuch.py"),
    "a folder for a script": (lambda folder: ["."], "cannot read the script"),
    "no such module": (lambda folder: ["-m", "nosuch.module"], "cannot run the module nosuch.module"),
    "a syntax error": (lambda folder: ["wrong.py"], "wrong.py is not Python that compiles"),
    "a syntax error in a module": (lambda folder: ["-m", "wrong"], "not Python that compiles"),
    "a file in the way of the store": (file_in_the_way, "cannot keep a run in taken"),
    "a store that cannot be written": (lambda folder: ["--store", "/proc/undertow", "train.py"], "cannot keep a run"),
    "a budget that is no share": (lambda folder: ["--budget", "3", "train.py"], "not a share of time"),
    "a step before the first": (lambda folder: ["--focus", "-1", "train.py"], "counted from 0"),
    "a name that is a path": (lambda folder: ["--name", "a/b", "train.py"], "not the name of one folder"),
    "an option that is none": (lambda folder: ["--nosuch", "train.py"], "--nosuch"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_and_nothing_is_run_or_left_behind(case: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('ran')")
    (tmp_path / "wrong.py").write_text("x = = 1\n")
    words, expected = BAD[case]
    failed = run(*words(tmp_path), folder=tmp_path)
    assert failed.returncode not in {0, -signal.SIGSEGV}
    assert failed.stdout == ""
    assert expected in " ".join(failed.stderr.replace("│", " ").split())
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "undertow-runs").exists()


def test_a_disk_that_fills_up_is_told_after_the_training_has_ended_as_it_would(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))

    watched = run(
        "--every-step", "train.py", folder=tmp_path, env={"STEPS": "600", "PAUSE": "0.004"}, preexec_fn=small_files
    )
    assert watched.stdout.startswith("__main__")
    assert watched.returncode == 74, watched.stderr
    assert "could not be kept beyond step" in watched.stderr
    assert stored(tmp_path).meta["format"]


def test_a_disk_that_is_full_from_the_start_is_told_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)

    def tiny_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    watched = run("train.py", folder=tmp_path, preexec_fn=tiny_files)
    assert not watched.stdout
    assert watched.returncode == 1
    assert "cannot keep a run in" in watched.stderr
    assert "Traceback" not in watched.stderr


COUNTING = """
import sys
import undertow
from undertow.cli import main

counted, review = [], undertow.review
undertow.review = lambda run: counted.append(run) or review(run)
try:
    main()
finally:
    sys.__stdout__.write(f"judged {len(counted)} times")
"""


@pytest.mark.parametrize("silent", [[], ["--no-report"]])
def test_a_preflight_judges_its_run_once(silent: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    ended = python("-c", COUNTING, "run", "--preflight", *silent, "train.py", folder=tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.endswith("judged 1 times")


def test_a_script_that_goes_elsewhere_is_reviewed_where_it_began(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text("import os\nos.chdir('elsewhere')\n" + TRAIN)
    ended = run("train.py", folder=tmp_path)
    assert ended.returncode == 0
    assert (stored(tmp_path).folder / "review.json").is_file()
    assert not [*(tmp_path / "elsewhere").iterdir()]


TRANSFORMED = """
import torch
from torch.func import functional_call, grad
net = torch.nn.Linear(4, 1)
weights = {name: weight.detach() for name, weight in net.named_parameters()}
loss = lambda weights, x: (functional_call(net, weights, (x,)) - 1).square().mean()
for step in range(30):
    slopes = grad(loss)(weights, torch.randn(8, 4))
    weights = {name: weight - 0.1 * slopes[name] for name, weight in weights.items()}
"""


def test_gradients_of_transforms_are_said_to_be_unobserved(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRANSFORMED)
    ended = run("train.py", folder=tmp_path)
    assert ended.returncode == 0
    told = json.loads((stored(tmp_path).folder / "review.json").read_text())
    assert told["verdict"] == "undecided"
    assert "torch.func" in told["summary"]
