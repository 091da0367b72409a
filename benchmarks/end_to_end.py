"""Measure the way from videos to accuracy: by streaming, by files, and compared with inference alone.

    python -m benchmarks.end_to_end [--quick] [--copies 8] [VIDEO ...]

Every video is listed `--copies` times. Streaming is x3d_evaluate.py; files are x3d_preprocess.py, x3d_infer.py and
x3d_postprocess.py; both are started as commands. Inference alone runs the same number of random views, without
decoding, in worker processes configured as those of x3d_evaluate.py. If SLOWFAST_DIR is a clone with x3d.patch,
PySlowFast's route is measured too: the files, with BACKEND slowfast, each video listed once.
"""

import functools
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    ROUNDS,
    build_parser,
    has_reference,
    make_model,
    median_ratio,
    run_measured,
    sample_videos,
    script,
    time_in_turn,
    write_list,
    write_results,
)
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.dataset.annotations import Video
from x3d.dataset.naming import views_per_video
from x3d.execution.process_pool import Workers
from x3d.network.engine import infer_padded, open_engine
from x3d.network.model_file import read_model

BATCH_SIZE = 8
"""That of x3d_evaluate.py on a CPU."""


@functools.lru_cache(maxsize=1)
def open_once(model_path: str) -> tuple[Any, np.ndarray]:
    """Open the model as a worker of x3d_evaluate.py does, with one thread, and make a batch for it."""
    engine = open_engine(read_model(model_path), num_threads=1)
    return engine, np.random.RandomState(0).standard_normal((BATCH_SIZE, *engine.view_shape)).astype(np.float32)


@dataclass(frozen=True)
class InferenceAlone:
    """Runs random views, as many as a video has, without decoding."""

    model_path: str
    num_views: int

    def __call__(self, video: Video) -> None:
        engine, batch = open_once(self.model_path)
        for start in range(0, self.num_views, BATCH_SIZE):
            infer_padded(engine, batch[: self.num_views - start])


class Routes:
    """Routes from one list of videos to its accuracy, each an action to time."""

    def __init__(self, keys: Sequence[str], model_path: str, scratch: Path, videos: Sequence[str], copies: int) -> None:
        self.keys, self.model_path, self.scratch = keys, model_path, scratch
        self.listed = write_list(scratch / f"list_{copies}", videos, copies)
        self.num_videos = len(videos) * copies
        self.num_views = views_per_video(load_cfg(str(DEFAULT_CFG), keys))

    def streaming(self) -> None:
        output = self.scratch / "eval"
        keys = {"X3D_EVALUATE__MODEL_PATH": self.model_path, "X3D_EVALUATE__OUTPUT_PATH": output}
        run_measured(script("x3d_evaluate.py", self.keys, **self.listed, **keys))
        shutil.rmtree(output)

    def files(self, backend: str = "native") -> None:
        views, results = self.scratch / "views", self.scratch / "results"
        prep = {"X3D_PREPROCESS__DATA_OUTPUT_PATH": views, "X3D_PREPROCESS__BACKEND": backend}
        run_measured(script("x3d_preprocess.py", self.keys, **self.listed, X3D_WORKERS__TIMEOUT=3600, **prep))
        flags = ["--input", str(views), "--output", str(self.scratch), "--output_dirname", results.name]
        run_measured([*script("x3d_infer.py", []), "--model", self.model_path, *flags, "--batchsize", str(BATCH_SIZE)])
        post = {"X3D_POSTPROCESS__OM_OUTPUT_PATH": results, "X3D_POSTPROCESS__BACKEND": backend}
        run_measured(script("x3d_postprocess.py", self.keys, **self.listed, **post))
        shutil.rmtree(views)
        shutil.rmtree(results)

    def inference_alone(self) -> None:
        videos = [Video(number, "", "", 0) for number in range(self.num_videos)]
        with Workers(0, 3600) as workers:
            for outcome in workers.run(InferenceAlone(self.model_path, self.num_views), videos):
                if outcome.reason:
                    raise ValueError(outcome.text)

    def rates(self, seconds: Sequence[float]) -> dict[str, float]:
        """Convert a route's seconds to rates."""
        videos_per_second = self.num_videos / statistics.median(seconds)
        return {
            "seconds": statistics.median(seconds),
            "videos_an_hour": 3600 * videos_per_second,
            "views_a_second": self.num_views * videos_per_second,
        }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--copies", type=int, help="times each video is listed (default: 8, with --quick 1)")
    args = parser.parse_args(argv)
    videos, keys = args.videos or sample_videos(), SMALL if args.quick else []
    rounds, warm_ups = (1, 0) if args.quick else (ROUNDS, 1)
    cfg = load_cfg(str(DEFAULT_CFG), keys)
    with tempfile.TemporaryDirectory() as name:
        _, model_path = make_model(cfg, Path(name))
        routes = Routes(keys, model_path, Path(name), videos, args.copies or (1 if args.quick else 8))
        actions = {"streaming": routes.streaming, "files": routes.files, "inference_alone": routes.inference_alone}
        seconds = time_in_turn(actions, rounds, warm_ups)
        figures: dict[str, Any] = {route: routes.rates(values) for route, values in seconds.items()}
        if has_reference(cfg):
            once = Routes(keys, model_path, Path(name), videos, 1)
            slow = time_in_turn({"pyslowfast": lambda: once.files("slowfast")}, rounds, 0)
            figures["pyslowfast"] = {"videos": once.num_videos, **once.rates(slow["pyslowfast"])}
    share = median_ratio(seconds["inference_alone"], seconds["streaming"])
    figures |= {
        "rounds": rounds,
        "videos": routes.num_videos,
        "workers": count_cores(),
        "threads_a_worker": 1,
        "streaming_share_of_inference_alone": share,
    }
    write_results("end_to_end", args, figures)


if __name__ == "__main__":
    main()
