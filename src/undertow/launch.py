"""Running somebody else's script as `python` itself would, with an observation around it."""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from undertow.api import Observation
from undertow.errors import LaunchError

__all__ = ["Program", "launch", "module", "script"]

NOTHING = nullcontext()

LAUNCHERS = {
    "torch.distributed.run": "--nproc-per-node 2",
    "torch.distributed.launch": "--nproc-per-node 2",
    "accelerate.commands.launch": "--num_processes 2",
}
"""Modules that start others that train, with an option of theirs."""

_OURS = os.path.join(str(Path(__file__).resolve().parent), "")


@dataclass(frozen=True)
class Program:
    """Something that can be run as `__main__`: what `python` would have made of the same words."""

    name: str
    code: CodeType = field(repr=False)
    argv: Sequence[str]
    search: str
    names: dict[str, Any] = field(repr=False)

    def become_main(self) -> None:
        """Put its module, its arguments and its folder where Python puts them.

        They stay: worker processes, pickles and functions that run at exit look for them.
        """
        main = ModuleType("__main__")
        main.__dict__.update({"__builtins__": builtins, "__annotations__": {}} | self.names)
        self.names["__undertow__"] = sys.modules["__main__"]  # what started us must outlive being replaced
        sys.modules["__main__"] = main
        sys.argv[:] = self.argv
        if not sys.flags.safe_path:
            sys.path[0] = self.search

    def run(self) -> None:
        exec(self.code, sys.modules["__main__"].__dict__)


def script(path: str, arguments: Sequence[str]) -> Program:
    """The program in a file.

    Raises:
        LaunchError: There is no such file, or it is not Python that compiles.
    """
    whole = os.path.abspath(path)
    try:
        with io.open_code(whole) as file:
            text = file.read()
    except OSError as error:
        raise LaunchError(
            f"cannot read the script {path}: {error.strerror}\n"
            f"  It was looked for at {whole}. Nothing was run.\n"
            "  Give the script's path, or -m and the name of a module; options of Undertow's come before it."
        ) from error
    names = {
        "__file__": whole,
        "__loader__": importlib.machinery.SourceFileLoader("__main__", whole),
        "__package__": None,
        "__spec__": None,
        "__cached__": None,
    }
    return Program(Path(path).stem, _compiled(text, whole, path), [path, *arguments], _folder(whole), names)


def _compiled(text: bytes, whole: str, shown: str) -> CodeType:
    try:
        return compile(text, whole, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        told = "".join(traceback.format_exception_only(error)).rstrip()
        raise LaunchError(
            f"{shown} is not Python that compiles\n"
            + "".join(f"  {line}\n" for line in told.splitlines())
            + "  Nothing was run, and no run was stored."
        ) from error


def _folder(whole: str) -> str:
    """What Python would put first on the search path: the script's folder, links followed."""
    return os.path.dirname(os.path.realpath(whole))


def module(name: str, arguments: Sequence[str]) -> Program:
    """The program in a module, or in a package's `__main__`, found as `python -m` finds it.

    Raises:
        LaunchError: There is no such module.
    """
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()
    try:
        _, spec, code = runpy._get_module_details(name, runpy._Error)  # type: ignore[attr-defined]
    except runpy._Error as error:  # type: ignore[attr-defined]
        raise LaunchError(
            f"cannot run the module {name}: {error}\n"
            f"  It was looked for from {os.getcwd()}. Nothing was run.\n"
            "  Give its dotted name, such as package.train, from the folder that holds the package."
        ) from error
    except SyntaxError as error:
        told = "".join(traceback.format_exception_only(error)).rstrip()
        raise LaunchError(f"the module {name} is not Python that compiles\n  {told}\n  Nothing was run.") from error
    if name in LAUNCHERS:
        raise LaunchError(
            f"{name} trains nothing itself: the processes that it starts do, and would not be observed\n"
            "  Nothing was run. Let it start undertow instead, once in each of them:\n"
            f"  python -m {name} {LAUNCHERS[name]} -m undertow run train.py"
        )
    names = {
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": spec.parent,
        "__spec__": spec,
        "__cached__": spec.cached,
    }
    return Program(name.rpartition(".")[2], code, [spec.origin, *arguments], os.getcwd(), names)


def launch(
    program: Program,
    observation: Observation,
    review: Callable[[], None],
    within: AbstractContextManager[None] = NOTHING,
) -> int:
    """Run a program under observation (and within whatever else is given), then review it.

    Its exceptions are shown as Python would show them, by its own `sys.excepthook` if it has set one,
    without the frames that are ours.

    Returns:
        The exit status that Python would have left with.

    Raises:
        KeyboardInterrupt: The program was interrupted; Python's own ending of an interrupted process follows.
    """
    interrupted = False
    status = 0
    with _terminated(observation, review):
        try:
            with observation, within:
                program.run()
        except SystemExit as leaving:
            status = _status(leaving.code)
        except BaseException as error:
            interrupted, status = isinstance(error, KeyboardInterrupt), 1
            _show(error)
    _flush()
    review()
    if interrupted:
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    return status


def _status(code: Any) -> int:
    """As Python leaves with `sys.exit(code)`."""
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        inner.__traceback__ = _without_ours(inner.__traceback__)
        inner = inner.__cause__ or inner.__context__
    sys.excepthook(type(error), error, error.__traceback__)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    kept = [link for link in _links(trace) if not link.tb_frame.f_code.co_filename.startswith(_OURS)]
    rebuilt = None
    for link in reversed(kept):
        rebuilt = TracebackType(rebuilt, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return rebuilt


def _links(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or replaced by the script
            continue


@contextmanager
def _terminated(observation: Observation, review: Callable[[], None]) -> Iterator[None]:
    """Keep and review the run when the process is told to end; then let it end as it would have.

    A script that handles the signal itself is left to it, and so are its child processes.
    """
    ours = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() == ours:
            observation.interrupted(signal.Signals(number).name)
            _flush()
            review()
        os.kill(os.getpid(), number)

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
