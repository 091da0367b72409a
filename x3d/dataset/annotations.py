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


@dataclass(frozen=True)
class Video:
    """One row of the list: its place in it (0-based), the path as listed, the path to open, and the class."""

    index: int
    listed: str
    path: str
    label: int


def list_path(cfg: "CfgNode") -> Path:
    """Name the list that DATA.PATH_TO_DATA_DIR holds."""
    return Path(cfg.DATA.PATH_TO_DATA_DIR) / "test.csv"


def read_list(cfg: "CfgNode") -> list[Video]:
    """Read `test.csv`: a path and a label a line, split at the last separator.

    320 of Kinetics-400's class folders hold a space, so `air drumming/a b.mp4 2` is the path `air drumming/a b.mp4`.

    Raises:
        ValueError: no list, an empty one, or rows that are not a path and a label; every row is named.
    """
    path = list_path(cfg)
    lines = _read_lines(path)
    videos, faults = _parse_rows(lines, cfg)
    if faults:
        raise ValueError(f"{path} has {len(faults)} bad lines of {len(lines)}\n" + format_problems(faults))
    return videos


def scan_list(cfg: "CfgNode") -> tuple[list[Video], list[str]]:
    """Read `test.csv` for checking it.

    Returns:
        The videos of the good rows, and what is wrong with the others or said twice.
    Raises:
        ValueError: no list, or an empty one.
    """
    videos, faults = _parse_rows(_read_lines(list_path(cfg)), cfg)
    first: dict[str, Video] = {}
    for video in videos:
        earlier = first.setdefault(os.path.normpath(video.listed), video)
        if earlier is not video:
            faults.append(f"line {video.index + 1}: listed before in line {earlier.index + 1}: {video.listed!r}")
    return videos, faults


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").split("\n")
    except FileNotFoundError:
        raise ValueError(f"{path} is not there; set DATA.PATH_TO_DATA_DIR to the folder that holds test.csv") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError(f"{path} is empty; it needs a line `path label` for each video")
    return lines


def _parse_rows(lines: Sequence[str], cfg: "CfgNode") -> tuple[list[Video], list[str]]:
    videos, faults = [], []
    for index, line in enumerate(lines):
        listed, label, fault = split_row(line, cfg.DATA.PATH_LABEL_SEPARATOR, cfg.MODEL.NUM_CLASSES)
        if fault:
            faults.append(f"line {index + 1}: {fault}: {line!r}")
        else:
            videos.append(Video(index, listed, os.path.join(cfg.DATA.PATH_PREFIX, listed), label))
    return videos, faults


def split_row(line: str, separator: str, num_classes: int) -> tuple[str, int, str]:
    """Split one row of the list.

    Returns:
        The path as listed, the label, and what is wrong with the row (empty when nothing is).
    """
    listed, found, text = line.rpartition(separator)
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
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
        if other != separator and line.rpartition(other)[2].strip().lstrip("-").isdigit():
            return f"no label after {separator!r}; for this list set DATA.PATH_LABEL_SEPARATOR to {other!r}"
    return f"no whole number after the last {separator!r}, so no label (a header?)"


def first_present(videos: Sequence[Video]) -> str:
    """Find the first video that is there, whose path other machines are asked for; empty when none is."""
    return next((video.path for video in videos if os.path.exists(video.path)), "")
