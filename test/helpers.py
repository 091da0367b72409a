"""Helpers of several test files: data sets, scripts in processes, and reading what scripts write."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import x3d_postprocess
from demo.small import SMALL
from test.videos import write_video
from x3d.storage.evaluation_folder import rows_path
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_seed
from x3d.storage.score_rows import read_score_rows, row_type_of

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"


def read_golden(name: str) -> Any:
    """Read values that PySlowFast computed."""
    return json.loads((GOLDEN / name).read_text())


@dataclass(frozen=True)
class Dataset:
    """A folder with videos in `val` and their list in `test.csv`."""

    path: Path

    @property
    def val(self) -> Path:
        return self.path / "val"

    @property
    def list_path(self) -> Path:
        return self.path / "test.csv"

    @property
    def keys(self) -> list[str]:
        """KEY VALUE arguments that name the data set."""
        return ["DATA.PATH_TO_DATA_DIR", str(self.path), "DATA.PATH_PREFIX", str(self.val)]

    def write_videos(self, videos: Mapping[str, Mapping[str, Any]]) -> "Dataset":
        """Write videos, each with the arguments of `write_video`, and list them."""
        for name, settings in videos.items():
            write_video(self.val / name, **settings)
        return self.write_list(list(videos))

    def write_list(self, names: Sequence[str]) -> "Dataset":
        """List files with the labels 0 to 8 in turn."""
        self.list_path.write_text("".join(f"{name} {index % 9}\n" for index, name in enumerate(names)))
        return self

    def link(self, path: Path, copies: int = 1, more: str = "") -> "Dataset":
        """Make a data set of the same videos, its list repeated and followed by more lines."""
        linked = Dataset(path)
        for video in self.val.rglob("*.*"):
            target = linked.val / video.relative_to(self.val)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(video, target)
        linked.list_path.write_text(copies * self.list_path.read_text() + more)
        return linked

    def replace(self, name: str, content: bytes) -> None:
        """Replace the bytes of a file, not those of files it was linked to."""
        (self.val / name).unlink()
        (self.val / name).write_bytes(content)


def with_keys(keys: Sequence[str], *more: str) -> list[str]:
    """Append KEY VALUE pairs to others, in place of those of the same key."""
    kept = [pair for pair in zip(keys[::2], keys[1::2], strict=True) if pair[0] not in more]
    return [*itertools.chain.from_iterable(kept), *more]


def preprocess_keys(data: Dataset, out: Path, *more: str) -> list[str]:
    return with_keys([*SMALL, *data.keys, "X3D_PREPROCESS.DATA_OUTPUT_PATH", str(out)], *more)


def evaluate_keys(data: Dataset, model: Path, out: Path, *more: str) -> list[str]:
    paths = ["X3D_EVALUATE.MODEL_PATH", str(model), "X3D_EVALUATE.OUTPUT_PATH", str(out)]
    return with_keys([*SMALL, *data.keys, *paths, "TEST.BATCH_SIZE", "8", "X3D_WORKERS.NUM", "1"], *more)


def postprocess(folder: Path, *more: str) -> int:
    return x3d_postprocess.main(with_keys([*SMALL, "X3D_POSTPROCESS.OM_OUTPUT_PATH", str(folder)], *more))


def line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """Read the last line that a script printed."""
    return capsys.readouterr().out.splitlines()[-1]


def error_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return the text of the only error that was logged."""
    [error] = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    return error


def content(folder: Path) -> dict[str, bytes]:
    """Read every view of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}


def states(folder: Path, name: str = "manifest.json") -> dict[str, dict[str, Any]]:
    """Read the state of each video from a manifest and its journal."""
    return {str(index): dict(entry) for index, entry in Manifest.load(folder / name).entries().items()}


def read_rows_of(manifest: Path) -> np.ndarray:
    """Read the rows that go with a manifest."""
    provenance = Manifest.load(manifest).provenance
    return read_score_rows(rows_path(manifest), row_type_of(provenance), provenance_seed(provenance))


def start(script: str, arguments: Sequence[str], **settings: Any) -> "subprocess.Popen[str]":
    """Start a script in a process group of its own."""
    command = [sys.executable, str(ROOT / script), *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes, **settings)


def finish(process: "subprocess.Popen[str]", seconds: float = 120) -> tuple[str, str]:
    """Wait for the end of a process; return its stdout and stderr."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a running script and its workers at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, "the run had ended before the kill"


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a condition holds, looking every 5 ms."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.005)


def is_running(process_id: int) -> bool:
    """Check that a process has not ended; one that only waits for its parent to notice has."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
