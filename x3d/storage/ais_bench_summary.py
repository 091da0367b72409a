"""The performance summary of an inference run, in ais_bench's words and layout."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.naming import parse_result_name

PERCENTILE = 99


class Summary:
    """Collect compute times and the files written; report them as ais_bench does."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.compute_ms: list[float] = []
        self._files: dict[int, dict[str, list[str]]] = {}

    def add_file(self, number: int, source: str, written: Sequence[str]) -> None:
        """Record which files a sample was read from and written to."""
        self._files[number] = {"infiles": [source], "outfiles": list(written)}

    def report(self, args: Sequence[str], path: str | None, with_transfers: bool) -> None:
        """Print the summary's lines to stdout and write its JSON.

        Throughput is 1000 * batch size / mean compute time in ms; reading, writing and padding are not in it. A host
        moves nothing between memories, so its transfer times are zero.
        """
        compute = _statistics(self.compute_ms)
        transfers = _statistics([])
        mean = compute["mean"]
        throughput = 1000 * self.batch_size / mean if mean else 0.0
        print("[INFO] -----------------Performance Summary------------------")
        if with_transfers:
            print(_line("H2D_latency", transfers))
        print(_line("NPU_compute_time", compute))
        if with_transfers:
            print(_line("D2H_latency", transfers))
        print(f"[INFO] throughput 1000*batchsize.mean({self.batch_size})/NPU_compute_time.mean({mean}): {throughput}")
        print("[INFO] ------------------------------------------------------", flush=True)
        if path is None:
            return
        content: dict[str, Any] = {
            "filesinfo": self._files,
            "args": list(args),
            "NPU_compute_time": compute,
            "H2D_latency": transfers,
            "D2H_latency": transfers,
            "throughput": throughput,
            "npu_compute_time_list": self.compute_ms,
            "pid": os.getpid(),
        }
        with open(path, "w") as file:
            json.dump(content, file)


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
    """Read view and label of each output a summary names; a sample is cut down to that while it is read."""

    def shrink(pairs: list[tuple[str, Any]]) -> Any:
        content = dict(pairs)
        if "outfiles" not in content:
            return content
        names = (parse_result_name(os.path.basename(name)) for name in content["outfiles"])
        return [identity for identity in names if identity]

    try:
        with open(path) as file:
            samples = json.load(file, object_pairs_hook=shrink)["filesinfo"]
        return [view for sample in samples.values() for view in sample]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a summary of ais_bench: {error!r}; remove it") from error
