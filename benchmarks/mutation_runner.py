"""Run mutants in copies of the project, each with the tests that call the changed function."""

import math
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.common import ROOT
from benchmarks.mutants import Mutant

COPIED = "x3d test demo benchmarks configs .ci".split()
HANG_FACTOR, START_SECONDS = 6, 30
"""A mutant hangs when it takes so many times as long as its tests do, after a start: a busy machine is no hang."""
NO_TESTS = 5
"""Exit status of pytest that has run no test."""
T = TypeVar("T")
R = TypeVar("R")


class Slot:
    """A copy of the project in which one mutant at a time is tested."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve() / "project"
        self.scratch = folder.resolve() / "scratch"
        self.root.mkdir(parents=True)
        for path in ROOT.iterdir():
            if path.is_file() and path.name != ".git":
                shutil.copy2(path, self.root)
            elif path.name in COPIED:
                shutil.copytree(path, self.root / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / ".venv").symlink_to((ROOT / ".venv").resolve())
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(self.root)], check=True)
        subprocess.run(["git", "init", "-q", str(self.root)], check=False)

    def write(self, module: str, source: str) -> None:
        """Replace a module, and remove what it was compiled to."""
        path = self.root / module
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()
        path.write_text(source)

    def fork(self, action: Callable[[], int]) -> int:
        """Run an action in a child process inside the copy; return its process id."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        child = os.fork()
        if child:
            return child
        status = 99
        try:
            os.setsid()
            os.chdir(self.root)
            log = os.open(self.root.parent / "log.txt", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            os.dup2(log, 1)
            os.dup2(log, 2)
            tempfile.tempdir = None
            os.environ |= {"TMPDIR": str(self.scratch), "PYTHONDONTWRITEBYTECODE": "1", "MUTATION_ROOT": str(self.root)}
            sys.path[:] = [str(self.root), *[path for path in sys.path if path not in ("", str(ROOT))]]
            sys.dont_write_bytecode = True
            for name in list(sys.modules):
                if name.partition(".")[0] in COPIED:
                    del sys.modules[name]
            status = action()
        finally:
            os._exit(status)

    def wait(self, child: int, limit_seconds: float = math.inf) -> int | None:
        """Wait for a child, and end all that it leaves running; return its exit status, None after the limit."""
        deadline = time.monotonic() + limit_seconds
        ended, status = 0, 0
        while not ended and time.monotonic() < deadline:
            time.sleep(0.02)
            ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.clear()
        return os.waitstatus_to_exitcode(status) if ended else None

    def clear(self) -> None:
        """End what the last child has left running: every process whose working folder is in the slot."""
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and str(self.root.parent) in os.readlink(process / "cwd"):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                pass


class Selection:
    """A pytest plugin that keeps the given tests, in the given order, and notes how long each takes."""

    def __init__(self, tests: Sequence[str] | None = None) -> None:
        self.tests = tests
        self.seconds: dict[str, float] = {}
        self._setup_seconds = 0.0

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.tests is not None:
            order = {test: number for number, test in enumerate(self.tests)}
            items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "setup":
            self._setup_seconds = report.duration
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = self._setup_seconds + report.duration


def run_pytest(files: Sequence[str], selection: Selection, *more: str) -> int:
    import pytest

    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestUnhandledThreadExceptionWarning"]
    return int(pytest.main([*quiet, *more, *files], plugins=[selection]))


def in_slots(slots: Sequence[Slot], function: Callable[[Slot, T], R], items: Sequence[T]) -> Iterator[R]:
    """Run a function on every item, as many at a time as there are slots; yield the results in order."""
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    for slot in slots:
        free.put(slot)

    def run(item: T) -> R:
        slot = free.get()
        try:
            return function(slot, item)
        finally:
            free.put(slot)

    with ThreadPoolExecutor(len(slots)) as pool:
        yield from pool.map(run, items)


def run_mutant(slot: Slot, mutant: Mutant, tests: dict[str, float]) -> tuple[Mutant, str, float]:
    """Run the tests of a mutant; return it with killed, survived or hung, and its seconds."""
    started = time.monotonic()
    original = (slot.root / mutant.module).read_text()
    slot.write(mutant.module, mutant.source)
    files = sorted({test.partition("::")[0] for test in tests})
    child = slot.fork(lambda: run_pytest(files, Selection(list(tests)), "-x"))
    status = slot.wait(child, START_SECONDS + HANG_FACTOR * sum(tests.values()))
    slot.write(mutant.module, original)
    verdict = "hung" if status is None else "survived" if status in (0, NO_TESTS) else "killed"
    return mutant, verdict, time.monotonic() - started
