"""The performance summary of an inference run, written and read in ais_bench's words and layout."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.naming import parse_result_name

PERCENTILE = 99
SUMMARY_SUFFIX = "_summary.json"
SAMPLES, INPUT_FILES, OUTPUT_FILES = "filesinfo", "infiles", "outfiles"
COMPUTE, TO_DEVICE, FROM_DEVICE = "NPU_compute_time", "H2D_latency", "D2H_latency"


def summary_path(folder: Path) -> Path:
    """Name the summary of a folder of results, which lies beside it."""
    return folder.with_name(f"{folder.name}{SUMMARY_SUFFIX}")


class Summary:
    """Compute times and files of an inference run.

    Attributes:
        compute_ms: of each batch.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.compute_ms: list[float] = []
        self._files: dict[int, dict[str, list[str]]] = {}

    def add_file(self, number: int, source: str, written: Sequence[str]) -> None:
        """Record which files a sample was read from and written to."""
        self._files[number] = {INPUT_FILES: [source], OUTPUT_FILES: list(written)}

    @property
    def throughput(self) -> float:
        """Views per second: 1000 * batch size / mean compute time in ms; reading, writing and padding are excluded."""
        mean = _statistics(self.compute_ms)["mean"]
        return 1000 * self.batch_size / mean if mean else 0.0

    def lines(self, with_transfers: bool) -> list[str]:
        """Spell the summary as ais_bench prints it.

        Args:
            with_transfers: a line for each direction too; a host has no second memory, so these times are zero.
        """
        compute, transfers = _statistics(self.compute_ms), _statistics([])
        times = {TO_DEVICE: transfers, COMPUTE: compute, FROM_DEVICE: transfers}
        shown = [_line(name, times[name]) for name in times if name == COMPUTE or with_transfers]
        mean = compute["mean"]
        return [
            "[INFO] -----------------Performance Summary------------------",
            *shown,
            f"[INFO] throughput 1000*batchsize.mean({self.batch_size})/{COMPUTE}.mean({mean}): {self.throughput}",
            "[INFO] ------------------------------------------------------",
        ]

    def to_dict(self, args: Sequence[str]) -> dict[str, Any]:
        """Spell the summary as ais_bench's JSON.

        Args:
            args: of the command line.
        """
        return {
            SAMPLES: self._files,
            "args": list(args),
            COMPUTE: _statistics(self.compute_ms),
            TO_DEVICE: _statistics([]),
            FROM_DEVICE: _statistics([]),
            "throughput": self.throughput,
            "npu_compute_time_list": self.compute_ms,
            "pid": os.getpid(),
        }


def _statistics(times_ms: Sequence[float]) -> dict[str, float]:
    values = np.array(times_ms or [0.0])
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        f"percentile({PERCENTILE}%)": float(np.percentile(values, PERCENTILE)),
        "count": len(times_ms),
    }


def _line(name: str, statistics: dict[str, float]) -> str:
    values = ", ".join(f"{key} = {value}" for key, value in statistics.items() if key != "count")
    return f"[INFO] {name} (ms): {values}"


def read_summary(path: Path) -> list[tuple[int, int]]:
    """Read view and label of each output that a summary names.

    Samples are reduced to that while the file is read: a summary of 600,000 views is large.

    Raises:
        ValueError: the file is not a summary.
    """

    def reduce(pairs: list[tuple[str, Any]]) -> Any:
        content = dict(pairs)
        if OUTPUT_FILES not in content:
            return content
        views = (parse_result_name(os.path.basename(name)) for name in content[OUTPUT_FILES])
        return [view for view in views if view]

    try:
        with open(path) as file:
            samples = json.load(file, object_pairs_hook=reduce)[SAMPLES]
        return [view for sample in samples.values() for view in sample]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a summary of ais_bench: {error!r}; remove it") from error


def read_summaries(folder: str) -> dict[int, int] | None:
    """Read which views a run was to write, from the summary beside the folder, or those of several devices in it.

    Returns:
        Label of each view, None without a summary.
    Raises:
        ValueError: a summary cannot be read, or a view is named twice.
    """
    root = Path(os.path.abspath(folder))
    beside = summary_path(root)
    paths = [beside] if beside.is_file() else sorted(root.glob(f"device*{SUMMARY_SUFFIX}"))
    expected: dict[int, int] = {}
    for path in paths:
        for view, label in read_summary(path):
            if view in expected:
                raise ValueError(f"{path} names view {view} twice; remove it, or set DATA.PATH_TO_DATA_DIR")
            expected[view] = label
    return expected or None
