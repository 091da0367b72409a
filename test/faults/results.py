"""Faults of results and of what lies beside them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from test import world
from test.faults.row import Fault, each, edit, flip_bit, nothing, replace_by_folder, replace_by_pipe, write

FIRST = "0_0_0.bin"
SOFTMAX = r"X3D_POSTPROCESS\.SOFTMAX"


def _change(change: Callable[[np.ndarray], np.ndarray], folder: str = "ais") -> Callable[[], object]:
    """Make a change of the scores of every view."""

    def make() -> None:
        for path in Path(folder).glob("*.bin"):
            path.write_bytes(change(np.fromfile(path, np.float32)).astype(np.float32).tobytes())

    return make


def ais_bench(*keys: str) -> Callable[[], world.Ran]:
    return lambda: world.score("ais", *keys)


def ours(*keys: str) -> Callable[[], world.Ran]:
    return lambda: world.score("res", *keys)


def _value(number: int, value: float) -> Callable[[], object]:
    def change(data: bytes) -> bytes:
        scores = np.frombuffer(data, np.float32).copy()
        scores[number] = value
        return scores.tobytes()

    return edit(f"ais/{FIRST}", change)


def _summary(change: Callable[[dict], object], name: str = "res_summary.json") -> Callable[[], object]:
    def make() -> None:
        content = json.loads(Path(name).read_text())
        change(content)
        Path(name).write_text(json.dumps(content))

    return make


def _clips(number: int, crops: int = world.NUM_CROPS) -> list[str]:
    return ["TEST.NUM_ENSEMBLE_VIEWS", str(number), "TEST.NUM_SPATIAL_CROPS", str(crops)]


def _crops_1() -> list[str]:
    return [*_clips(world.NUM_CLIPS, 1), "DATA.TEST_CROP_SIZE", "32"]


FAULTS = (
    Fault("logits", _change(lambda scores: 5 * np.log(scores)), ais_bench(), 1, [SOFTMAX]),
    Fault("log-probabilities", _change(np.log), ais_bench(), 1, [SOFTMAX]),
    Fault("zeros", _change(np.zeros_like), ais_bench(), 1, ["ais"]),
    Fault("all alike", _change(lambda scores: np.full_like(scores, 1 / 9)), ais_bench(), 1, ["ais"]),
    Fault("a score above one", _value(0, 3), ais_bench(), 1, [FIRST]),
    Fault("a negative score", _value(0, -0.5), ais_bench(), 1, [FIRST]),
    Fault("a score that is NaN", _value(0, float("nan")), ais_bench(), 1, [FIRST, "finite|NaN"]),
    Fault("a score in another class", _value(8, 0.9), ais_bench(), 1, [FIRST]),
    Fault("a flipped bit", edit(f"res/{FIRST}", flip_bit), ours(), 1, [FIRST]),
    Fault("an empty result", write(f"res/{FIRST}", b""), ours(), 1, [FIRST]),
    Fault("two classes fewer", edit(f"ais/{FIRST}", lambda data: data[:-8]), ais_bench(), 1, [FIRST, "NUM_CLASSES"]),
    Fault("a result is missing", lambda: Path("res", FIRST).unlink(), ours(), 1, ["misses views: 0"]),
    Fault("a pipe as result", replace_by_pipe(f"ais/{FIRST}"), ais_bench(), 1, [FIRST]),
    Fault(
        "a folder as result",
        replace_by_folder(f"ais/{FIRST}"),
        ais_bench(),
        1,
        [FIRST],
    ),
    Fault("a result of another label", lambda: Path("ais", FIRST).rename("ais/0_3_0.bin"), ais_bench(), 1, ["view 0"]),
    Fault(
        "other programs' files",
        each(write("ais/.DS_Store", b"x"), write("ais/sumary.json", "{}")),
        ais_bench(),
        0,
        [],
        line=True,
    ),
    Fault("too few clips", nothing, ours(*_clips(1)), 2, [r"TEST\.NUM_ENSEMBLE_VIEWS"]),
    Fault("too many clips", nothing, ours(*_clips(5)), 2, [r"TEST\.NUM_ENSEMBLE_VIEWS"]),
    Fault("too few crops", nothing, ours(*_crops_1()), 2, [r"TEST\.NUM_SPATIAL_CROPS"]),
    Fault("too few clips of ais_bench's", nothing, ais_bench(*_clips(1)), 2, [r"TEST\.NUM_ENSEMBLE_VIEWS"]),
    Fault("other number of classes", nothing, ours("MODEL.NUM_CLASSES", "8"), 2, [r"MODEL\.NUM_CLASSES"]),
    Fault("summary nested too deep", write("res_summary.json", "[" * 100_000), ours(), 2, [r"res_summary\.json"]),
    Fault("summary of another shape", write("res_summary.json", '{"filesinfo": 3}'), ours(), 2, [r"res_summary\.json"]),
    Fault("summary that is a list", write("res_summary.json", "[]"), ours(), 2, [r"res_summary\.json"]),
    Fault("summary edited", _summary(lambda content: content.update(throughput=1)), ours(), 2, [r"res_summary\.json"]),
    Fault(
        "an earlier accuracy beside a rejected folder",
        each(write("ais_accuracy.json", '{"expected_from": "", "conditions": {}}'), _value(0, 3)),
        ais_bench(),
        1,
        [FIRST],
        absent=["ais_accuracy.json"],
    ),
    Fault(
        "a file of the user in the place of the accuracy",
        write("ais_accuracy.json", "{}"),
        ais_bench(),
        2,
        [r"ais_accuracy\.json is no file of this suite"],
    ),
    Fault(
        "results of an earlier run in the folder",
        nothing,
        lambda: world.infer("small.onnx", "prep", "res"),
        2,
        ["res holds files of another run"],
    ),
    Fault(
        "a folder of results as OUTPUT_PATH",
        nothing,
        lambda: world.evaluate("small.onnx", "res"),
        2,
        [r"res\b.*"],
        absent=["res/manifest.json"],
    ),
    Fault(
        "a user's folder with the name of a part",
        each(Path("new.partial").mkdir, Path("new.partial/mine").touch),
        lambda: world.infer("small.onnx", "prep", "new"),
        0,
        [],
        present=["new.partial/mine", f"new/{FIRST}"],
    ),
    Fault("no such folder", lambda: shutil.rmtree("res"), ours(), 2, ["X3D_POSTPROCESS.OM_OUTPUT_PATH"]),
)
