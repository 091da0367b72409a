"""Read and write a folder of results, as `python -m ais_bench` lays it out: `<view>_<label>_<output>.bin`."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from x3d.dataset.naming import parse_result_name
from x3d.storage.ais_bench_summary import read_summary

_DEVICE_FOLDER = re.compile(r"device\d+")


class Result(NamedTuple):
    """One view's scores on disk."""

    view: int
    label: int
    path: str


def find_results(folder: str) -> tuple[list[Result], list[str]]:
    """List the results of a folder and its `device<N>/` folders.

    Returns:
        The results in order of view and label, and the names that are no view's result, which may be from another run.
    Raises:
        ValueError: no such folder.
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
        elif not entry.name.endswith("_summary.json"):
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


def summary_results(folder: str) -> dict[int, int] | None:
    """Read what a run meant to write from the summary JSON beside the folder, or in it for several devices.

    Returns:
        Label of each view, None without a summary.
    Raises:
        ValueError: the summary cannot be read, or names a view twice.
    """
    root = Path(os.path.abspath(folder))
    beside = root.parent / f"{root.name}_summary.json"
    paths = [beside] if beside.is_file() else sorted(root.glob("device*_summary.json"))
    if not paths:
        return None
    expected: dict[int, int] = {}
    for path in paths:
        for view, label in read_summary(path):
            if view in expected:
                raise ValueError(f"{path} names view {view} twice")
            expected[view] = label
    return expected or None


class ScoreReader:
    """Read the scores of a video's views, all into the same memory.

    Attributes:
        rows: (num_views, num_classes) float32, of the video last read.
    """

    def __init__(self, num_views: int, num_classes: int) -> None:
        self._buffer = np.zeros((num_views, num_classes + 1), dtype=np.float32)
        self._bytes = [row.data.cast("B") for row in self._buffer]
        self.rows = self._buffer[:, :num_classes]

    def read(self, results: Sequence[Result]) -> list[str]:
        """Fill `rows` with the scores of the views, and list the files that cannot be used.

        A .bin of the right length goes straight into its row; a byte more would show in the row's spare element.
        """
        faults = []
        num_classes = self.rows.shape[1]
        for row, result in enumerate(results):
            try:
                if not result.path.endswith(".bin") or self._read_raw(row, result.path) != 4 * num_classes:
                    self.rows[row] = read_scores(result.path, num_classes)
            except ValueError as error:
                faults.append(str(error))
        if not np.isfinite(self.rows).all():
            bad = [results[int(row)].path for row in np.flatnonzero(~np.isfinite(self.rows).all(axis=1))]
            faults += [f"{path} holds scores that are not finite (NaN or infinity)" for path in bad]
        return faults

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
        ValueError: not that many scores, or not float32; the text names the file.
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
            np.savetxt(path, output.reshape(-1, output.shape[-1]), fmt="%.9g")
        else:
            output.tofile(path)
        paths.append(path)
    return paths
