"""Compare float16 views with float32 ones: bytes, scores of the demo's network, and the cost of reading.

    python -m benchmarks.float16 [--quick] [--videos 32]

Makes clips of demo/make_videos.py --hard, of which the demo's network gets about four of five right, and runs
x3d_preprocess.py with each type, x3d_infer.py on each, and x3d_compare.py's comparison. Preprocessing is timed in turn,
with one worker. Then batches of eight views are read in turn, from the page cache and with their hashes checked, and
converted to what the model takes; the processor's time counts. 32 videos need 8 GB of disk.
"""

import functools
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.common import (
    ROOT,
    ROUNDS,
    build_parser,
    median_ratio,
    parse_args,
    run_measured,
    script,
    time_in_turn,
    write_results,
)
from x3d.config.loading import load_cfg
from x3d.dataset.class_names import ClassNames
from x3d.pipeline.compare import compare, comparison_to_dict
from x3d.pipeline.postprocess import ScoringSettings
from x3d.storage.view_reader import open_views
from x3d.video.dtype import DTYPES
from x3d.video.transform import view_shape

CFG = str(ROOT / "configs" / "X3D_DEMO.yaml")
VIDEOS, QUICK_VIDEOS = 32, 2
ONE_VIEW = ["TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160"]
BATCH_SIZE = 8
READ_ROUNDS = 25
SEED = 16


class Runs:
    """The demo's network on float32 and on float16 views of the same clips."""

    def __init__(self, scratch: Path, num_videos: int, keys: Sequence[str]) -> None:
        self.scratch = scratch
        data = scratch / "data"
        run_measured(
            script("-m", ["demo.make_videos", str(data), "--num", str(num_videos), "--seed", str(SEED), "--hard"])
        )
        self.keys = [*keys, "DATA.PATH_TO_DATA_DIR", str(data), "DATA.CLASS_NAMES", str(data / "classes.txt")]
        checkpoint = {"TEST__CHECKPOINT_FILE_PATH": ROOT / "demo" / "x3d_demo.pyth"}
        run_measured(
            script("x3d_pth2onnx.py", self._cfg(), X3D_PTH2ONNX__ONNX_OUTPUT_PATH=scratch / "x3d.onnx", **checkpoint)
        )

    def _cfg(self) -> list[str]:
        return ["--cfg", CFG, *self.keys]

    def views(self, dtype: str) -> Path:
        """Name the folder of the views of a type."""
        return self.scratch / f"views_{dtype}"

    def preprocess(self, dtype: str) -> None:
        """Make the views anew."""
        keys = {"X3D_PREPROCESS__DATA_OUTPUT_PATH": self.views(dtype), "X3D_PREPROCESS__DTYPE": dtype}
        keys |= {"X3D_PREPROCESS__OVERWRITE": True, "X3D_WORKERS__NUM": 1}
        val = self.scratch / "data" / "val"
        run_measured(script("x3d_preprocess.py", self._cfg(), DATA__PATH_PREFIX=val, **keys))

    def infer(self, dtype: str) -> Path:
        """Run the network on the views of a type, and return the folder of the results."""
        options = ["--model", self.scratch / "x3d.onnx", "--input", self.views(dtype), "--output", self.scratch]
        run_measured(script("x3d_infer.py", [*map(str, options), "--output_dirname", dtype, "--batchsize", "8"]))
        return self.scratch / dtype

    def compare(self) -> dict[str, Any]:
        """Compare the results, as x3d_compare.py does."""
        cfg = load_cfg(CFG, self.keys)
        folders = [str(self.scratch / dtype) for dtype in DTYPES]
        comparison = compare(folders[0], folders[1], ScoringSettings.from_cfg(cfg))
        content = comparison_to_dict(comparison, ClassNames.from_cfg(cfg))
        keys = ("lost", "gained", "agreement", "views", "max_difference")
        top1 = {dtype: content[run]["top1"] for dtype, run in zip(DTYPES, ("reference", "candidate"), strict=True)}
        return {key: content[key] for key in keys} | {"top1": top1, "verdict": content["decision"]["verdict"]}

    def largest_differences(self) -> dict[str, float]:
        """Compare the values of the views, and the probabilities of single views."""
        values, probabilities = [], []
        for path in tqdm(sorted(self.views("float32").glob("*.npy")), desc="views", unit="view", disable=None):
            half = np.load(self.views("float16") / path.name).astype(np.float32)
            values.append(float(np.abs(half - np.load(path)).max()))
            name = f"{path.stem}_0.bin"
            scores = [np.fromfile(self.scratch / dtype / name, np.float32) for dtype in DTYPES]
            probabilities.append(float(np.abs(scores[1] - scores[0]).max()))
        return {"value": max(values), "probability_of_a_view": max(probabilities)}

    def time_reading(self, rounds: int) -> dict[str, list[float]]:
        """Measure the processor's seconds per view, for a float32 input, and of float16 views for a float16 input."""
        shape = view_shape(load_cfg(CFG, self.keys))
        views = {dtype: open_views(str(self.views(dtype))) for dtype in DTYPES}
        for found in views.values():
            found.check(shape)
        paths = {dtype: found.paths[:BATCH_SIZE] for dtype, found in views.items()}
        actions = {
            "float32": lambda: views["float32"].read(paths["float32"], shape, "float32"),
            "float16": lambda: views["float16"].read(paths["float16"], shape, "float32"),
            "float16_for_float16": lambda: views["float16"].read(paths["float16"], shape, "float16"),
        }
        seconds = time_in_turn(actions, rounds, clock=time.process_time)
        return {name: [one / len(paths["float32"]) for one in found] for name, found in seconds.items()}


def measure(scratch: Path, num_videos: int, keys: Sequence[str], rounds: int) -> dict[str, Any]:
    """Run everything, and collect the figures."""
    runs = Runs(scratch, num_videos, keys)
    preprocess = time_in_turn(
        {dtype: functools.partial(runs.preprocess, dtype) for dtype in DTYPES}, rounds, warm_ups=0
    )
    for dtype in DTYPES:
        runs.infer(dtype)
    reading = runs.time_reading(READ_ROUNDS if rounds > 1 else 1)
    sizes = {dtype: next(runs.views(dtype).glob("*.npy")).stat().st_size for dtype in DTYPES}
    return {
        "videos": num_videos,
        "bytes_per_view": sizes,
        "largest_difference": runs.largest_differences(),
        "comparison": runs.compare(),
        "read_ms_per_view": {name: 1000 * statistics.median(found) for name, found in reading.items()},
        "read_over_float32": {
            name: median_ratio(found, reading["float32"]) for name, found in reading.items() if name != "float32"
        },
        "preprocess_seconds": {dtype: statistics.median(found) for dtype, found in preprocess.items()},
        "preprocess_over_float32": median_ratio(preprocess["float16"], preprocess["float32"]),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--videos", type=int, metavar="N", help=f"clips to make (default: {VIDEOS}; --quick: 2)")
    args = parse_args(parser, argv)
    num_videos = args.videos or (QUICK_VIDEOS if args.quick else VIDEOS)
    rounds = 1 if args.quick else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), num_videos, ONE_VIEW if args.quick else [], rounds)
    write_results("float16", args, {"rounds": rounds, "threads_a_worker": 1, **figures})


if __name__ == "__main__":
    main()
