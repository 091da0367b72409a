"""Make the intact inputs: what a user has after each script of the suite has run once, as small as possible.

All paths are relative to the folder, so that copies of it work anywhere. The same bytes are made each time.
"""

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import yaml

from demo.small import SMALL
from demo.synthetic import synthetic_state
from test.helpers import ROOT
from test.in_process import Ran, run_script
from test.local_runner import LocalRunner
from test.made_up_annotations import write_annotations
from test.videos import B_FRAMES, remux, write_video
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution.outcome import Outcome

NUM_CLIPS, NUM_CROPS, NUM_CLASSES, NUM_FRAMES = 2, 3, 9, 40
CFG = ["--cfg", "cfg.yaml"]
DATA = ["DATA.PATH_TO_DATA_DIR", "data", "DATA.PATH_PREFIX", "data/val"]
LOSSY = {"qp": "20", "g": "12", "bf": "0"}
VIDEOS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": B_FRAMES},
    "h264.mkv": {"options": LOSSY},
    "h264.ts": {"options": LOSSY},
    "mpeg4.avi": {"codec": "mpeg4"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
}
MODELS = {"small.onnx": "eval", "outside/small.onnx": "eval_outside", "foreign.onnx": "eval_foreign"}
"""A model -> the folder of an evaluation with it."""
RESULTS = {"res": "BIN", "res_npy": "NPY", "res_txt": "TXT"}
TWO_RUNS = [
    f"{name}{more}{suffix}"
    for name in ("res", "ais")
    for more in ("", "_other", "_part")
    for suffix in ("", "_summary.json")
]
"""Results of x3d_infer.py and of ais_bench: of small.onnx, of another model, and of that and a part of the views."""
FIXED_TIME = 1_700_000_000


class InlineRunner(LocalRunner):
    """Runs a function on each video in this process, with the outcomes of the worker processes."""

    def run(self, function: Callable[[Video], Any], videos: Sequence[Video]) -> Iterator[Outcome[Any]]:
        for video in videos:
            try:
                yield Outcome(video, (self.replacement or function)(video))
            except VideoError as error:
                yield Outcome(video, None, error.reason, str(error))
            except (OSError, MemoryError, RunError, ImportError):
                raise
            except EngineError as error:
                raise RunError(str(error)) from error
            except Exception as error:  # noqa: BLE001 - as the worker processes report it
                yield Outcome(video, None, "internal_error", f"{video.path}: {error!r}")


def preprocess(folder: str, *more: str) -> Ran:
    return run_script("x3d_preprocess", [*CFG, *DATA, "X3D_PREPROCESS.DATA_OUTPUT_PATH", folder, *more])


def infer(model: str, views: str, folder: str, outfmt: str = "BIN", *more: str) -> Ran:
    paths = ["--model", model, "--input", views, "--output", ".", "--output_dirname", folder]
    return run_script("x3d_infer", [*paths, "--batchsize", "4", "--outfmt", outfmt, *more])


def score(folder: str, *more: str) -> Ran:
    return run_script("x3d_postprocess", [*CFG, "X3D_POSTPROCESS.OM_OUTPUT_PATH", folder, *more])


def evaluate(model: str, folder: str, *more: str) -> Ran:
    paths = ["X3D_EVALUATE.MODEL_PATH", model, "X3D_EVALUATE.OUTPUT_PATH", folder]
    return run_script("x3d_evaluate", [*CFG, *DATA, *paths, "X3D_WORKERS.NUM", "1", *more])


def report(folder: str, output: str, *more: str) -> Ran:
    return run_script("x3d_report", [*CFG, "--results", folder, "--output", output, *more])


def compare(reference: str, candidate: str, *more: str) -> Ran:
    return run_script("x3d_compare", [*CFG, "--reference", reference, "--candidate", candidate, *more])


def export(checkpoint: str, model: str) -> Ran:
    keys = ["TEST.CHECKPOINT_FILE_PATH", checkpoint, "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", model]
    return run_script("x3d_pth2onnx", [*CFG, *keys])


def predict(model: str, videos: str, *more: str) -> Ran:
    return run_script("x3d_predict", [*CFG, "--model", model, "--input", videos, *more])


def verify() -> Ran:
    return run_script("x3d_verify", [*CFG, *DATA])


def build(folder: Path) -> None:
    """Make the inputs in a new folder; it becomes the working folder."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    with _same_bytes_each_time():
        _write_cfg()
        _write_videos()
        _write_models()
        write_annotations(NUM_CLASSES)
        _run(preprocess("prep"), preprocess("prep_bin", "X3D_PREPROCESS.FORMAT", "bin"))
        for name, outfmt in RESULTS.items():
            _run(infer("small.onnx", "prep", name, outfmt))
        for model, name in MODELS.items():
            _run(evaluate(model, name))
        _run(infer("other.onnx", "prep", "res_other"))
        views = sorted(map(str, Path("prep").glob("*.npy")))[: NUM_CLIPS * NUM_CROPS]
        _run(infer("other.onnx", ",".join(views), "res_part"))
        for name in ("", "_other", "_part"):
            _write_ais_bench(f"res{name}", f"ais{name}")
    _stop_a_run()


def _run(*all_ran: Ran) -> None:
    for ran in all_ran:
        if ran.status:
            raise RuntimeError(f"{' '.join(ran.arguments)} ended with {ran.status}: {ran.err}")


@contextmanager
def _same_bytes_each_time() -> Iterator[None]:
    """Replace what the scripts record about a run and a process."""
    with (
        mock.patch("time.perf_counter", side_effect=map(float, itertools.count())),
        mock.patch("os.getpid", return_value=1),
        mock.patch.object(sys, "argv", ["x3d"]),
    ):
        yield


def _write_cfg() -> None:
    content = yaml.safe_load((ROOT / "configs/X3D_S.yaml").read_text())
    small = [*SMALL, "TEST.NUM_ENSEMBLE_VIEWS", str(NUM_CLIPS), "TEST.NUM_SPATIAL_CROPS", str(NUM_CROPS)]
    for key, value in zip(small[::2], small[1::2], strict=True):
        section, name = key.split(".")
        content.setdefault(section, {})[name] = yaml.safe_load(value)
    Path("cfg.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _write_videos() -> None:
    val = Path("data/val")
    for name, made in VIDEOS.items():
        source = write_video(val / f"source-{name}", NUM_FRAMES, **made)
        remux(source, val / name, fflags="+bitexact")
        source.unlink()
    Path("data/test.csv").write_text("".join(f"{name} {index}\n" for index, name in enumerate(VIDEOS)))
    for path in (*val.iterdir(), Path("data/test.csv")):
        os.utime(path, (FIXED_TIME, FIXED_TIME))


def _write_models() -> None:
    """Write checkpoints, torch's older form too; ONNX, with its weights in another file too, and without digest."""
    import onnx
    import torch

    from x3d.config.loading import load_cfg
    from x3d.network.model import X3D, Architecture

    state = synthetic_state(X3D(Architecture.from_cfg(load_cfg("cfg.yaml"))), 3)
    content = {"epoch": 1, "cfg": Path("cfg.yaml").read_text(), "model_state": state}
    torch.save(content, "small.pyth")
    torch.save(content, "older.pyth", _use_new_zipfile_serialization=False)
    _run(export("small.pyth", "small.onnx"))
    Path("outside").mkdir()
    outside = {"save_as_external_data": True, "location": "small.onnx.data", "size_threshold": 0}
    onnx.save(onnx.load("small.onnx"), "outside/small.onnx", **outside)  # type: ignore[arg-type]
    foreign = onnx.load("small.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, "foreign.onnx")
    for constant in foreign.graph.initializer:
        if constant.data_type == onnx.TensorProto.FLOAT:
            values = 0.9 * onnx.numpy_helper.to_array(constant)
            constant.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), constant.name))
    onnx.save(foreign, "other.onnx")


def _write_ais_bench(source: str, target: str) -> None:
    """Copy the results as ais_bench leaves them: its summary has no digests and no provenance."""
    shutil.copytree(source, target)
    summary = json.loads(Path(f"{source}_summary.json").read_text())
    kept = {key: value for key, value in summary.items() if key in AIS_BENCH_KEYS}
    for number, sample in kept["filesinfo"].items():
        outputs = [path.replace(f"{source}/", f"{target}/") for path in sample["outfiles"]]
        kept["filesinfo"][number] = {"infiles": sample["infiles"], "outfiles": outputs}
    Path(f"{target}_summary.json").write_text(json.dumps(kept))


AIS_BENCH_KEYS = (
    *("filesinfo", "args", "NPU_compute_time", "H2D_latency", "D2H_latency"),
    *("throughput", "npu_compute_time_list", "pid"),
)


def _stop_a_run() -> None:
    """Make the folder `stopped` of a preprocessing run that was killed before its last videos."""

    def work_then_stop(script: Callable[..., Ran], *arguments: str) -> None:
        child = os.fork()
        if not child:
            with mock.patch.object(InlineRunner, "run", _run_some_then_exit):
                script(*arguments)
            os._exit(1)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != STOPPED:
            raise RuntimeError(f"{script.__name__} did not stop where it should")

    work_then_stop(preprocess, "stopped")


STOPPED = 77
_run_all = InlineRunner.run


def _run_some_then_exit(
    self: InlineRunner, function: Callable[[Video], Any], videos: Sequence[Video]
) -> Iterator[Outcome[Any]]:
    yield from _run_all(self, function, videos[:-2])
    os._exit(STOPPED)


def probabilities(path: Path) -> np.ndarray | None:
    """Read a `.bin` result without the suite's code, None where it is none."""
    data = path.read_bytes()
    return np.frombuffer(data, "<f4") if len(data) == 4 * NUM_CLASSES else None


def use_inline_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the videos of every script in this process."""
    for module in ("preprocess", "scorers", "verify"):
        InlineRunner().use_in(module, monkeypatch)
