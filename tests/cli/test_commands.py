"""`undertow runs`, `report`, `explain`, `--version`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import undertow
from tests.observe.contexts import CONTEXTS, Diary
from undertow import cli


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["undertow", *words])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    return int(leaving.value.code or 0)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with undertow.observe(every=1, store=tmp_path / "undertow-runs" / "first"):
        CONTEXTS["plain"](Diary())
    return tmp_path / "undertow-runs"


def test_runs_are_listed(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "runs") == 0
    assert "first" in capsys.readouterr().out


def test_a_damaged_run_is_told_and_the_others_are_listed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "run.db").write_bytes(b"not a database, not at all" * 100)
    assert call(monkeypatch, "runs", "--in", str(runs)) == 1
    told = capsys.readouterr()
    assert "first" in told.out
    assert "broken" in told.err


@pytest.mark.parametrize("given", ["first", "undertow-runs/first"])
def test_a_report_is_written_again(
    given: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "report", given) == 0
    assert (runs / "first" / "report.html").is_file()
    assert (runs / "first" / "review.json").is_file()
    assert capsys.readouterr().out


def damage(run: Path) -> None:
    database = run / "run.db"
    database.write_bytes(database.read_bytes()[:6000] + b"\xff" * 20_000)


def empty(run: Path) -> None:
    (run / "run.db").write_bytes(b"")


def remove(run: Path) -> None:
    (run / "run.db").unlink()


@pytest.mark.parametrize("harm", [damage, empty, remove])
def test_a_run_that_is_none_or_damaged_is_told(
    harm: object, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(runs / "first")  # type: ignore[operator]
    assert call(monkeypatch, "report", "first") == 1
    assert re.search(r"undertow: .*first", capsys.readouterr().err)


def test_a_run_that_is_not_there_is_told_with_those_that_are(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "report", "second") == 1
    assert "Runs there: first" in capsys.readouterr().err


def test_a_diagnosis_is_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "explain", "UT101") == 0
    assert "When it is harmless" in capsys.readouterr().out


def test_a_code_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "explain", "UT999") == 1
    assert "UT101" in capsys.readouterr().err


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("undertow")


@pytest.mark.parametrize("talks", [False, True])
def test_progress_shows_on_a_terminal_while_the_script_is_silent(talks: bool, tmp_path: Path) -> None:
    script = "import time, torch\nw = torch.nn.Linear(2, 1)\no = torch.optim.SGD(w.parameters(), 0.1)\n"
    script += "print('talks', flush=True)\n" if talks else ""
    script += "for _ in range(30):\n    w(torch.ones(1, 2)).sum().backward(); o.step(); time.sleep(0.05)\n"
    (tmp_path / "train.py").write_text(script)
    main, terminal = os.openpty()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    command = [sys.executable, "-m", "undertow.cli", "run", "--no-report", "train.py"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=terminal, stdout=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait(60) == 0
    assert (b"step" in shown) is not talks
