"""Rows of scores, one per video, appended as videos are done: a killed run loses at most the row it was writing.

A row is `<video int64><label int64><xxh3-64 of the other fields><num_classes float32>`, little-endian. Corrupt rows
stay in the file and are ignored.
"""

import logging
import os
from pathlib import Path
from typing import Self

import numpy as np
import xxhash

from x3d.storage.atomic import take_lock, write_all

logger = logging.getLogger(__name__)


def row_type(num_classes: int) -> np.dtype:
    """Describe one row."""
    return np.dtype([("video", "<i8"), ("label", "<i8"), ("check", "<u8"), ("scores", "<f4", (num_classes,))])


def _checksum(row: np.ndarray) -> int:
    hasher = xxhash.xxh3_64(row["video"].tobytes())
    hasher.update(row["label"].tobytes())
    hasher.update(row["scores"].tobytes())
    return hasher.intdigest()


def read_score_rows(path: Path, num_classes: int) -> np.ndarray:
    """Read the rows of a file, in order of video; corrupt ones are skipped with a warning.

    Returns:
        (n,) of row_type(num_classes).
    Raises:
        ValueError: the file cannot be read, or a video is in it twice.
    """
    dtype = row_type(num_classes)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    rows: np.ndarray = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype=dtype)
    good = np.array([_checksum(row) == row["check"] for row in rows], dtype=bool)
    num_corrupt = -(-len(content) // dtype.itemsize) - int(good.sum())
    if num_corrupt:
        logger.warning("%s: corrupt rows are skipped: %d", path, num_corrupt)
    rows = rows[good]
    rows = rows[np.argsort(rows["video"])]
    repeated = rows["video"][1:][np.diff(rows["video"]) == 0]
    if len(repeated):
        raise ValueError(f"{path} holds video {repeated[0]} twice; remove the file, or give another folder")
    return rows


class ScoreRows:
    """A file of rows, locked for this process, which appends to it.

    Attributes:
        done: (n,) int64, the videos whose rows the file held when it was opened.
        num_rows: the number of those and of the rows appended since.
    Raises:
        ValueError: another process has locked it, or it cannot be read.
    """

    def __init__(self, path: Path, num_classes: int) -> None:
        self._dtype = row_type(num_classes)
        self._descriptor = take_lock(path)
        try:
            rows = read_score_rows(path, num_classes)
            size = path.stat().st_size
            os.truncate(self._descriptor, size - size % self._dtype.itemsize)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.done = rows["video"]
        self.num_rows = len(rows)

    def append(self, video: int, label: int, scores: np.ndarray) -> None:
        """Append a video's aggregated scores, (num_classes,) float32.

        Raises:
            OSError: the row cannot be written in full; its part is removed when the file is opened again.
        """
        row = np.zeros((), dtype=self._dtype)
        row["video"], row["label"], row["scores"] = video, label, scores
        row["check"] = _checksum(row)
        write_all(self._descriptor, row.tobytes())
        self.num_rows += 1

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
