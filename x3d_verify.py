"""Check a data set before a long run: which videos and which rows of the list are bad, and why.

A list and its videos -> counts by reason on stderr and a row for each video in verify.csv. Every video is decoded
whole, by the same workers as in x3d_preprocess.py.

    python x3d_verify.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR Kinetics-400/ DATA.PATH_PREFIX Kinetics-400/val/

The exit status is 1 when a row or a video is bad. Files that are not listed are told, and are not wrong.
"""

import argparse
import collections
import csv
import functools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.dataset.annotations import Video
    from x3d.execution.outcome import Outcome
    from x3d.execution.runner import Runner
    from x3d.video.inspection import Inspection

logger = logging.getLogger("x3d_verify")

REPORT = "verify.csv"
COLUMNS = ("path", "label", "reason", "frames", "fps", "duration", "codec", "size", "rotation")

KNOWN_SETS = {
    19761: "Non-local networks' and PaddleVideo's copy",
    19796: "mmaction2's copy",
    19881: "CVDF's copy",
    19404: "GluonCV's copy",
}


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Check the list, then every video of it, and sum up."""
    from x3d.dataset.annotations import first_present, list_path, scan_list
    from x3d.execution.requirements import NodeRequirements
    from x3d.execution.runner import RunnerSettings, open_runner

    videos, faults = scan_list(cfg)
    for fault in faults:
        logger.error("%s, %s", list_path(cfg), fault)
    logger.info("%d videos listed: %s", len(videos), KNOWN_SETS.get(len(videos), "no known copy of the validation set"))
    unlisted = find_unlisted(cfg, videos)
    counts: collections.Counter[str] = collections.Counter()
    requirements = functools.partial(NodeRequirements.from_here, [cfg.DATA.PATH_PREFIX, first_present(videos)])
    with open_runner(RunnerSettings.from_cfg(cfg), requirements) as workers, open(REPORT, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for outcome in inspect_all(cfg, workers, videos):
            row = report_row(outcome)
            rows.writerow(row)
            counts[row[COLUMNS.index("reason")]] += 1
    return sum_up(counts, len(faults), unlisted)


def inspect_all(cfg: "CfgNode", workers: "Runner", videos: Sequence["Video"]) -> Iterator["Outcome[Inspection]"]:
    """Inspect videos in worker processes; outcomes come in the order of the list."""
    from x3d.execution.progress import progress_bar
    from x3d.video.inspection import inspect_video
    from x3d.video.sampling import Sampling

    work = functools.partial(inspect_video, sampling=Sampling.from_cfg(cfg))
    outcomes = workers.run(work, videos)
    early: dict[int, Outcome[Inspection]] = {}
    order = iter([video.index for video in videos])
    wanted = next(order, None)
    with progress_bar(len(videos)) as progress:
        for outcome in outcomes:
            progress.update()
            early[outcome.video.index] = outcome
            while wanted in early:
                yield early.pop(wanted)
                wanted = next(order, None)


def report_row(outcome: "Outcome[Inspection]") -> list[str]:
    """Make a video's row of verify.csv, and log what is wrong with it."""
    from x3d.video.inspection import Inspection

    video = outcome.video
    found = outcome.value or Inspection(outcome.reason, outcome.text)
    if found.reason:
        logger.error("%s: %s", found.reason, found.text)
    size = f"{found.width}x{found.height}" if found.width else ""
    facts = [found.num_frames, f"{found.fps:.6g}", f"{found.duration_seconds:.6g}", found.codec, size, found.rotation]
    return [video.listed, str(video.label), found.reason, *map(str, facts)]


def find_unlisted(cfg: "CfgNode", videos: Sequence["Video"]) -> list[str]:
    """List the files under DATA.PATH_PREFIX that the list does not name."""
    root = cfg.DATA.PATH_PREFIX
    if not root:
        return []
    listed = {os.path.normpath(video.path) for video in videos}
    files = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    own = {os.path.normpath(Path(cfg.DATA.PATH_TO_DATA_DIR) / "test.csv")}
    return sorted(path for path in map(os.path.normpath, files) if path not in listed | own)


def sum_up(counts: "collections.Counter[str]", num_faults: int, unlisted: Sequence[str]) -> int:
    """Log the counts; they add up to the list."""
    from x3d.errors import REASONS, format_problems

    if unlisted:
        logger.warning("%d files are not listed:\n%s", len(unlisted), format_problems(unlisted))
    num_bad = sum(counts.values()) - counts[""]
    logger.info("%d videos good, %d bad, %d faults in the list; rows: %s", counts[""], num_bad, num_faults, REPORT)
    for reason in sorted(set(counts) - {""}):
        logger.error("%d videos %s: %s", counts[reason], reason, REASONS[reason])
    return EXIT_INCOMPLETE if num_bad or num_faults else EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
