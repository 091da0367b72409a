"""Rows of scores, one per video, appended as videos are done: a killed run loses at most the row it was writing.

A row is little-endian and holds, in this order:

    video               int64
    label               int64
    check               uint64       xxh3-64 of the other bytes of the row, with the evaluation's provenance as seed
    size                int64        of the video file, in bytes
    mtime_ns            int64        its modification time, in nanoseconds
    source              uint64       xxh3-64 of its content
    rotation            int32        its rotation metadata in degrees, which is not applied
    corrupt_frames      int32        frames that the decoder marked as damaged
    view_classes        V int32      the best class of each view
    view_probabilities  V float32    the probability that each view gave it
    scores              C float32    aggregated over the views
    means               C float32    the mean of the views' probabilities; only if the scores are not their sum

With V = 30 views and C = 400 classes it takes 1,896 bytes, 240 of them for the single views: 37 MB for 19,761 videos.

Rows that are corrupt, or of an evaluation with another provenance, stay in the file and are ignored.
"""

import contextlib
import errno
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash

from x3d.dataset.annotations import Video
from x3d.errors import InputError, counted
from x3d.files import read_regular
from x3d.scoring.aggregate import SUM
from x3d.storage.atomic import errors_naming, replace_file, take_lock, write_all
from x3d.video.source import Source

logger = logging.getLogger(__name__)

SYNC_INTERVAL_SECONDS = 2
_CHECK = slice(16, 24)
"""Place of a row's checksum in its bytes."""


@dataclass(frozen=True)
class VideoScores:
    """The scores of a video, and what they were computed from.

    Attributes:
        scores: (num_classes,) float32, aggregated over its views.
        view_classes: (V,) int32, the best class of each view.
        view_probabilities: (V,) float32, the probability that each view gave it.
        source: identifies the content of the file.
        means: (num_classes,) float32, the mean of the views' probabilities, if `scores` is not their sum.
        rotation: metadata in degrees, which is not applied.
        corrupt_frames: number of frames that the decoder marked as damaged.
    """

    scores: np.ndarray
    view_classes: np.ndarray
    view_probabilities: np.ndarray
    source: Source
    means: np.ndarray | None = None
    rotation: int = 0
    corrupt_frames: int = 0


def row_type(num_classes: int, num_views: int, ensemble_method: str) -> np.dtype:
    """Describe one row.

    Args:
        num_views: per video.
        ensemble_method: of the scores.
    """
    means = [] if ensemble_method == SUM else [("means", "<f4", (num_classes,))]
    return np.dtype(
        [
            ("video", "<i8"),
            ("label", "<i8"),
            ("check", "<u8"),
            ("size", "<i8"),
            ("mtime_ns", "<i8"),
            ("source", "<u8"),
            ("rotation", "<i4"),
            ("corrupt_frames", "<i4"),
            ("view_classes", "<i4", (num_views,)),
            ("view_probabilities", "<f4", (num_views,)),
            ("scores", "<f4", (num_classes,)),
            *means,
        ]
    )


def row_type_of(provenance: Mapping[str, Any]) -> np.dtype:
    """Describe the rows of an evaluation by its provenance."""
    method = provenance["config"]["DATA.ENSEMBLE_METHOD"]
    return row_type(provenance["num_classes"], provenance["views_per_video"], method)


def has_means(dtype: np.dtype) -> bool:
    """Check whether rows hold the mean of the views' probabilities."""
    return "means" in (dtype.names or ())


def source_of_row(row: np.ndarray) -> Source:
    """Read the source of a row."""
    return Source(int(row["size"]), int(row["mtime_ns"]), int(row["source"]))


def _checksum(row: np.ndarray, seed: int) -> int:
    content = row.tobytes()
    return xxhash.xxh3_64_intdigest(content[: _CHECK.start] + content[_CHECK.stop :], seed)


def read_score_rows(path: Path, dtype: np.dtype, seed: int) -> np.ndarray:
    """Read the rows of a file, in order of video; corrupt and foreign ones are skipped with a warning.

    Args:
        dtype: as row_type describes it.
        seed: of the checksums, as x3d.storage.provenance.provenance_seed computes it.
    Returns:
        (n,) of that dtype.
    Raises:
        InputError: the file cannot be read, or a video is in it twice.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    rows: np.ndarray = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype=dtype)
    good = np.array([_checksum(row, seed) == row["check"] for row in rows], dtype=bool)
    num_skipped = -(-len(content) // dtype.itemsize) - int(good.sum())
    if num_skipped:
        logger.warning("%s: %s skipped, corrupt or of another evaluation", path, counted(num_skipped, "row"))
    rows = rows[good]
    rows = rows[np.argsort(rows["video"])]
    repeated = rows["video"][1:][np.diff(rows["video"]) == 0]
    if len(repeated):
        raise InputError(f"{path} holds video {repeated[0]} twice; remove the file, or give another folder")
    return rows


class ScoreRows:
    """A file of rows, locked for this process, which appends to it.

    Attributes:
        rows: (n,) of `dtype`, those that the file held when it was opened, without the dropped ones.
        num_rows: the number of those and of the rows appended since.
        num_rotated: rows of videos with rotation metadata.
        num_corrupt: rows of videos of which the decoder marked frames as damaged.
    Raises:
        InputError: another process has locked it, or it cannot be read.
    """

    def __init__(self, path: Path, dtype: np.dtype, seed: int) -> None:
        self.path = path
        self._seed = seed
        self._dtype = dtype
        self._synced_at = time.monotonic()
        self._descriptor = take_lock(path)
        try:
            self._set(read_score_rows(path, dtype, seed))
            size = path.stat().st_size
            os.truncate(self._descriptor, size - size % self._dtype.itemsize)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _set(self, rows: np.ndarray) -> None:
        self.rows = rows
        self.num_rows = len(rows)
        self.num_rotated = int(np.count_nonzero(rows["rotation"]))
        self.num_corrupt = int(np.count_nonzero(rows["corrupt_frames"]))

    def append(self, video: Video, result: VideoScores) -> None:
        """Append a video's row and pass it to the operating system; sync every few seconds.

        Raises:
            OSError: the row cannot be written in full, or the file was removed; a part of a row is removed when the
                file is opened again.
        """
        row = np.zeros((), dtype=self._dtype)
        row["video"], row["label"] = video.index, video.label
        row["scores"] = result.scores
        row["view_classes"], row["view_probabilities"] = result.view_classes, result.view_probabilities
        if has_means(self._dtype):
            row["means"] = result.means
        row["size"], row["mtime_ns"], row["source"] = result.source.size, result.source.mtime_ns, result.source.hash
        row["rotation"], row["corrupt_frames"] = result.rotation, result.corrupt_frames
        row["check"] = _checksum(row, self._seed)
        with errors_naming(self.path):
            write_all(self._descriptor, row.tobytes())
            if time.monotonic() - self._synced_at > SYNC_INTERVAL_SECONDS:
                self.sync()
        self.num_rows += 1
        self.num_rotated += bool(result.rotation)
        self.num_corrupt += bool(result.corrupt_frames)

    def sync(self) -> None:
        """Wait until the rows are on the disk, and check that their file is still at its path.

        Raises:
            OSError: they cannot be written, or the file was removed.
        """
        with errors_naming(self.path):
            os.fdatasync(self._descriptor)
            self._synced_at = time.monotonic()
            if not self.path.exists() or not os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):
                raise OSError(errno.ENOENT, "it was removed or replaced during the run")

    def drop(self, videos: Sequence[int]) -> None:
        """Remove the rows of videos: the file is replaced by a new one, which is locked first.

        Raises:
            OSError: it cannot be written; the old file stays.
        """
        kept = self.rows[~np.isin(self.rows["video"], videos)]
        with contextlib.ExitStack() as on_error:
            with replace_file(self.path) as file:
                descriptor = take_lock(Path(file.name))
                on_error.callback(os.close, descriptor)
                write_all(descriptor, kept.tobytes())
            on_error.pop_all()
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._set(kept)

    def close(self) -> None:
        """Sync the rows and release the lock.

        Raises:
            OSError: they cannot be written.
        """
        with errors_naming(self.path):
            try:
                os.fdatasync(self._descriptor)
            finally:
                os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
