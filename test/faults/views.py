"""Faults of folders of views and of their manifest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from test import world
from test.faults.row import Fault, each, edit, flip_bit, nothing, replace_by_pipe, write

FIRST = "prep/0_0.npy"


def infer() -> world.Ran:
    return world.infer("small.onnx", "prep", "new")


def resume() -> world.Ran:
    return world.preprocess("prep")


def _header(new: bytes) -> Callable[[], object]:
    """Put another shape into the header of a view."""
    return edit(FIRST, lambda data: data.replace(b"(1, 3, 4, 40, 40)", new.ljust(17)))


def _view(name: str, make: Callable[[], object], *message: str) -> Fault:
    return Fault(name, make, infer, 2, [r"0_0\.npy", *message], absent=["new"])


def _manifest(name: str, content: bytes | str) -> tuple[Fault, ...]:
    path = "prep/manifest.json"
    return (
        Fault(f"{name}, resumed", write(path, content), resume, 2, [r"manifest\.json"]),
        Fault(f"{name}, inferred", write(path, content), infer, 2, [r"manifest\.json"], absent=["new"]),
    )


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[], object]:
    def make() -> None:
        content = json.loads(Path("prep/manifest.json").read_text())
        change(content)
        Path("prep/manifest.json").write_text(json.dumps(content))

    return make


def _leave_one_out() -> None:
    """Make the folder again with a video that does not exist."""
    shutil.rmtree("prep")
    Path("data/val/h264.mp4").unlink()
    assert world.preprocess("prep").status == 1


def _infer_and_score() -> world.Ran:
    ran = infer()
    return ran if ran.status else world.score("new")


def _remove_views() -> None:
    for path in Path("prep").glob("*.npy"):
        path.unlink()


def _link_scratch() -> None:
    """Put links with names of the suite's own files where a run starts."""
    Path("victim/precious").mkdir(parents=True)
    Path("prep/.scratch-manifest").symlink_to("../victim")


def _replace_video() -> None:
    shutil.copy("data/val/h264.mkv", "data/val/h264.mp4")


FAULTS = (
    Fault("a flipped bit", edit(FIRST, flip_bit), infer, 1, [r"0_0\.npy has other values"], absent=["new"]),
    Fault("another view", lambda: shutil.copy("prep/5_0.npy", FIRST), infer, 1, [r"0_0\.npy"], absent=["new"]),
    _view("a header cut off", edit(FIRST, lambda data: data[:8] + b"\x09" + data[9:])),
    _view("a header without its bracket", edit(FIRST, lambda data: data.replace(b"(1, 3", b" 1, 3"))),
    _view("a header that claims terabytes", _header(b"(9999999, 999999)")),
    _view("float64", edit(FIRST, lambda data: data.replace(b"<f4", b"<f8"))),
    _view("an empty file", write(FIRST, b"")),
    _view("a web page", write(FIRST, "<html></html>")),
    _view("a pipe", replace_by_pipe(FIRST)),
    _view("an archive", each(lambda: np.savez("a.npz", x=np.zeros(3)), lambda: shutil.move("a.npz", FIRST))),
    Fault("no views", _remove_views, infer, 2, ["--input prep"]),
    Fault("no such folder", lambda: shutil.rmtree("prep"), infer, 2, ["--input prep"]),
    Fault("a file that is no view", write("prep/mine.npy", b""), resume, 2, ["mine.npy"], present=["prep/mine.npy"]),
    Fault("a view is missing", lambda: Path(FIRST).unlink(), _infer_and_score, 2, ["prep"]),
    Fault("a failed video", _leave_one_out, _infer_and_score, 1, [r"h264\.mp4|video 0"]),
    *_manifest("manifest nested too deep", '{"a": ' * 100_000),
    *_manifest("manifest that is a list", "[]"),
    *_manifest("manifest of another shape", '{"provenance": [], "videos": {"0": 3}}'),
    *_manifest("empty manifest", b""),
    *_manifest("manifest that is a web page", "<html></html>"),
    Fault(
        "manifest edited",
        _edited(lambda content: content["provenance"].update(views_per_video=7)),
        resume,
        2,
        [r"manifest\.json"],
    ),
    Fault(
        "another configuration",
        nothing,
        lambda: world.preprocess("prep", "DATA.SAMPLING_RATE", "2"),
        2,
        [r"manifest\.json", "SAMPLING_RATE was 3, is 2"],
    ),
    Fault(
        "a link in the place of the scratch folder",
        _link_scratch,
        lambda: world.preprocess("prep", "X3D_PREPROCESS.OVERWRITE", "True"),
        0,
        [],
        present=["victim/precious"],
    ),
    Fault("a video was replaced", _replace_video, resume, 0, ["changed"], folder="prep"),
    Fault(
        "a video is gone after its views were made",
        lambda: Path("data/val/h264.mp4").unlink(),
        lambda: world.preprocess("again"),
        1,
        [r"h264\.mp4"],
        reason="missing",
        folder="again",
    ),
)
