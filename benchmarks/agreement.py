"""How far the scores of a narrower precision agree with those of float32, on views of videos."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import ROOT, run_measured, script
from x3d.errors import EngineError
from x3d.network.engine import Engine, open_engine
from x3d.network.model_file import read_model
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, view_shape
from x3d.video.views import video_views

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

NARROWER = ("bf16", "f16")
"""Precisions of OpenVINO beside f32."""
DEMO_CFG = str(ROOT / "configs" / "X3D_DEMO.yaml")
DEMO_CHECKPOINT = str(ROOT / "demo" / "x3d_demo.pyth")


def open_native(model_path: str, num_threads: int) -> dict[str, Engine]:
    """Open a model in OpenVINO in f32 and in each other precision that the processor has natively."""
    model = read_model(model_path)
    engines = {"f32": open_engine(model, "openvino", "", num_threads)}
    for precision in NARROWER:
        with contextlib.suppress(EngineError):
            engines[precision] = open_engine(model, "openvino", "", num_threads, precision)
    return engines


def export_demo(folder: Path) -> str:
    """Export the demo's trained network and return the path of its .onnx."""
    path = str(folder / "demo.onnx")
    keys = {"TEST__CHECKPOINT_FILE_PATH": DEMO_CHECKPOINT, "X3D_PTH2ONNX__ONNX_OUTPUT_PATH": path}
    run_measured(script("x3d_pth2onnx.py", ["--cfg", DEMO_CFG], **keys))
    return path


def measure_agreement(
    cfg: "CfgNode", model_path: str, videos: Sequence[str], num_threads: int
) -> dict[str, dict[str, Any]]:
    """Run every view of videos in each native precision and compare the probabilities with those of f32.

    Returns:
        By precision: the number of views, of those with the same best class, the number of best classes in f32 (with
        few, sharing it means little), and the largest difference.
    """
    engines = open_native(model_path, num_threads)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in engines}
    for views in read_views(cfg, videos):
        for name, engine in engines.items():
            rows[name].append(engine.infer(views))
    scores = {name: np.concatenate(found) for name, found in rows.items()}
    exact = scores.pop("f32")
    best = exact.argmax(axis=1)
    return {
        name: {
            "views": len(found),
            "same_top1": int((found.argmax(axis=1) == best).sum()),
            "classes": len(np.unique(best)),
            "largest_difference": float(np.abs(found - exact).max()),
        }
        for name, found in scores.items()
    }


def read_views(cfg: "CfgNode", videos: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield the views of each video, (V, 3, T, C, C) float32."""
    sampling, transform = Sampling.from_cfg(cfg), Transform.from_cfg(cfg)
    views = np.empty((sampling.num_clips * len(transform.crops()), *view_shape(cfg)), np.float32)
    for path in videos:
        with VideoReader(path) as reader:
            for number, view in video_views(reader, sampling, transform):
                views[number] = view[0]
        yield views
