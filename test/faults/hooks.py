"""What happens while a script runs: files change, the disk is full, a package is missing."""

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from test.in_process import Ran
from test.world import InlineRunner
from x3d.execution.outcome import Outcome
from x3d.network.openvino_engine import OpenVinoEngine
from x3d.video.reader import VideoReader


def with_change(change: Callable[[], object], command: Callable[[], Ran]) -> Ran:
    """Run a command, and make a change when its first video is to start."""
    original = InlineRunner.run

    def run(self: InlineRunner, *arguments: Any) -> Iterator[Outcome[Any]]:
        change()
        return original(self, *arguments)

    with mock.patch.object(InlineRunner, "run", run):
        return command()


def on_full_disk(name: str, command: Callable[[], Ran]) -> Ran:
    """Run a command while no bytes can be written to files below the working folder whose paths contain `name`."""
    write, here = os.write, os.getcwd()

    def fail_here(descriptor: int, data: bytes) -> int:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path.startswith(here) and name in path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with mock.patch("os.write", fail_here):
        return command()


def while_it_is_read(change: Callable[[], object], command: Callable[[], Ran]) -> Ran:
    """Run a command, and make a change when the first video is open."""
    original = VideoReader.__enter__

    def enter(reader: VideoReader) -> VideoReader:
        change()
        return original(reader)

    with mock.patch.object(VideoReader, "__enter__", enter):
        return command()


def with_overflow(command: Callable[[], Ran]) -> Ran:
    """Run a command with an engine whose second batch overflows, as an .om may in float16."""
    original, batches = OpenVinoEngine.infer, itertools.count()

    def infer(engine: OpenVinoEngine, batch: np.ndarray) -> np.ndarray:
        scores = original(engine, batch)
        return scores * np.float32("nan") if next(batches) == 1 else scores

    with mock.patch.object(OpenVinoEngine, "infer", infer):
        return command()


def write_module(name: str) -> None:
    """Make a module in `without/` that cannot be imported, as if it were not installed."""
    Path("without").mkdir()
    Path(f"without/{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n")
