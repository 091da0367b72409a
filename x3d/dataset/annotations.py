"""The list of videos, the numbering of their views, and the names of files that carry it.

Video i of the list has the global views i*V to i*V + V - 1, with V views a video. A view's file is named
`<view>_<label>`, so that its identity is in its name.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

UNLABELLED = -1
SHOWN_FAULTS = 20
VIEW_SUFFIXES = (".npy", ".bin")

_VIEW_STEM = re.compile(r"(\d{1,12})_(-?\d{1,9})")


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
        raise ValueError(f"{path} has {len(faults)} bad lines of {len(lines)}\n" + shorten(faults))
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


def shorten(lines: Sequence[str]) -> str:
    """Join lines for a message, the first 20 and the number of the others."""
    more = [f"... and {len(lines) - SHOWN_FAULTS} more"] if len(lines) > SHOWN_FAULTS else []
    return "\n".join([*lines[:SHOWN_FAULTS], *more])


def first_present(videos: Sequence[Video]) -> str:
    """Find the first video that is there, whose path other machines are asked for; empty when none is."""
    return next((video.path for video in videos if os.path.exists(video.path)), "")


def shard(videos: Sequence[Video], shard_id: int, num_shards: int) -> list[Video]:
    """Take every num_shards-th video, starting at shard_id; indices stay those of the whole list."""
    return list(videos[shard_id::num_shards])


def views_per_video(cfg: "CfgNode") -> int:
    """Count the views of a video: clips times crops."""
    return cfg.TEST.NUM_ENSEMBLE_VIEWS * cfg.TEST.NUM_SPATIAL_CROPS


def view_stem(view: int, label: int) -> str:
    """Name a view's file, without suffix: view 61 of class 7 is `61_7`."""
    return f"{view}_{label}"


def parse_view_stem(stem: str) -> tuple[int, int] | None:
    """Read a view's number and label from its name, None when it is not such a name."""
    match = _VIEW_STEM.fullmatch(stem)
    return (int(match[1]), int(match[2])) if match else None
