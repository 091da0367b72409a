"""Faults of a run over videos that no file causes: workers that die or hang, a script without its environment."""

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from test import world
from test.faults import hooks
from test.faults.row import Fault, nothing
from test.helpers import ROOT
from x3d.dataset.annotations import Video
from x3d.errors import VideoError
from x3d.execution import process_pool


def kill_worker(video: Video) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(video: Video) -> None:
    time.sleep(600)


def raise_key_error(video: Video) -> None:
    raise KeyError("planted")


def fail_in_reference(video: Video) -> None:
    raise VideoError("reference_failed", video.path)


def _instead(work: Callable[[Video], Any], *keys: str, with_processes: bool = False) -> Callable[[], world.Ran]:
    """Preprocess with another function for each video, in this process or in the suite's worker processes."""

    def command() -> world.Ran:
        with mock.patch("x3d.pipeline.preprocess._video_function", return_value=work):
            if not with_processes:
                return world.preprocess("new", *keys)
            with mock.patch("x3d.pipeline.preprocess.open_runner", _open_workers):
                return world.preprocess("new", *keys)

    return command


def _append_to_video() -> None:
    with open("data/val/h264.mp4", "ab") as file:
        file.write(b"more")


def _open_workers(settings: Any, requirements: Any, *more: Any) -> process_pool.Workers:
    return process_pool.Workers(settings.num_workers, settings.timeout_seconds)


def _shell(command: str) -> Callable[[], world.Ran]:
    """Run a script as a process, under a shell that changes its environment; $PYTHON and $SUITE are its parts."""

    def run() -> world.Ran:
        environment = os.environ | {"PYTHON": sys.executable, "SUITE": str(ROOT)}
        ran = subprocess.run(["bash", "-c", command], check=False, env=environment, **PIPES)  # type: ignore[call-overload]
        return world.Ran(ran.returncode, ran.stdout, ran.stderr, [command])

    return run


PIPES = {"capture_output": True, "text": True, "timeout": 120}
SCORE = "$PYTHON $SUITE/x3d_postprocess.py --cfg cfg.yaml X3D_POSTPROCESS.OM_OUTPUT_PATH res"
INFER = "$PYTHON $SUITE/x3d_infer.py --model small.onnx --input prep --output . --output_dirname"
KILL_BY_LOCK = f"""
{INFER} new --loop 1000000 >/dev/null 2>&1 & first=$!
until ls -A | grep -q '^[.]new\\|^new'; do sleep 0.05; kill -0 $first || exit 99; done
{INFER} new; status=$?
kill -9 $first; exit $status
"""


def _infer(form: str) -> Callable[[], world.Ran]:
    return lambda: world.infer("small.onnx", "prep", "new", form)


ON_FULL_DISK: dict[str, tuple[str, Callable[[], world.Ran]]] = {
    "preprocess": (".npy", lambda: world.preprocess("new")),
    "evaluate": (".rows", lambda: world.evaluate("small.onnx", "new")),
    "export": (".onnx", lambda: world.export("small.pyth", "new.onnx")),
    **{f"infer, {form}": (f".{form.lower()}", _infer(form)) for form in ("BIN", "NPY", "TXT")},
}
"""Which files cannot be written, and the script that writes them."""

FAULTS = (
    *(
        Fault(f"a full disk, {name}", nothing, functools.partial(hooks.on_full_disk, *case), 1, ["No space left"])
        for name, case in ON_FULL_DISK.items()
    ),
    *(
        Fault(
            f"a disk full from the start, {name}",
            nothing,
            functools.partial(hooks.on_full_disk, "", command),
            2,
            ["No space left"],
        )
        for name, (_, command) in ON_FULL_DISK.items()
        if name != "export"
    ),
    Fault(
        "a video that changes while it is read",
        nothing,
        lambda: hooks.while_it_is_read(_append_to_video, lambda: world.preprocess("new")),
        1,
        [r"changed.*h264\.mp4"],
        reason="changed",
        folder="new",
    ),
    Fault(
        "a worker that dies",
        nothing,
        _instead(kill_worker, "X3D_WORKERS.NUM", "1", with_processes=True),
        1,
        ["crashed", r"h264\.mp4"],
        reason="crashed",
        folder="new",
    ),
    Fault(
        "a worker that hangs",
        nothing,
        _instead(hang, "X3D_WORKERS.NUM", "5", "X3D_WORKERS.TIMEOUT", "1", with_processes=True),
        1,
        ["timed_out", r"h264\.mp4"],
        reason="timed_out",
        folder="new",
    ),
    Fault(
        "PySlowFast's decoder fails",
        nothing,
        _instead(fail_in_reference),
        1,
        ["reference_failed", r"h264\.mp4"],
        reason="reference_failed",
        folder="new",
    ),
    Fault(
        "an error of this program",
        nothing,
        _instead(raise_key_error),
        1,
        [r"internal_error.*h264\.mp4", "planted"],
        reason="internal_error",
        folder="new",
    ),
    Fault("two inference runs, one folder", nothing, _shell(KILL_BY_LOCK), 2, ["in use by another run"]),
    Fault("stderr closed", nothing, _shell(f"{SCORE} 2>&-"), 0, [], line=True),
    Fault("stderr on a full disk", nothing, _shell(f"{SCORE} 2>/dev/full"), 0, [], line=True),
    Fault("stdout on a full disk", nothing, _shell(f"{SCORE} >/dev/full"), 1, ["cannot be written|No space left"]),
    Fault(
        "no fvcore",
        lambda: hooks.write_module("fvcore"),
        _shell(f"PYTHONPATH=without {SCORE}"),
        2,
        ["fvcore", r"\.venv"],
    ),
)
