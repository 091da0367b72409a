"""How fast a host runs X3D-S, by engine and batch size, and what share of its matrix-product rate that is.

    python -m benchmarks.inference [--quick] [--batch_sizes 1 4 8 16 32 64]

OpenVINO, ONNX Runtime and PyTorch eager run the same synthetic weights, BatchNorm folded, in float32 with one thread a
core, in turn. Each takes its turn with one untimed call, then the timed ones. The matrix-product rate is torch's for
two square float32 matrices, with as many threads, measured in the same rounds; so is OpenVINO's throughput mode.
"""

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from fvcore.nn import FlopCountAnalysis

from benchmarks.common import ROUNDS, build_parser, make_model, median_ratio, write_results
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config import load_cfg
from x3d.engine import open_engine
from x3d.model import X3D
from x3d.transform import view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode
    from torch import nn

BATCH_SIZES = [1, 4, 8, 16, 32, 64]
VIEWS_A_ROUND = 40
LEAST_CALLS = 2
MATRIX_SIZE, QUICK_MATRIX_SIZE = 2048, 64
PERCENTILES = (50, 90, 99)


def count_macs(cfg: "CfgNode") -> float:
    """Count the multiply-adds of one view as fvcore does, BatchNorm among them."""
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    return FlopCountAnalysis(X3D(cfg).eval(), torch.zeros(1, *view_shape(cfg))).total()


def call_seconds(call: Callable[[], Any], num_calls: int) -> list[float]:
    """Time each of several calls, after one that is not timed."""
    seconds = []
    for number in range(1 + num_calls):
        start = time.perf_counter()
        call()
        if number:
            seconds.append(time.perf_counter() - start)
    return seconds


class ThroughputMode:
    """OpenVINO's own throughput mode on batches of one view: the rate that x3d/engine.py has to reach."""

    def __init__(self, onnx_path: str, shape: Sequence[int], num_threads: int) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(onnx_path)
        model.reshape([1, *shape])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(model, "CPU", settings | {"INFERENCE_NUM_THREADS": num_threads})
        self.queue = openvino.AsyncInferQueue(compiled)
        self.view = np.random.RandomState(0).standard_normal((1, *shape)).astype(np.float32)

    def __call__(self) -> None:
        """Run VIEWS_A_ROUND views."""
        for _ in range(VIEWS_A_ROUND):
            self.queue.start_async([self.view], share_inputs=True)
        self.queue.wait_all()


def measure_batch(
    model: "nn.Module", onnx_path: str, batch: np.ndarray, num_threads: int, rounds: int, size: int
) -> dict[str, Any]:
    """Time one batch size: each engine, OpenVINO's throughput mode and the matrix product, in turn.

    Args:
        batch: (N, 3, T, C, C) float32.
        size: rows and columns of the matrices.
    Returns:
        Per engine the seconds of each call of each round; of each round the views a second of the throughput mode and
        the matrix-product rate.
    """
    engines = {name: open_engine(onnx_path, name, num_threads=num_threads) for name in ("openvino", "onnxruntime")}
    tensor, square = torch.from_numpy(batch), torch.rand(size, size)
    calls: dict[str, Callable[[], Any]] = {
        "openvino": lambda: engines["openvino"].infer(batch),
        "onnxruntime": lambda: engines["onnxruntime"].infer(batch),
        "pytorch": lambda: model(tensor),
    }
    queued = ThroughputMode(onnx_path, batch.shape[1:], num_threads)
    num_calls = max(LEAST_CALLS, VIEWS_A_ROUND // len(batch))
    seconds: dict[str, list[list[float]]] = {name: [] for name in calls}
    products, queued_rates = [], []
    with torch.inference_mode():
        for _ in range(rounds):
            products.append(statistics.median(call_seconds(lambda: square @ square, 5)))
            for name, call in calls.items():
                seconds[name].append(call_seconds(call, num_calls))
            queued_rates.append(VIEWS_A_ROUND / call_seconds(queued, 1)[0])
    rates = [2 * size**3 / product for product in products]
    return {"seconds": seconds, "flop_a_second": rates, "queued_views_a_second": queued_rates}


def summarise(measured: dict[str, Any], batch_size: int, macs: float) -> dict[str, Any]:
    """Turn one batch size's seconds into what the table shows."""
    rate = statistics.median(measured["flop_a_second"])
    queued = measured["queued_views_a_second"]
    row: dict[str, Any] = {
        "batch_size": batch_size,
        "gemm_gflop_a_second": rate / 1e9,
        "openvino_throughput_mode_views_a_second": statistics.median(queued),
    }
    for name, rounds in measured["seconds"].items():
        rates = [batch_size * len(calls) / sum(calls) for calls in rounds]
        latencies = [seconds for calls in rounds for seconds in calls]
        row[name] = {
            "views_a_second": statistics.median(rates),
            "share_of_gemm": median_ratio([2 * macs * rate for rate in rates], measured["flop_a_second"]),
            "over_throughput_mode": median_ratio(rates, queued),
            "calls": len(latencies),
            "latency_ms": {f"p{p}": 1000 * float(np.percentile(latencies, p)) for p in PERCENTILES},
        }
    return row


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--batch_sizes", type=int, nargs="+", metavar="N", help="default: 1 4 8 16 32 64; 2 if quick")
    args = parser.parse_args(argv)
    num_threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(num_threads)
    cfg = load_cfg(str(DEFAULT_CFG), SMALL if args.quick else ())
    rounds = 1 if args.quick else ROUNDS
    size = QUICK_MATRIX_SIZE if args.quick else MATRIX_SIZE
    macs, shape = count_macs(cfg), view_shape(cfg)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        model, onnx_path = make_model(cfg, Path(scratch))
        for batch_size in args.batch_sizes or ([2] if args.quick else BATCH_SIZES):
            batch = np.random.RandomState(0).standard_normal((batch_size, *shape)).astype(np.float32)
            measured = measure_batch(model, onnx_path, batch, num_threads, rounds, size)
            rows.append(summarise(measured, batch_size, macs))
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
