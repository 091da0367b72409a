"""Measure how fast a host runs X3D-S, by engine, precision and batch size, and as a share of its matrix-product rate.

    python -m benchmarks.inference [--quick] [--batch_sizes 1 4 8 16 32 64]

OpenVINO in each precision that the processor has natively, ONNX Runtime and PyTorch eager run the same synthetic
weights, BatchNorm folded, with one thread per core. For each batch size these take turns in 21 rounds, every second
one in reverse order, after an untimed call of each:

1. OpenVINO in f32: one call with a batch of random values, several if a batch has fewer than four views per stream;
2. OpenVINO's own throughput mode on as many views, queued one by one, waiting only for the last: so it keeps all its
   streams busy at batch 1 too, where waiting for each view would leave all but one idle;
3. OpenVINO in the other precisions, as 1;
4. torch's product of two square float32 matrices, whose threads spin for a while after it: so not beside 1 and 2.

Up to batch 16 the throughput mode, ONNX Runtime, PyTorch and the product take turns in three rounds more. Rates and
ratios are medians over the rounds; quartiles show the spread of the ratios. The agreement of a precision with f32 is
measured on all views of Kinetics-shaped clips, and with the demo's trained network on those of its hard clips.
"""

import functools
import itertools
import logging
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from benchmarks.agreement import DEMO_CFG, export_demo, measure_agreement, open_native
from benchmarks.clips import kinetics_shaped_videos
from benchmarks.common import build_parser, make_model, write_results
from demo.make_videos import make_videos
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.network.engine import open_engine
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import read_model
from x3d.video.transform import view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

BATCH_SIZES = [1, 4, 8, 16, 32, 64]
SLOW_BATCH_SIZES = 16
"""Largest batch of ONNX Runtime and PyTorch."""
ROUNDS, SLOW_ROUNDS = 21, 3
VIEWS_PER_STREAM = 4
MATRIX_SIZE, QUICK_MATRIX_SIZE = 2048, 64
PERCENTILES = (50, 90, 99)
NUM_CLIPS = 10


def count_macs(cfg: "CfgNode") -> float:
    """Count the multiply-adds of one view as fvcore does, including BatchNorm."""
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    return FlopCountAnalysis(X3D(Architecture.from_cfg(cfg)).eval(), torch.zeros(1, *view_shape(cfg))).total()


Runs: TypeAlias = Mapping[str, Callable[[np.ndarray], object]]
"""By name, what runs a batch, (N, 3, T, C, C) float32."""


class ThroughputMode:
    """OpenVINO's own throughput mode on batches of one view: a reference for x3d/network/openvino_engine.py."""

    def __init__(self, onnx_path: str, shape: Sequence[int], num_threads: int) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(onnx_path)
        model.reshape([1, *shape])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(model, "CPU", settings | {"INFERENCE_NUM_THREADS": num_threads})
        self.num_streams = int(compiled.get_property("NUM_STREAMS"))
        self._queue = openvino.AsyncInferQueue(compiled)

    def run(self, batch: np.ndarray, num_calls: int) -> None:
        """Run the views of a batch `num_calls` times."""
        for _ in range(num_calls):
            for number in range(len(batch)):
                self._queue.start_async([batch[number : number + 1]], share_inputs=True)
        self._queue.wait_all()


@dataclass(frozen=True)
class Action:
    """What takes turns: a call, and how often it is made in a round."""

    call: Callable[[], object]
    num_calls: int = 1


def time_calls(actions: Mapping[str, Action], rounds: int) -> dict[str, list[list[float]]]:
    """Time several actions in turn, round by round, every second round in reverse order, after a call of each.

    Returns:
        Seconds of each call of each round, by action.
    """
    for action in actions.values():
        action.call()
    seconds: dict[str, list[list[float]]] = {name: [] for name in actions}
    for number in range(rounds):
        for name in [*actions][:: -1 if number % 2 else 1]:
            times = [time.perf_counter()]
            for _ in range(actions[name].num_calls):
                actions[name].call()
                times.append(time.perf_counter())
            seconds[name].append([end - start for start, end in itertools.pairwise(times)])
    return seconds


class Contenders:
    """The engines to measure, and what to compare them with; each is opened once.

    Args:
        folder: for the model.
        size: rows and columns of the matrices.
    """

    def __init__(self, cfg: "CfgNode", folder: Path, size: int) -> None:
        num_threads = torch.get_num_threads()
        self.shape, self.macs, self.size = view_shape(cfg), count_macs(cfg), size
        network, self.model_path = make_model(cfg, folder)
        narrower = open_native(self.model_path, num_threads)
        self.precisions = list(narrower)
        runtime = open_engine(read_model(self.model_path), "onnxruntime", "", num_threads)
        self._exact: Runs = {"openvino": narrower.pop("f32").infer}
        self._narrower: Runs = {f"openvino_{name}": engine.infer for name, engine in narrower.items()}
        self._slow: Runs = {"onnxruntime": runtime.infer, "pytorch": lambda batch: network(torch.from_numpy(batch))}
        self._reference = ThroughputMode(self.model_path, self.shape, num_threads)
        self._square = torch.rand(size, size)

    @torch.inference_mode()
    def measure(self, batch_size: int, rounds: int, slow_rounds: int) -> dict[str, Any]:
        """Measure all on one batch size: a row of the table."""
        batch = np.random.RandomState(0).standard_normal((batch_size, *self.shape)).astype(np.float32)
        row: dict[str, Any] = {"batch_size": batch_size}
        if batch_size <= SLOW_BATCH_SIZES:
            slow = time_calls(self._actions(batch, {}, self._slow), slow_rounds)
            row |= self._summarise(slow, batch_size)
        fast = time_calls(self._actions(batch, self._exact, self._narrower), rounds)
        row |= self._summarise(fast, batch_size)
        for name in self._narrower:
            row[name]["over_f32"], row[name]["over_f32_quartiles"] = ratios(fast[name], fast["openvino"])
        return row

    def _actions(self, batch: np.ndarray, before: Runs, after: Runs) -> dict[str, Action]:
        """List what takes turns: runs before and after the throughput mode, on equally many views."""
        num_calls = math.ceil(VIEWS_PER_STREAM * self._reference.num_streams / len(batch))

        def repeat(runs: Runs) -> dict[str, Action]:
            return {name: Action(functools.partial(run, batch), num_calls) for name, run in runs.items()}

        return {
            **repeat(before),
            "throughput_mode": Action(lambda: self._reference.run(batch, num_calls)),
            **repeat(after),
            "product": Action(lambda: self._square @ self._square),
        }

    def _summarise(self, seconds: Mapping[str, list[list[float]]], batch_size: int) -> dict[str, Any]:
        """Compute rates, ratios and latencies from the seconds of one batch size."""
        products, queued = seconds["product"], seconds["throughput_mode"]
        engines = seconds.keys() - {"product", "throughput_mode"}
        num_views = batch_size * len(seconds[min(engines)][0])
        row: dict[str, Any] = {
            "gemm_gflop_a_second": 2 * self.size**3 / median_seconds(products) / 1e9,
            "openvino_throughput_mode_views_a_second": num_views / median_seconds(queued),
        }
        for name in sorted(engines):
            ratio, quartiles = ratios(seconds[name], queued)
            latencies = list(itertools.chain(*seconds[name]))
            share, _ = ratios(seconds[name], products)
            row[name] = {
                "views_a_second": num_views / median_seconds(seconds[name]),
                "share_of_gemm": share * self.macs * num_views / self.size**3,
                "over_throughput_mode": ratio,
                "over_throughput_mode_quartiles": quartiles,
                "calls": len(latencies),
                "latency_ms": {f"p{p}": 1000 * float(np.percentile(latencies, p)) for p in PERCENTILES},
            }
        return row


def median_seconds(rounds: Sequence[Sequence[float]]) -> float:
    return statistics.median(map(sum, rounds))


def ratios(seconds: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> tuple[float, list[float]]:
    """Compare an action's rate with that of a reference in the same rounds: median and quartiles of the ratio."""
    ratios = [sum(other) / sum(own) for own, other in zip(seconds, reference, strict=True)]
    low, median, high = (float(np.percentile(ratios, share)) for share in (25, 50, 75))
    return median, [low, high]


def measure_agreements(cfg: "CfgNode", model_path: str, scratch: Path, quick: bool) -> dict[str, dict[str, Any]]:
    """Measure the agreement of each precision with f32: X3D-S on Kinetics-shaped clips, the demo's network on its own.

    Returns:
        By clips and precision.
    """
    num_clips = 1 if quick else NUM_CLIPS
    shaped = kinetics_shaped_videos(scratch / "clips", num=num_clips)
    make_videos(str(scratch / "demo"), num_clips, seed=0, hard=True)
    demo = sorted(map(str, (scratch / "demo" / "val").glob("*/*.mp4")))
    return {
        "kinetics_shaped": measure_agreement(cfg, model_path, shaped, torch.get_num_threads()),
        "demo": measure_agreement(load_cfg(DEMO_CFG), export_demo(scratch), demo, torch.get_num_threads()),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--batch_sizes", type=int, nargs="+", metavar="N", help="default: 1 4 8 16 32 64; --quick: 2")
    args = parser.parse_args(argv)
    torch.set_num_threads(count_cores())
    cfg = load_cfg(str(DEFAULT_CFG), SMALL if args.quick else ())
    rounds, slow_rounds = (1, 1) if args.quick else (ROUNDS, SLOW_ROUNDS)
    with tempfile.TemporaryDirectory() as scratch:
        contenders = Contenders(cfg, Path(scratch), QUICK_MATRIX_SIZE if args.quick else MATRIX_SIZE)
        batch_sizes = args.batch_sizes or ([2] if args.quick else BATCH_SIZES)
        rows = [contenders.measure(size, rounds, slow_rounds) for size in batch_sizes]
        agreements = measure_agreements(cfg, contenders.model_path, Path(scratch), args.quick)
    figures = {
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "gmac_a_view": contenders.macs / 1e9,
        "matrix_size": contenders.size,
        "precisions": contenders.precisions,
        "batches": rows,
        "agreement": agreements,
    }
    write_results("inference", args, figures)


if __name__ == "__main__":
    main()
