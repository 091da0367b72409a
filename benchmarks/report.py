"""Measure x3d_report.py and x3d_compare.py on a made-up run of a whole validation set.

    python -m benchmarks.report [--quick] [--videos 19761]

From folders of x3d_evaluate.py: both scripts, in turn. From result files, one for each of 30 views per video: both
scripts and a Python process that only lists one folder and reads every file, in turn. The scripts run on two cores. The
first round is not counted: it loads the files into the page cache.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import Cost, median_ratio, run_measured, script, write_results
from benchmarks.scoring import READ_ALL, parse_size, summarise
from demo.made_up_folder import write_evaluation, write_result_files
from demo.made_up_run import degrade, make_run

QUICK_VIDEOS = 40
NOISE = 0.3
"""Of the second run's logits, in standard deviations."""
CORES = 2


def build_commands(reference: Path, candidate: Path, output: Path) -> dict[str, list[str]]:
    """Build the commands that report a run and compare it with another."""
    compared = ["--reference", str(reference), "--candidate", str(candidate), "--output", str(output / "compared")]
    return {
        "report": script("x3d_report.py", ["--results", str(candidate), "--output", str(output / "report")]),
        "compare": script("x3d_compare.py", [*compared, "--margin", "99"]),
    }


def measure_in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Cost]]:
    """Run commands in turn, round by round, without counting the first round."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(1 + rounds):
        for name, command in commands.items():
            cost = run_measured(command, CORES)
            if number:
                costs[name].append(cost)
    return costs


def measure(scratch: Path, num_videos: int, rounds: int) -> dict[str, Any]:
    """Measure both scripts on both kinds of folders."""
    candidate = make_run(num_videos)
    reference = degrade(candidate, NOISE)
    folders: dict[str, Any] = {}
    for kind, write in (("evaluation", write_evaluation), ("result_files", write_result_files)):
        write(scratch / kind / "reference", reference)
        write(scratch / kind / "candidate", candidate)
        commands = build_commands(scratch / kind / "reference", scratch / kind / "candidate", scratch / kind)
        if kind == "result_files":
            commands["only_read"] = [sys.executable, "-c", READ_ALL, str(scratch / kind / "candidate")]
        costs = measure_in_turn(commands, rounds)
        folders[kind] = {name: summarise(found) for name, found in costs.items()}
    seconds = {name: [cost.seconds for cost in found] for name, found in costs.items()}
    read_both = [2 * number for number in seconds["only_read"]]
    folders["result_files"]["report_over_reading"] = median_ratio(seconds["report"], seconds["only_read"])
    folders["result_files"]["compare_over_reading"] = median_ratio(seconds["compare"], read_both)
    return folders


def main(argv: Sequence[str] | None = None) -> None:
    args, num_videos, rounds = parse_size(__doc__, argv, QUICK_VIDEOS)
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), num_videos, rounds)
    write_results("report", args, {"rounds": rounds, "videos": num_videos, "threads": CORES, **figures})


if __name__ == "__main__":
    main()
