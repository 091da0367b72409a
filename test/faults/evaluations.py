"""Faults of an evaluation's folder, and of what changes while it runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from test import world
from test.faults import hooks
from test.faults.row import Fault, edit, flip_bit, nothing, replace_by_pipe, write
from x3d.pipeline.scorers import plan_scorer
from x3d.pipeline.video_scorer import VideoScorer

ROWS = "eval/manifest.rows"


def score() -> world.Ran:
    return world.score("eval")


def resume(folder: str = "eval", *keys: str) -> world.Ran:
    return world.evaluate("small.onnx", folder, *keys)


def _during_the_run(change: Callable[[], object], folder: str = "new") -> Callable[[], world.Ran]:
    """Start an evaluation, and make a change before its first video."""
    return lambda: hooks.with_change(change, lambda: resume(folder))


def _before_the_workers(change: Callable[[], object]) -> Callable[[], world.Ran]:
    """Start an evaluation, and make a change when the model is hashed and not yet open."""

    def plan_and_change(*given: Any) -> VideoScorer:
        scorer = plan_scorer(*given)
        change()
        return scorer

    def command() -> world.Ran:
        with mock.patch("x3d.pipeline.evaluate.plan_scorer", plan_and_change):
            return resume("new")

    return command


def _unlabelled(*labels: int) -> Callable[[], object]:
    rows = [f"{name} {label}" for name, label in zip(world.VIDEOS, labels, strict=True)]
    return write("data/test.csv", "\n".join(rows))


def _manifest(name: str, content: str) -> tuple[Fault, ...]:
    path = "eval/manifest.json"
    return tuple(
        Fault(f"{name}, {how}", write(path, content), command, 2, [r"manifest\.json"])
        for how, command in (("resumed", resume), ("scored", score))
    )


FAULTS = (
    Fault("a flipped bit in a row, scored", edit(ROWS, flip_bit), score, 1, [r"manifest\.rows"]),
    Fault("a flipped bit in a row, resumed", edit(ROWS, flip_bit), resume, 0, [r"manifest\.rows"], line=True),
    Fault("half a row", edit(ROWS, lambda data: data[:-9]), score, 1, [r"manifest\.rows"]),
    Fault("rows twice", edit(ROWS, lambda data: data * 2), score, 2, [r"manifest\.rows", "twice"]),
    Fault("no rows", lambda: Path(ROWS).unlink(), score, 2, ["eval"]),
    Fault("a pipe as rows", replace_by_pipe(ROWS), score, 2, ["eval"]),
    *_manifest("manifest nested too deep", "[" * 100_000),
    *_manifest("manifest of another shape", json.dumps({"provenance": {}, "videos": []})),
    *_manifest("manifest without provenance", json.dumps({"provenance": {}, "videos": {}})),
    Fault(
        "another aggregation", nothing, lambda: resume("eval", "DATA.ENSEMBLE_METHOD", "max"), 2, ["ENSEMBLE_METHOD"]
    ),
    Fault(
        "a video was replaced",
        lambda: shutil.copy("data/val/h264.mkv", "data/val/h264.mp4"),
        resume,
        0,
        ["changed"],
        line=True,
    ),
    Fault(
        "model replaced before the workers open it",
        nothing,
        _before_the_workers(lambda: shutil.copy("foreign.onnx", "small.onnx")),
        1,
        [r"small\.onnx"],
    ),
    Fault(
        "folder removed while it runs",
        nothing,
        _during_the_run(lambda: shutil.rmtree("new")),
        1,
        ["new"],
        absent=["new"],
    ),
    Fault(
        "one video overflows the model",
        nothing,
        lambda: hooks.with_overflow(lambda: resume("new", "X3D_POSTPROCESS.ALLOW_MISSING", "True")),
        1,
        [r"h264\.mp4: the model returned scores that are not finite \(view"],
        reason="not_finite",
        folder="new",
        line=True,
    ),
    Fault("a video without label", _unlabelled(-1, 1, 2, 3, 4), lambda: resume("new"), 0, ["1 video", "-1"], line=True),
    Fault("no video with a label", _unlabelled(-1, -1, -1, -1, -1), lambda: resume("new"), 1, ["label"]),
)
