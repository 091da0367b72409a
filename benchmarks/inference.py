"""Measure how fast a host runs X3D-S, by engine and batch size, and as a share of its matrix-product rate.

    python -m benchmarks.inference [--quick] [--batch_sizes 1 4 8 16 32 64]

OpenVINO, ONNX Runtime and PyTorch eager run the same synthetic weights, BatchNorm folded, in float32 with one thread
per core. For each batch size everything below is called once untimed, then timed in five rounds, in this order:

1. torch's product of two square float32 matrices, five times; the median is used;
2. OpenVINO on a batch of random values, repeated for 40 views, and at least twice;
3. OpenVINO's own throughput mode on the same number of views, queued one by one, waiting only for the last;
4. ONNX Runtime and 5. PyTorch, in the same way as OpenVINO.

A rate is the median over the rounds of views per second; a ratio is the median of the rounds' ratios; latencies are
those of the calls of all rounds.
"""

import itertools
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.common import ROUNDS, build_parser, make_model, median_ratio, write_results
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.network.engine import ONNX_ENGINES, open_engine
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import read_model
from x3d.video.transform import view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode
    from torch import nn

BATCH_SIZES = [1, 4, 8, 16, 32, 64]
VIEWS_PER_ROUND = 40
MIN_CALLS = 2
PRODUCTS_PER_ROUND = 5
MATRIX_SIZE, QUICK_MATRIX_SIZE = 2048, 64
PERCENTILES = (50, 90, 99)
ENGINES = (*ONNX_ENGINES, "pytorch")


def count_macs(cfg: "CfgNode") -> float:
    """Count the multiply-adds of one view as fvcore does, including BatchNorm."""
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    return FlopCountAnalysis(X3D(Architecture.from_cfg(cfg)).eval(), torch.zeros(1, *view_shape(cfg))).total()


class ThroughputMode:
    """OpenVINO's own throughput mode on batches of one view: a reference for x3d/network/openvino_engine.py."""

    def __init__(self, onnx_path: str, shape: Sequence[int], num_threads: int) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(onnx_path)
        model.reshape([1, *shape])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(model, "CPU", settings | {"INFERENCE_NUM_THREADS": num_threads})
        self._queue = openvino.AsyncInferQueue(compiled)

    def run(self, batch: np.ndarray, num_calls: int) -> None:
        """Run the views of a batch `num_calls` times."""
        for _ in range(num_calls):
            for number in range(len(batch)):
                self._queue.start_async([batch[number : number + 1]], share_inputs=True)
        self._queue.wait_all()


def time_calls(actions: Mapping[str, tuple[Callable[[], Any], int]], rounds: int) -> dict[str, list[list[float]]]:
    """Time several actions in turn, round by round, after one untimed call of each.

    Args:
        actions: each with the number of its calls per round.
    Returns:
        Seconds of each call of each round, by action.
    """
    for call, _ in actions.values():
        call()
    seconds: dict[str, list[list[float]]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, (call, num_calls) in actions.items():
            times = [time.perf_counter()]
            for _ in range(num_calls):
                call()
                times.append(time.perf_counter())
            seconds[name].append([end - start for start, end in itertools.pairwise(times)])
    return seconds


@torch.inference_mode()
def measure_batch(
    model: "nn.Module", onnx_path: str, queued: ThroughputMode, batch: np.ndarray, size: int, rounds: int
) -> dict[str, list[list[float]]]:
    """Time the matrix product, each engine and the throughput mode on one batch size.

    Args:
        batch: (N, 3, T, C, C) float32.
        size: rows and columns of the matrices.
    Returns:
        Seconds of each call of each round.
    """
    onnx_file, num_threads = read_model(onnx_path), torch.get_num_threads()
    openvino, onnxruntime = (open_engine(onnx_file, name, num_threads=num_threads) for name in ONNX_ENGINES)
    tensor, square = torch.from_numpy(batch), torch.rand(size, size)
    num_calls = max(MIN_CALLS, VIEWS_PER_ROUND // len(batch))
    actions: dict[str, tuple[Callable[[], Any], int]] = {
        "product": (lambda: square @ square, PRODUCTS_PER_ROUND),
        "openvino": (lambda: openvino.infer(batch), num_calls),
        "throughput_mode": (lambda: queued.run(batch, num_calls), 1),
        "onnxruntime": (lambda: onnxruntime.infer(batch), num_calls),
        "pytorch": (lambda: model(tensor), num_calls),
    }
    return time_calls(actions, rounds)


def summarise(seconds: Mapping[str, list[list[float]]], batch_size: int, macs: float, size: int) -> dict[str, Any]:
    """Compute one row of the table from the seconds of one batch size."""
    products = [2 * size**3 / statistics.median(calls) for calls in seconds["product"]]
    num_views = batch_size * len(seconds["openvino"][0])
    queued = [num_views / sum(calls) for calls in seconds["throughput_mode"]]
    row: dict[str, Any] = {
        "batch_size": batch_size,
        "gemm_gflop_a_second": statistics.median(products) / 1e9,
        "openvino_throughput_mode_views_a_second": statistics.median(queued),
    }
    for name in ENGINES:
        rates = [num_views / sum(calls) for calls in seconds[name]]
        latencies = list(itertools.chain(*seconds[name]))
        row[name] = {
            "views_a_second": statistics.median(rates),
            "share_of_gemm": median_ratio([2 * macs * rate for rate in rates], products),
            "over_throughput_mode": median_ratio(rates, queued),
            "calls": len(latencies),
            "latency_ms": {f"p{p}": 1000 * float(np.percentile(latencies, p)) for p in PERCENTILES},
        }
    return row


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--batch_sizes", type=int, nargs="+", metavar="N", help="default: 1 4 8 16 32 64; --quick: 2")
    args = parser.parse_args(argv)
    num_threads = count_cores()
    torch.set_num_threads(num_threads)
    cfg = load_cfg(str(DEFAULT_CFG), SMALL if args.quick else ())
    rounds = 1 if args.quick else ROUNDS
    size = QUICK_MATRIX_SIZE if args.quick else MATRIX_SIZE
    macs, shape = count_macs(cfg), view_shape(cfg)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        model, onnx_path = make_model(cfg, Path(scratch))
        queued = ThroughputMode(onnx_path, shape, num_threads)
        for batch_size in args.batch_sizes or ([2] if args.quick else BATCH_SIZES):
            batch = np.random.RandomState(0).standard_normal((batch_size, *shape)).astype(np.float32)
            seconds = measure_batch(model, onnx_path, queued, batch, size, rounds)
            rows.append(summarise(seconds, batch_size, macs, size))
    figures = {
        "threads": num_threads,
        "rounds": rounds,
        "gmac_a_view": macs / 1e9,
        "matrix_size": size,
        "batches": rows,
    }
    write_results("inference", args, figures)


if __name__ == "__main__":
    main()
