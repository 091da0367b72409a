"""Compare the views and networks of this suite with PySlowFast's, and measure how fast one core makes the views.

    SLOWFAST_DIR=SlowFast taskset -c 0 python -m benchmarks.parity [--quick] [--cfg FILE] [VIDEO ...]

SLOWFAST_DIR is a clone of PySlowFast with x3d.patch. Both make the same views of the same videos in memory, in turn,
in three rounds: by default of two Kinetics-shaped clips of each size. Seconds are of processor time, which other load
on the machine hardly affects. Both networks get the same synthetic weights and two views. Figures of X3D_S.yaml are
written to benchmarks/results/parity_S.json, with PySlowFast's commit: its environment is not that of
requirements.txt.
"""

import copy
import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from benchmarks.clips import SIZES, kinetics_shaped_videos
from benchmarks.common import build_parser, find_reference, rounds_of, time_in_turn, write_results
from demo.synthetic import synthetic_state
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.network.engine import ONNX_ENGINES, open_engine
from x3d.network.export import export_onnx, fold_batch_norm
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import read_model
from x3d.pipeline.preprocess import write_views
from x3d.slowfast import COMMIT, check_reference, load_reference_model, write_reference_views
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

WEIGHTS_SEED, VIEWS_SEED = 5, 6


class MemoryWriter:
    """Replaces a ViewWriter: keeps the views in memory."""

    def __init__(self) -> None:
        self.views: dict[int, np.ndarray] = {}

    def write(self, video: Video, views: Iterable[tuple[int, np.ndarray]]) -> str:
        self.views = {number: view.copy() for number, view in views}
        return ""


def measure_video(path: str, routes: Mapping[str, Callable[..., Any]], rounds: int) -> dict[str, Any]:
    """Compare the views of one video by both routes, and time them in turn."""
    video, writers = Video(0, path, path, 0), {name: MemoryWriter() for name in routes}
    actions = {name: functools.partial(route, video, writer=writers[name]) for name, route in routes.items()}
    seconds = time_in_turn(actions, rounds, 0, time.process_time)
    native, slowfast = writers["native"].views, writers["pyslowfast"].views
    if native.keys() != slowfast.keys():
        raise ValueError(f"{path}: {len(native)} views, {len(slowfast)} from PySlowFast")
    return {
        "video": Path(path).name,
        "views": len(native),
        "largest_difference": max(largest_difference(native[number], slowfast[number]) for number in native),
        **{f"{name}_seconds": statistics.median(values) for name, values in seconds.items()},
    }


def compare_networks(cfg: "CfgNode", folder: Path) -> dict[str, Any]:
    """Run both networks on two standard normal views, in torch and from their ONNX files in each engine.

    Returns:
        Largest absolute differences of the probabilities, and the largest probability, to compare them with.
    """
    checkpoint = str(folder / "synthetic.pyth")
    native = X3D(Architecture.from_cfg(cfg)).eval()
    native.load_state_dict(synthetic_state(native, WEIGHTS_SEED))
    torch.save({"model_state": native.state_dict()}, checkpoint)
    networks = {"native": native, "pyslowfast": load_reference_model(cfg, checkpoint)}
    shape = view_shape(cfg)
    views = np.random.RandomState(VIEWS_SEED).standard_normal((2, *shape)).astype(np.float32)
    with torch.inference_mode():
        in_torch = {name: network(torch.from_numpy(views)).numpy() for name, network in networks.items()}
    expected = in_torch["pyslowfast"]
    figures = {
        "largest_probability": float(expected.max()),
        "torch": largest_difference(in_torch["native"], expected),
    }
    for name, network in networks.items():
        folded = copy.deepcopy(network)
        fold_batch_norm(folded)
        (folder / f"{name}.onnx").write_bytes(export_onnx(folded, shape, cfg.X3D_PTH2ONNX.OPSET, 0))
    for engine in ONNX_ENGINES:
        found = [open_engine(read_model(str(folder / f"{name}.onnx")), engine).infer(views) for name in networks]
        figures[f"{engine}_between"] = largest_difference(*found)
        figures[f"{engine}_from_torch"] = max(largest_difference(scores, expected) for scores in found)
    return figures


def make_clips(folder: Path) -> list[str]:
    """Make the videos to compare: of each size the clip of the lowest and that of the highest bit rate."""
    return [path for size in SIZES for path in kinetics_shaped_videos(folder / size.name, size, num=2)]


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max())


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--cfg", default=str(DEFAULT_CFG), metavar="FILE", help="yaml file (default: X3D_S.yaml)")
    args = parser.parse_args(argv)
    cfg = load_cfg(args.cfg)
    find_reference()
    check_reference(cfg)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    native = functools.partial(write_views, sampling=Sampling.from_cfg(cfg), transform=Transform.from_cfg(cfg))
    routes = {"native": native, "pyslowfast": functools.partial(write_reference_views, cfg=cfg)}
    name = f"parity_{Path(args.cfg).stem.removeprefix('X3D_')}"
    rounds = 1 if args.quick else rounds_of(name)
    with tempfile.TemporaryDirectory() as folder:
        per_video = [measure_video(path, routes, rounds) for path in args.videos or make_clips(Path(folder))]
        networks = compare_networks(cfg, Path(folder))
    total = {key: sum(video[key] for video in per_video) for key in ("views", "native_seconds", "pyslowfast_seconds")}
    figures = {
        "cfg": Path(args.cfg).name,
        "pyslowfast": COMMIT,
        "torchvision": version("torchvision"),
        "rounds": rounds,
        "threads": 1,
        "networks": networks,
        "per_video": per_video,
        "native_views_a_second": total["views"] / total["native_seconds"],
        "pyslowfast_views_a_second": total["views"] / total["pyslowfast_seconds"],
        "native_over_pyslowfast": total["pyslowfast_seconds"] / total["native_seconds"],
    }
    write_results(name, args, figures)


if __name__ == "__main__":
    main()
