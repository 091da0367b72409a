"""Read and check the annotation list, `test.csv`."""

import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.dataset.bad_rows import (
    MAX_ROW_CHARS,
    BadRow,
    find_problem,
    format_bad_rows,
    read_lines,
    show_row,
    three_columns,
)
from x3d.dataset.prefix import explain_prefix
from x3d.errors import InputError, counted

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

UNLABELLED = -1
REMEDY = "set DATA.PATH_TO_DATA_DIR to the folder that holds test.csv"
_LABEL = re.compile(r"-?[0-9]{1,9}")
_PATH = re.compile(r"(?!\".*\"$).*[^\s,;|]")


@dataclass(frozen=True)
class Video:
    """One row of the list.

    Attributes:
        index: 0-based, in the whole list.
        listed: the path as listed.
        path: the path to open.
        label: the class, -1 if unknown.
    """

    index: int
    listed: str
    path: str
    label: int


@dataclass(frozen=True)
class ListFormat:
    """How the rows of a list are read.

    Attributes:
        separator: between path and label.
        path_prefix: the folder the listed paths are relative to.
        num_classes: labels are below it.
    """

    separator: str
    path_prefix: str
    num_classes: int

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "ListFormat":
        return cls(cfg.DATA.PATH_LABEL_SEPARATOR, cfg.DATA.PATH_PREFIX, cfg.MODEL.NUM_CLASSES)


def list_path(cfg: "CfgNode") -> Path:
    """Name the list in DATA.PATH_TO_DATA_DIR."""
    return Path(cfg.DATA.PATH_TO_DATA_DIR) / "test.csv"


def read_list(cfg: "CfgNode") -> list[Video]:
    """Read `test.csv`: a path and a label per line, split at the last separator.

    320 of Kinetics-400's class folders hold a space, so `air drumming/a b.mp4 1` is the path `air drumming/a b.mp4`.

    Raises:
        InputError: the list does not exist or is empty, or rows are not a path and a label; every cause is named.
    """
    return read_list_file(list_path(cfg), ListFormat.from_cfg(cfg))


def read_list_file(path: Path, form: ListFormat, remedy: str = REMEDY) -> list[Video]:
    """Read a list as read_list does.

    Args:
        remedy: what to do if it does not exist.
    Raises:
        InputError: as read_list.
    """
    rows = _read_rows(path, remedy)
    videos, bad_rows = _parse_rows(rows, form, path)
    if bad_rows:
        raise InputError(f"{path} has bad lines: {len(bad_rows)} of {len(rows)}\n" + format_bad_rows(bad_rows))
    return videos


def read_videos(cfg: "CfgNode") -> list[Video]:
    """Read `test.csv` for a run that opens its videos; warn of those without a label.

    Raises:
        InputError: as read_list; or none of the videos exists.
    """
    videos = read_list(cfg)
    check_videos(cfg, videos)
    return videos


def scan_list(cfg: "CfgNode") -> tuple[list[Video], list[BadRow]]:
    """Read `test.csv` for checking it.

    Returns:
        The videos of the good rows; the other rows, and those of a path that is listed before.
    Raises:
        InputError: the list does not exist or is empty.
    """
    path = list_path(cfg)
    videos, bad_rows = _parse_rows(_read_rows(path), ListFormat.from_cfg(cfg), path)
    first: dict[str, Video] = {}
    for video in videos:
        earlier = first.setdefault(os.path.normpath(video.listed), video)
        if earlier is not video:
            text = f"{video.listed!r}, as in line {earlier.index + 1}"
            bad_rows.append(BadRow(video.index, text, "the path is listed before"))
    return videos, bad_rows


def check_videos(cfg: "CfgNode", videos: Sequence[Video]) -> None:
    """Check that the listed paths lead to files, and warn of videos without a label.

    Raises:
        InputError: none of the videos exists; the text names the folder that holds them, if it is found.
    """
    if videos and not first_existing(videos):
        listed = [video.listed for video in videos]
        raise InputError(explain_prefix(cfg.DATA.PATH_PREFIX, listed, cfg.DATA.PATH_TO_DATA_DIR))
    if unlabelled := count_unlabelled(videos):
        total = counted(len(videos), "video")
        logger.warning("%d of %s unlabelled (-1), left out of the accuracy", unlabelled, total)


def count_unlabelled(videos: Iterable[Video]) -> int:
    """Count the videos with label -1."""
    return sum(video.label == UNLABELLED for video in videos)


def _read_rows(path: Path, remedy: str = REMEDY) -> list[str]:
    if path.parent.is_file():
        raise InputError(f"{path.parent} is a file, no folder; {remedy}")
    rows = read_lines(path, "videos", remedy)
    if not rows:
        raise InputError(f"{path} is empty; each line holds the path and the label of a video")
    return rows


def _parse_rows(rows: Sequence[str], form: ListFormat, path: Path) -> tuple[list[Video], list[BadRow]]:
    videos, bad_rows = [], []
    for index, row in enumerate(rows):
        split = split_row(row, form.separator) if len(row) <= MAX_ROW_CHARS else None
        if split is None:
            bad_rows.append(BadRow(index, show_row(row), find_problem(row, form.separator, path, is_first=index == 0)))
        elif not UNLABELLED <= split[1] < form.num_classes:
            limits = f"-1..{form.num_classes - 1} (MODEL.NUM_CLASSES {form.num_classes})"
            bad_rows.append(BadRow(index, show_row(row), f"the label is outside {limits}"))
        else:
            videos.append(Video(index, split[0], os.path.join(form.path_prefix, split[0]), split[1]))
    if videos and all(split_row(video.listed, form.separator) for video in videos):
        problem = three_columns(path)
        bad_rows += [BadRow(video.index, show_row(rows[video.index]), problem) for video in videos]
        videos.clear()
    return videos, bad_rows


def split_row(row: str, separator: str) -> tuple[str, int] | None:
    """Split one row of the list into path and label; return None if it is not both, with one separator between."""
    listed, _, label = row.rpartition(separator)
    if not _LABEL.fullmatch(label) or not _PATH.fullmatch(listed):
        return None
    return listed, int(label)


def first_existing(videos: Sequence[Video]) -> str:
    """Return the path of the first video that exists; empty if none does."""
    return next((video.path for video in videos if os.path.exists(video.path)), "")
