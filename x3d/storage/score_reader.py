"""Read the scores of views from their result files: .bin (raw float32), .npy or .txt."""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
import xxhash

from x3d.errors import InputError
from x3d.files import open_regular
from x3d.storage.npy_header import parse_header
from x3d.storage.result_folder import Result

MAX_SCORE_BYTES = 64
"""Longest text of one score, far over the 16 characters that are written."""
HEADER_BYTES = 4096
"""Longest header of a .npy that holds one row."""


class ScoreReader:
    """Reads the scores of a video's views, of each video into the same memory.

    Attributes:
        rows: (num_views, num_classes) float32, of the last video.
    """

    def __init__(self, num_views: int, num_classes: int, digests: Mapping[str, str] | None = None) -> None:
        """Prepare to read.

        Args:
            digests: xxh3-64 of each file's bytes, by name, if a summary records them.
        """
        self._digests = digests or {}
        self._buffer = np.zeros((num_views, num_classes + 1), dtype=np.float32)
        self._spare = [row.data.cast("B") for row in self._buffer]
        self._bytes = [row[:num_classes].data.cast("B") for row in self._buffer]
        self.rows = self._buffer[:, :num_classes]

    def read(self, results: Sequence[Result]) -> list[tuple[str, str]]:
        """Read the scores of the views into `rows` and return path and cause of each file that cannot be used.

        A .bin is read straight into its row, whose spare element shows whether the file is longer.
        """
        problems = []
        num_classes = self.rows.shape[1]
        for row, result in enumerate(results):
            try:
                if not result.path.endswith(".bin") or self._read_raw(row, result.path) != 4 * num_classes:
                    self.rows[row] = self._read_other(result.path, num_classes)
                elif self._digests:
                    self._check_digest(result.path, self._bytes[row])
            except ValueError as error:
                problems.append((result.path, str(error).removeprefix(f"{result.path} ")))
        return problems

    def _read_raw(self, row: int, path: str) -> int:
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                return os.readv(file, [self._spare[row]])
            finally:
                os.close(file)
        except OSError as error:
            raise InputError(f"{path} cannot be read as scores: {error.strerror}") from error

    def _read_other(self, path: str, num_classes: int) -> np.ndarray:
        content = _read_content(path, num_classes)
        scores = decode_scores(path, content, num_classes)
        if self._digests:
            self._check_digest(path, content)
        return scores

    def _check_digest(self, path: str, content: bytes | memoryview) -> None:
        expected = self._digests.get(path.rpartition("/")[2])
        if expected != xxhash.xxh3_64_hexdigest(content):
            cause = "is damaged or replaced: its digest is not" if expected else "has no digest"
            raise InputError(f"{path} {cause} in the summary of the run; run x3d_infer.py again")


def read_scores(path: str, num_classes: int) -> np.ndarray:
    """Read one view's scores from a .bin (raw float32), .npy or .txt file.

    Returns:
        (num_classes,) float32.
    Raises:
        InputError: the file holds another number of scores, or another type; the text names it.
    """
    return decode_scores(path, _read_content(path, num_classes), num_classes)


def _read_content(path: str, num_classes: int) -> bytes:
    """Read a file, of a longer one than any result only the start."""
    limit = HEADER_BYTES + MAX_SCORE_BYTES * num_classes
    try:
        with open_regular(path) as file:
            content = file.read(limit + 1)
            if len(content) > limit:
                size = os.fstat(file.fileno()).st_size
                needed = f"too many for {num_classes} scores (MODEL.NUM_CLASSES)"
                raise InputError(f"{path} cannot be read as scores: {size} bytes, {needed}")
    except OSError as error:
        raise InputError(f"{path} cannot be read as scores: {error.strerror}") from error
    return content


def decode_scores(path: str, content: bytes, num_classes: int) -> np.ndarray:
    """Decode the content of a result file, in the format of its suffix, as read_scores does."""
    suffix = os.path.splitext(path)[1].lower()
    try:
        if suffix == ".bin":
            scores = _decode_raw(content, num_classes)
        elif suffix == ".npy":
            scores = _decode_npy(content)
        else:
            scores = np.array(content.decode("ascii").split(), dtype=np.float32)
    except ValueError as error:
        raise InputError(f"{path} cannot be read as scores: {error}") from error
    if scores.size != num_classes:
        needed = f"{num_classes} are needed (MODEL.NUM_CLASSES)"
        raise InputError(f"{path} holds {scores.size} scores; {needed}{_hint(scores.size, num_classes)}")
    return scores


def _decode_raw(content: bytes, num_classes: int) -> np.ndarray:
    if len(content) != 4 * num_classes:
        needed = f"{num_classes} float32 (MODEL.NUM_CLASSES) are {4 * num_classes}"
        raise ValueError(f"{len(content)} bytes; {needed}{_hint(len(content) // 4, num_classes)}")
    return np.frombuffer(content, dtype=np.float32)


def _hint(num_scores: int, num_classes: int) -> str:
    """Explain two rows in one result."""
    is_double = num_scores == 2 * num_classes
    return ", and ais_bench writes twice as many for float32 views and an .om that takes float16" if is_double else ""


def _decode_npy(content: bytes) -> np.ndarray:
    """Decode the values of a .npy, whose data must be as long as its header claims."""
    header = parse_header(content)
    if header is None:
        raise ValueError("its .npy header is damaged")
    size = math.prod(header.shape)
    if header.dtype != "float32":
        raise ValueError(f"{size} {header.dtype} scores; float32 are needed")
    if 4 * size != len(content) - header.offset:
        raise ValueError(f"its .npy header claims {size} values, which the file does not hold")
    return np.frombuffer(content, np.float32, offset=header.offset)
