"""Check a data set: the list, and every video of it."""

import collections
import functools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.dataset.annotations import Video, check_videos, list_path, scan_list
from x3d.dataset.bad_rows import BadRow
from x3d.dataset.class_names import KINETICS, ClassNames
from x3d.dataset.known_sets import describe_count
from x3d.errors import counted
from x3d.execution.outcome import Outcome, in_order
from x3d.execution.progress import FailureLog, progress_bar
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import Runner, RunnerSettings, open_runner
from x3d.pipeline.run_line import describe_list, describe_workers, log_run
from x3d.storage.csv_file import check_csv, path_cell, write_csv
from x3d.video.inspection import Inspection, inspect_video
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

COLUMNS = ("path", "label", "reason", "frames", "fps", "duration", "codec", "size", "rotation")


@dataclass(frozen=True)
class VerifySettings:
    """Which list and videos to check.

    Attributes:
        annotations: path of the list.
        videos: of its good rows.
        bad_rows: the other rows, and those of a path that is listed before.
        path_prefix: the folder the listed paths are relative to.
        is_kinetics: the classes are Kinetics-400's, so the list may be a known copy.
    """

    annotations: Path
    videos: Sequence[Video]
    bad_rows: Sequence[BadRow]
    path_prefix: str
    sampling: Sampling
    transform: Transform
    runner: RunnerSettings
    is_kinetics: bool

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "VerifySettings":
        """Read the list and the keys that decide which frames are needed.

        Raises:
            InputError: the list does not exist or is empty, none of its videos exists, or the class names cannot be
                read.
        """
        videos, bad_rows = scan_list(cfg)
        check_videos(cfg, videos)
        return cls(
            annotations=list_path(cfg),
            videos=videos,
            bad_rows=bad_rows,
            path_prefix=cfg.DATA.PATH_PREFIX,
            sampling=Sampling.from_cfg(cfg),
            transform=Transform.from_cfg(cfg),
            runner=RunnerSettings.from_cfg(cfg),
            is_kinetics=ClassNames.from_cfg(cfg).source == KINETICS,
        )


@dataclass(frozen=True)
class Verification:
    """What is wrong with a data set.

    Attributes:
        num_videos: by reason code; empty: good.
        bad_rows: as in VerifySettings.
        unlisted: files under the path prefix that the list does not name.
    """

    num_videos: Mapping[str, int]
    bad_rows: Sequence[BadRow]
    unlisted: Sequence[str]

    @property
    def num_good(self) -> int:
        """Count the videos of which every frame and every clip can be decoded."""
        return self.num_videos.get("", 0)

    @property
    def num_bad(self) -> int:
        """Count the other videos."""
        return sum(self.num_videos.values()) - self.num_good

    @property
    def passed(self) -> bool:
        """Check whether every video and every row is good; unlisted files are no problem."""
        return not self.num_bad and not self.bad_rows


def verify(settings: VerifySettings, report: Path) -> Verification:
    """Decode every listed video whole, and write a csv with a row for each at the end.

    Raises:
        InputError: the csv would replace another file, or the Ray cluster cannot do the work; nothing is decoded.
        OSError: the csv cannot be written.
    """
    check_csv(report, COLUMNS, "check", "run in another folder")
    videos = settings.videos
    listed = describe_list(settings.annotations, len(videos), len(videos))
    log_run(listed, describe_workers(settings.runner), f"output {report}")
    if settings.is_kinetics:
        logger.info("%s listed: %s", counted(len(videos), "video"), describe_count(len(videos)))
    unlisted = _find_unlisted(settings)
    counts: collections.Counter[str] = collections.Counter()
    rows = [list(COLUMNS)]
    failures = FailureLog()
    requirements = functools.partial(NodeRequirements.from_here, [settings.path_prefix], videos=videos)
    with open_runner(settings.runner, requirements) as runner:
        for outcome in _inspect(runner, settings):
            inspection = outcome.value or Inspection(outcome.reason, outcome.text)
            if inspection.reason:
                failures.log(inspection.reason, inspection.text)
            rows.append(_row(outcome.video, inspection))
            counts[inspection.reason] += 1
    write_csv(report, rows)
    return Verification(counts, settings.bad_rows, unlisted)


def _inspect(runner: Runner, settings: VerifySettings) -> Iterator[Outcome[Inspection]]:
    """Inspect videos in worker processes; yield the outcomes in the order of the list."""
    videos = settings.videos
    function = functools.partial(inspect_video, sampling=settings.sampling, transform=settings.transform)
    with progress_bar(len(videos)) as progress:

        def counted_outcomes() -> Iterator[Outcome[Inspection]]:
            for outcome in runner.run(function, videos):
                progress.update()
                yield outcome

        yield from in_order(counted_outcomes(), videos)


def _row(video: Video, found: Inspection) -> list[str]:
    size = f"{found.width}x{found.height}" if found.width else ""
    values = [found.num_frames, f"{found.fps:.6g}", f"{found.duration_seconds:.6g}", found.codec, size, found.rotation]
    return [path_cell(video.listed), str(video.label), found.reason, *map(str, values)]


def _find_unlisted(settings: VerifySettings) -> list[str]:
    root = settings.path_prefix
    if not root:
        return []
    known = {os.path.normpath(video.path) for video in settings.videos} | {os.path.normpath(settings.annotations)}
    files = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    return sorted(path for path in map(os.path.normpath, files) if path not in known)
