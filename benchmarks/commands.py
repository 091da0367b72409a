"""Run commands and measure them: time, memory, and when the first result is written."""

import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commit import ROOT


@dataclass(frozen=True)
class Cost:
    """Cost of a command.

    Attributes:
        seconds: from start to end.
        peak_megabytes: most memory of its first process.
        worker_peak_megabytes: most memory of a process that it started.
        first_seconds: from the start until a file had content; not a number if it was not watched.
    """

    seconds: float
    peak_megabytes: float
    worker_peak_megabytes: float = 0.0
    first_seconds: float = math.nan


class Watcher(threading.Thread):
    """Follows the memory of a process and of those that it starts, and the first content of files."""

    def __init__(self, process: "subprocess.Popen[bytes]", watched: Sequence[Path]) -> None:
        super().__init__()
        self.process, self.watched = process, watched
        self.start_seconds = time.perf_counter()
        self.peak_kilobytes: dict[int, int] = {}
        self.first_seconds = math.nan

    def run(self) -> None:
        while self.process.returncode is None:
            self._look(self.process.pid)
            if math.isnan(self.first_seconds) and any(map(_has_content, self.watched)):
                self.first_seconds = time.perf_counter() - self.start_seconds
            time.sleep(0.01)

    def _look(self, pid: int) -> None:
        try:
            text = Path(f"/proc/{pid}/status").read_text()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:  # it has ended
            return
        if peak := re.search(r"^VmHWM:\s+(\d+)", text, re.MULTILINE):
            self.peak_kilobytes[pid] = int(peak[1])
        for child in children:
            self._look(int(child))


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def run_measured(command: Sequence[str], cores: int = 0, watched: Sequence[Path] = ()) -> Cost:
    """Run a command and measure it.

    Args:
        command: a program and its arguments, run in the project's folder.
        cores: run it on the first `cores` cores of this process only (0: all).
        watched: files; when the first of them has content is measured.
    Raises:
        ValueError: the command failed; the text contains the end of its stderr.
    """
    allowed = os.sched_getaffinity(0)
    with tempfile.TemporaryFile("w+") as errors:
        os.sched_setaffinity(0, sorted(allowed)[:cores] if cores else allowed)
        try:
            start = time.perf_counter()
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        finally:
            os.sched_setaffinity(0, allowed)
        watcher = Watcher(process, watched)
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - start
        watcher.join()
        if process.returncode:
            errors.seek(0)
            raise ValueError(f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}")
    first = watcher.peak_kilobytes.pop(process.pid, 0)
    others = max(watcher.peak_kilobytes.values(), default=0)
    return Cost(seconds, first / 1024, others / 1024, watcher.first_seconds)


def script(name: str, cfg_keys: Sequence[str], **keys: object) -> list[str]:
    """Build the command of a script of the suite; `DATA__PATH_PREFIX="val"` becomes `DATA.PATH_PREFIX val`."""
    pairs = [part for key, value in keys.items() for part in (key.replace("__", "."), str(value))]
    return [sys.executable, name, *cfg_keys, *pairs]
