"""Read and write a folder of results, as `python -m ais_bench` lays it out: `<view>_<label>_<output>.bin`."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from x3d.dataset.naming import parse_result_name
from x3d.storage.ais_bench_summary import SUMMARY_SUFFIX

_DEVICE_FOLDER = re.compile(r"device\d+")


class Result(NamedTuple):
    """One view's scores on disk."""

    view: int
    label: int
    path: str


def find_results(folder: str) -> tuple[list[Result], list[str]]:
    """List the results of a folder and its `device<N>/` folders.

    Returns:
        The results in order of view and label, and the names of other files, which may be from another run.
    Raises:
        ValueError: the folder does not exist.
    """
    root = Path(folder)
    if not folder or not root.is_dir():
        raise ValueError(
            f"{folder or 'X3D_POSTPROCESS.OM_OUTPUT_PATH'} is not a folder of results; "
            "set X3D_POSTPROCESS.OM_OUTPUT_PATH to what ais_bench or x3d_infer.py wrote"
        )
    results, foreign = [], []
    for entry in _files(root):
        identity = parse_result_name(entry.name)
        if identity:
            results.append(Result(*identity, entry.path))
        elif not entry.name.endswith(SUMMARY_SUFFIX):
            foreign.append(os.path.relpath(entry.path, root))
    results.sort()
    return results, sorted(foreign)


def _files(root: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(root) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry
            elif _DEVICE_FOLDER.fullmatch(entry.name):
                yield from os.scandir(entry.path)


class ScoreReader:
    """Reads the scores of a video's views, of each video into the same memory.

    Attributes:
        rows: (num_views, num_classes) float32, of the last video.
    """

    def __init__(self, num_views: int, num_classes: int) -> None:
        self._buffer = np.zeros((num_views, num_classes + 1), dtype=np.float32)
        self._bytes = [row.data.cast("B") for row in self._buffer]
        self.rows = self._buffer[:, :num_classes]

    def read(self, results: Sequence[Result]) -> list[str]:
        """Read the scores of the views into `rows` and return a problem per file that cannot be used.

        A .bin is read straight into its row, whose spare element shows whether the file is longer.
        """
        problems = []
        num_classes = self.rows.shape[1]
        for row, result in enumerate(results):
            try:
                if not result.path.endswith(".bin") or self._read_raw(row, result.path) != 4 * num_classes:
                    self.rows[row] = read_scores(result.path, num_classes)
            except ValueError as error:
                problems.append(str(error))
        if not np.isfinite(self.rows).all():
            bad = [results[int(row)].path for row in np.flatnonzero(~np.isfinite(self.rows).all(axis=1))]
            problems += [f"{path} holds scores that are not finite (NaN or infinity)" for path in bad]
        return problems

    def _read_raw(self, row: int, path: str) -> int:
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise ValueError(f"{path} cannot be read as scores: {error.strerror}") from error
        try:
            return os.readv(file, [self._bytes[row]])
        finally:
            os.close(file)


def read_scores(path: str, num_classes: int) -> np.ndarray:
    """Read one view's scores from a .bin (raw float32), .npy or .txt file.

    Returns:
        (num_classes,) float32.
    Raises:
        ValueError: the file holds another number of scores, or another type; the text names it.
    """
    suffix = os.path.splitext(path)[1].lower()
    try:
        if suffix == ".bin":
            scores = _read_raw(path, num_classes)
        elif suffix == ".npy":
            scores = np.load(path, allow_pickle=False).ravel()
        else:
            scores = np.array(Path(path).read_text().split(), dtype=np.float32)
    except (OSError, EOFError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as scores: {error}") from error
    if scores.dtype != np.float32 or scores.size != num_classes:
        raise ValueError(
            f"{path} holds {scores.size} {scores.dtype} scores; {num_classes} float32 are needed (MODEL.NUM_CLASSES)"
        )
    return scores


def _read_raw(path: str, num_classes: int) -> np.ndarray:
    with open(path, "rb") as file:
        content = file.read()
    if len(content) != 4 * num_classes:
        raise ValueError(f"{len(content)} bytes; {num_classes} float32 (MODEL.NUM_CLASSES) are {4 * num_classes}")
    return np.frombuffer(content, dtype=np.float32)


def write_result(folder: str, stem: str, outputs: Sequence[np.ndarray], suffix: str) -> list[str]:
    """Write one view's outputs, each (num_classes,) or (1, num_classes) float32, and return the files' paths.

    Text has nine significant digits, enough to read the same float32 back.
    """
    paths = []
    for number, output in enumerate(outputs):
        path = os.path.join(folder, f"{stem}_{number}{suffix}")
        if suffix == ".npy":
            np.save(path, output)
        elif suffix == ".txt":
            np.savetxt(path, np.atleast_2d(output), fmt="%.9g")
        else:
            output.tofile(path)
        paths.append(path)
    return paths
