"""Measure the way from videos to accuracy: by streaming, by files, and compared with inference alone.

    python -m benchmarks.end_to_end [--quick] [VIDEO ...]

24 Kinetics-shaped clips of 340x256. Streaming is x3d_evaluate.py; files are x3d_preprocess.py, x3d_infer.py and
x3d_postprocess.py. Inference alone is benchmarks/inference_alone.py: the same worker processes with the same engine run
as many random views without decoding. All are commands and include their start-up. Streaming and inference alone take
turns, in f32 and, where the processor has it natively, in bf16; the files follow, in two rounds. The first result is
the first row of scores on the disk.
"""

import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.clips import kinetics_shaped_videos
from benchmarks.commands import Cost, run_measured, script
from benchmarks.common import build_parser, make_model, rounds_of, write_list, write_results
from benchmarks.labels import PRECISIONS
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.dataset.naming import views_per_video
from x3d.errors import EngineError
from x3d.network.engine import open_engine
from x3d.network.model_file import read_model

NUM_CLIPS = 24
FILE_ROUNDS = 2
BATCH_SIZE = 8
"""That of x3d_evaluate.py on a CPU."""


class Routes:
    """Routes from one list of videos to its accuracy, as commands."""

    def __init__(self, keys: Sequence[str], model_path: str, scratch: Path, videos: Sequence[str]) -> None:
        self.keys, self.model_path, self.scratch = keys, model_path, scratch
        self.listed = write_list(scratch / "list", videos)
        self.num_videos = len(videos)
        self.num_views = views_per_video(load_cfg(str(DEFAULT_CFG), keys))

    def streaming(self, precision: str) -> Cost:
        rows = self.scratch / "eval" / "manifest.rows"
        cost = run_measured(script("x3d_evaluate.py", self.keys, **self._evaluate(precision)), watched=[rows])
        shutil.rmtree(self.scratch / "eval")
        return cost

    def inference_alone(self, precision: str) -> Cost:
        return run_measured(script("-m", ["benchmarks.inference_alone", *self.keys], **self._evaluate(precision)))

    def _evaluate(self, precision: str) -> dict[str, object]:
        return {
            **self.listed,
            "X3D_EVALUATE__MODEL_PATH": self.model_path,
            "X3D_EVALUATE__OUTPUT_PATH": self.scratch / "eval",
            "X3D_EVALUATE__PRECISION": precision,
        }

    def files(self) -> float:
        """Run the three scripts; return seconds."""
        views, results = self.scratch / "views", self.scratch / "results"
        flags = ["--input", str(views), "--output", str(self.scratch), "--output_dirname", results.name]
        costs = [
            run_measured(script("x3d_preprocess.py", self.keys, **self.listed, X3D_PREPROCESS__DATA_OUTPUT_PATH=views)),
            run_measured(
                [*script("x3d_infer.py", []), "--model", self.model_path, *flags, "--batchsize", str(BATCH_SIZE)]
            ),
            run_measured(
                script("x3d_postprocess.py", self.keys, **self.listed, X3D_POSTPROCESS__OM_OUTPUT_PATH=results)
            ),
        ]
        shutil.rmtree(views)
        shutil.rmtree(results)
        return sum(cost.seconds for cost in costs)

    def rates(self, seconds: Sequence[float]) -> dict[str, float]:
        """Convert a route's seconds to rates."""
        videos_per_second = self.num_videos / statistics.median(seconds)
        return {
            "seconds": statistics.median(seconds),
            "videos_an_hour": 3600 * videos_per_second,
            "views_a_second": self.num_views * videos_per_second,
        }


def native_precisions(model_path: str) -> list[str]:
    """List the precisions of PRECISIONS that the processor has natively."""
    found = []
    for precision in PRECISIONS:
        try:
            open_engine(read_model(model_path), precision=precision)
        except EngineError:
            continue
        found.append(precision)
    return found


def measure_precision(routes: Routes, precision: str, rounds: int) -> dict[str, Any]:
    """Measure streaming and inference alone, in turn; the share is the median of the rounds' ratios."""
    streaming, alone = [], []
    for _ in tqdm(range(rounds), desc=precision, disable=None):
        streaming.append(routes.streaming(precision))
        alone.append(routes.inference_alone(precision))
    shares = sorted(a.seconds / s.seconds for a, s in zip(alone, streaming, strict=True))
    return {
        "streaming": routes.rates([cost.seconds for cost in streaming]),
        "inference_alone": routes.rates([cost.seconds for cost in alone]),
        "streaming_share_of_inference_alone": statistics.median(shares),
        "lowest_share": shares[0],
        "highest_share": shares[-1],
        "first_result_seconds": statistics.median(cost.first_seconds for cost in streaming),
    }


def main(argv: Sequence[str] | None = None) -> None:
    args = build_parser(__doc__, with_videos=True).parse_args(argv)
    keys = SMALL if args.quick else []
    rounds, file_rounds = (1, 1) if args.quick else (rounds_of("end_to_end"), FILE_ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        _, model_path = make_model(load_cfg(str(DEFAULT_CFG), keys), scratch)
        videos = args.videos or kinetics_shaped_videos(scratch / "clips", num=NUM_CLIPS)
        routes = Routes(keys, model_path, scratch, videos)
        figures: dict[str, Any] = {"rounds": rounds, "videos": len(videos), "workers": count_cores()}
        figures |= {"threads_a_worker": 1, "precisions": {}}
        for precision in native_precisions(model_path):
            figures["precisions"][precision] = measure_precision(routes, precision, rounds)
        figures["files"] = {"rounds": file_rounds, **routes.rates([routes.files() for _ in range(file_rounds)])}
    write_results("end_to_end", args, figures)


if __name__ == "__main__":
    main()
