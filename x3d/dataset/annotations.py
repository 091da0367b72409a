"""Read and check the annotation list, `test.csv`."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.errors import format_problems

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

UNLABELLED = -1
_LABEL = re.compile(r"-?[0-9]{1,9}")


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

    320 of Kinetics-400's class folders hold a space, so `air drumming/a b.mp4 2` is the path `air drumming/a b.mp4`.

    Raises:
        ValueError: the list does not exist or is empty, or rows are not a path and a label; every row is named.
    """
    path = list_path(cfg)
    lines = _read_lines(path)
    videos, problems = _parse_rows(lines, ListFormat.from_cfg(cfg))
    if problems:
        raise ValueError(f"{path} has bad lines: {len(problems)} of {len(lines)}\n" + format_problems(problems))
    return videos


def scan_list(cfg: "CfgNode") -> tuple[list[Video], list[str]]:
    """Read `test.csv` for checking it.

    Returns:
        The videos of the good rows, and a problem for each other row and each path listed again.
    Raises:
        ValueError: the list does not exist or is empty.
    """
    videos, problems = _parse_rows(_read_lines(list_path(cfg)), ListFormat.from_cfg(cfg))
    first: dict[str, Video] = {}
    for video in videos:
        earlier = first.setdefault(os.path.normpath(video.listed), video)
        if earlier is not video:
            problems.append(f"line {video.index + 1}: listed before in line {earlier.index + 1}: {video.listed!r}")
    return videos, problems


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; set DATA.PATH_TO_DATA_DIR to the folder that holds test.csv"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError(f"{path} is empty; each line holds the path and the label of a video")
    return lines


def _parse_rows(lines: Sequence[str], form: ListFormat) -> tuple[list[Video], list[str]]:
    videos, problems = [], []
    for index, line in enumerate(lines):
        listed, label, problem = split_row(line, form.separator, form.num_classes)
        if problem:
            problems.append(f"line {index + 1}: {problem}: {line!r}")
        else:
            videos.append(Video(index, listed, os.path.join(form.path_prefix, listed), label))
    return videos, problems


def split_row(line: str, separator: str, num_classes: int) -> tuple[str, int, str]:
    """Split one row of the list.

    Returns:
        The path as listed, the label, and the problem of the row, empty if it is good.
    """
    listed, found, text = line.rpartition(separator)
    if not _LABEL.fullmatch(text):
        return line, UNLABELLED, _row_advice(line, separator)
    label = int(text)
    if not found or not listed.strip():
        return line, UNLABELLED, "a label without a path"
    if not UNLABELLED <= label < num_classes:
        return listed, label, f"label {label} is outside -1..{num_classes - 1} (MODEL.NUM_CLASSES {num_classes})"
    return listed, label, ""


def _row_advice(line: str, separator: str) -> str:
    if not line.strip():
        return "an empty line"
    for other in (",", " ", "\t"):
        if other != separator and _LABEL.fullmatch(line.rpartition(other)[2].strip()):
            return f"no label after {separator!r}; for this list set DATA.PATH_LABEL_SEPARATOR to {other!r}"
    return f"no whole number after the last {separator!r}, so no label (a header?)"


def first_existing(videos: Sequence[Video]) -> str:
    """Return the path of the first video that exists, which every node of a cluster must see; empty if none does."""
    return next((video.path for video in videos if os.path.exists(video.path)), "")
