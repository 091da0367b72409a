"""Compare the cost of x3d_postprocess.py with that of only reading the same files.

    python -m benchmarks.scoring [--quick] [--videos 19761]

Writes a result file for each of 30 views per video, then runs the script and a Python process that lists the folder and
reads every file, in turn. The first round is not counted: it loads the files into the page cache.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.common import (
    ROUNDS,
    Cost,
    build_parser,
    median_ratio,
    parse_args,
    run_measured,
    script,
    write_list,
    write_results,
)
from x3d.cores import count_cores

KINETICS_VIDEOS, QUICK_VIDEOS = 19761, 20
VIEWS, CLASSES = 30, 400
READ_ALL = """
import os, sys
for entry in os.scandir(sys.argv[1]):
    with open(entry.path, "rb") as file:
        file.read()
"""


def write_files(folder: Path, num_videos: int) -> None:
    """Write the results of a run: CLASSES float32 probabilities per view, drawn from a seed."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for video in tqdm(range(num_videos), desc="files of videos", disable=None):
        scores = random.random((VIEWS, CLASSES), dtype=np.float32)
        scores /= scores.sum(axis=1, keepdims=True)
        for view in range(VIEWS):
            scores[view].tofile(folder / f"{VIEWS * video + view}_0_0.bin")


def summarise(costs: Sequence[Cost]) -> dict[str, Any]:
    """Compute the median of the seconds and the peak of the memory."""
    return {
        "seconds": statistics.median(cost.seconds for cost in costs),
        "peak_megabytes": max(cost.peak_megabytes for cost in costs),
    }


def parse_size(
    description: str | None, argv: Sequence[str] | None, num_quick: int
) -> tuple[argparse.Namespace, int, int]:
    """Parse the command line of a benchmark on a set of videos.

    Args:
        num_quick: videos of a smoke run.
    Returns:
        The arguments, the number of videos and the number of rounds.
    """
    parser = build_parser(description)
    parser.add_argument("--videos", type=int, help=f"default: {KINETICS_VIDEOS}, with --quick {num_quick}")
    args = parse_args(parser, argv)
    return args, args.videos or (num_quick if args.quick else KINETICS_VIDEOS), 1 if args.quick else ROUNDS


def main(argv: Sequence[str] | None = None) -> None:
    args, num_videos, rounds = parse_size(__doc__, argv, QUICK_VIDEOS)
    floor: list[Cost] = []
    ours: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        listed = write_list(scratch / "list", ["video.mp4"], copies=num_videos)
        write_files(scratch / "results", num_videos)
        command = script("x3d_postprocess.py", [], **listed, X3D_POSTPROCESS__OM_OUTPUT_PATH=scratch / "results")
        for _ in range(1 + rounds):
            floor.append(run_measured([sys.executable, "-c", READ_ALL, str(scratch / "results")]))
            ours.append(run_measured(command))
    seconds = [[cost.seconds for cost in costs[1:]] for costs in (ours, floor)]
    figures = {
        "rounds": rounds,
        "videos": num_videos,
        "files": VIEWS * num_videos,
        "threads": count_cores(),
        "floor": summarise(floor[1:]),
        "ours": summarise(ours[1:]),
        "ours_over_floor": median_ratio(*seconds),
    }
    write_results("scoring", args, figures)


if __name__ == "__main__":
    main()
