"""Read and write a folder of results, as `python -m ais_bench` lays it out: `<view>_<label>_<output>.bin`."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from x3d.annotations import parse_view_stem

SUFFIXES = (".bin", ".npy", ".txt")

_DEVICE_FOLDER = re.compile(r"device\d+")
_RESULT_STEM = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True, order=True)
class Result:
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
    for path in _files(root):
        result = parse_result(path)
        if result:
            results.append(result)
        elif not path.endswith("_summary.json"):
            foreign.append(os.path.relpath(path, root))
    return sorted(results), sorted(foreign)


def _files(root: Path) -> Iterator[str]:
    with os.scandir(root) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.path
            elif _DEVICE_FOLDER.fullmatch(entry.name):
                yield from (inner.path for inner in os.scandir(entry.path))


def parse_result(path: str) -> Result | None:
    """Read view and label from a result's name; only output 0 is a view's scores."""
    stem, suffix = os.path.splitext(os.path.basename(path))
    match = _RESULT_STEM.fullmatch(stem)
    if not match or match[2] != "0" or suffix.lower() not in SUFFIXES:
        return None
    identity = parse_view_stem(match[1])
    return Result(*identity, path) if identity else None


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
        try:
            samples = json.loads(path.read_text())["filesinfo"].values()
            found = [parse_result(name) for sample in samples for name in sample["outfiles"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a summary of ais_bench: {error!r}; remove it") from error
        for result in filter(None, found):
            if result.view in expected:
                raise ValueError(f"{path} names view {result.view} twice")
            expected[result.view] = result.label
    return expected or None


def read_scores(path: str, num_classes: int) -> np.ndarray:
    """Read one view's scores from a .bin (raw float32), .npy or .txt file.

    Returns:
        (num_classes,) float32.
    Raises:
        ValueError: not that many scores, not float32, or not all finite; the text names the file.
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
    if not np.isfinite(scores).all():
        raise ValueError(f"{path} holds scores that are not finite (NaN or infinity)")
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
