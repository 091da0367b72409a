"""Rows of scores, appended as videos are done: a killed run loses at most the row it was writing.

A record is `<video int64><label int64><xxh3-64 of the rest><num_classes float32>`, little-endian. A damaged one stays
where it is and counts for nothing.
"""

import logging
import os
from pathlib import Path
from typing import Self

import numpy as np
import xxhash

from x3d.storage.atomic import take_lock, write_all

logger = logging.getLogger(__name__)


def record_type(num_classes: int) -> np.dtype:
    """Describe one record."""
    return np.dtype([("video", "<i8"), ("label", "<i8"), ("check", "<u8"), ("scores", "<f4", (num_classes,))])


def _check(record: np.ndarray) -> int:
    hasher = xxhash.xxh3_64(record["video"].tobytes())
    hasher.update(record["label"].tobytes())
    hasher.update(record["scores"].tobytes())
    return hasher.intdigest()


def read_journal(path: Path, num_classes: int) -> np.ndarray:
    """Read the whole records of a journal, in order of video; a torn or damaged one is left out, and said.

    Returns:
        (n,) of record_type(num_classes).
    Raises:
        ValueError: the file cannot be read, or a video is in it twice.
    """
    kind = record_type(num_classes)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    records = np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], dtype=kind)
    good = np.array([_check(record) == record["check"] for record in records], dtype=bool)
    num_dropped = -(-len(content) // kind.itemsize) - int(good.sum())
    if num_dropped:
        logger.warning("%s: %d torn or damaged rows are left out", path, num_dropped)
    records = records[good]
    records = records[np.argsort(records["video"], kind="stable")]
    doubled = records["video"][1:][np.diff(records["video"]) == 0]
    if len(doubled):
        raise ValueError(f"{path} holds video {doubled[0]} twice")
    return records


class Journal:
    """A journal that this process alone appends to.

    Attributes:
        done: (n,) int64, the videos whose rows were there.
        num_rows: those and the ones appended since.
    Raises:
        ValueError: another process appends to it, or it cannot be read.
    """

    def __init__(self, path: Path, num_classes: int) -> None:
        self._kind = record_type(num_classes)
        self._descriptor = take_lock(path)
        try:
            records = read_journal(path, num_classes)
        except BaseException:
            os.close(self._descriptor)
            raise
        size = path.stat().st_size
        os.truncate(self._descriptor, size - size % self._kind.itemsize)
        self.done = records["video"]
        self.num_rows = len(records)

    def append(self, video: int, label: int, scores: np.ndarray) -> None:
        """Add a video's joined scores, (num_classes,) float32.

        Raises:
            OSError: the row cannot be written whole; what is there of it is dropped when the journal is opened again.
        """
        record = np.zeros((), dtype=self._kind)
        record["video"], record["label"], record["scores"] = video, label, scores
        record["check"] = _check(record)
        write_all(self._descriptor, record.tobytes())
        self.num_rows += 1

    def close(self) -> None:
        """Let another process append."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
