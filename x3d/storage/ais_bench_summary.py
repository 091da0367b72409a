"""The performance summary of an inference run, in ais_bench's words and layout, and how its results were made."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from x3d.ascend.ais_bench_output import COMPUTE, FROM_DEVICE, PERCENTILE, THROUGHPUT, TIMES, TO_DEVICE
from x3d.scoring.table import Failure
from x3d.storage.atomic import replace_file, write_all

SUMMARY_SUFFIX = "_summary.json"
SAMPLES, INPUT_FILES, OUTPUT_FILES = "filesinfo", "infiles", "outfiles"
DIGEST, PROVENANCE, MISSING_VIDEOS = "digest", "provenance", "videos_without_views"
"""Keys that only x3d_infer.py writes: of a result or of the whole summary; how the results were made; and the listed
videos that have no views."""


def summary_path(folder: Path) -> Path:
    """Name the summary of a folder of results, which lies beside it."""
    return folder.with_name(f"{folder.name}{SUMMARY_SUFFIX}")


class Summary:
    """Compute times and files of an inference run.

    Attributes:
        compute_ms: of each batch.
        provenance: how the results were made.
        missing_videos: why listed videos have no views, by index.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.compute_ms: list[float] = []
        self.provenance: Mapping[str, Any] = {}
        self.missing_videos: Mapping[int, Failure] = {}
        self._files: dict[int, dict[str, list[str] | str]] = {}

    def add_file(self, number: int, source: str, written: str, digest: str) -> None:
        """Record which files a sample was read from and written to, and xxh3-64 of the bytes of the latter."""
        self._files[number] = {INPUT_FILES: [source], OUTPUT_FILES: [written], DIGEST: digest}

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
        mean, throughput = _shown(compute["mean"]), _shown(self.throughput)
        return [
            "[INFO] -----------------Performance Summary------------------",
            *shown,
            f"[INFO] throughput 1000*batchsize.mean({self.batch_size})/{COMPUTE}.mean({mean}): {throughput}",
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
            THROUGHPUT: self.throughput,
            TIMES: self.compute_ms,
            "pid": os.getpid(),
            PROVENANCE: dict(self.provenance),
            MISSING_VIDEOS: {index: asdict(failure) for index, failure in self.missing_videos.items()},
        }

    def save(self, path: Path, args: Sequence[str]) -> None:
        """Write the summary whole, with a digest of the text before it as its last key.

        Raises:
            OSError: it cannot be written; an earlier file stays.
        """
        text = json.dumps(self.to_dict(args)).removesuffix("}").encode()
        with replace_file(path) as file:
            write_all(
                file.fileno(), text + b', "%s": "%s"}' % (DIGEST.encode(), xxhash.xxh3_64_hexdigest(text).encode())
            )


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


def _shown(value: float) -> float:
    """Round to the six significant digits that are printed; the JSON holds all."""
    return float(f"{value:.6g}")


def _line(name: str, statistics: dict[str, float]) -> str:
    values = ", ".join(f"{key} = {_shown(value)}" for key, value in statistics.items() if key != "count")
    return f"[INFO] {name} (ms): {values}"
