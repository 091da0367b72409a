"""Find, check and read the views of an inference run."""

import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from natsort import natsorted, ns

from x3d.dataset.naming import VIEW_SUFFIXES, result_stem
from x3d.errors import format_problems


def list_inputs(source: str) -> list[str]:
    """List the .npy and .bin files of a folder (not of its subfolders), or of `file,file,...`, in natural order.

    These are ais_bench's files and order: `2_7.npy` comes before `10_3.npy`.

    Raises:
        ValueError: the folder or a file does not exist, or the folder holds no such file.
    """
    if os.path.isdir(source):
        with os.scandir(source) as entries:
            paths = [entry.path for entry in entries if entry.name.lower().endswith(VIEW_SUFFIXES)]
        if not paths:
            raise ValueError(f"--input {source} holds no .npy or .bin; make them with x3d_preprocess.py")
        return natsorted(paths, alg=ns.IGNORECASE)
    paths = source.split(",")
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise ValueError(f"--input {missing[0]} is neither a folder nor a file")
    return paths


def check_inputs(paths: Sequence[str], view_shape: tuple[int, ...]) -> None:
    """Check type and size of every file by its header and length, and that no two would write the same result.

    Raises:
        ValueError: some files are not one view each; all are named.
    """
    problems = [problem for path in paths if (problem := _problem(path, view_shape))]
    stems: dict[str, str] = {}
    for path in paths:
        first = stems.setdefault(result_stem(path), path)
        if first != path:
            problems.append(f"{path} and {first} would write the same result")
    if problems:
        raise ValueError(f"--input holds files that cannot be used: {len(problems)}\n" + format_problems(problems))


def _problem(path: str, view_shape: tuple[int, ...]) -> str:
    needed = f"{path}: float32 of shape (1, {', '.join(map(str, view_shape))}) is needed"
    data_bytes = 4 * math.prod(view_shape)
    size = os.path.getsize(path)
    if path.lower().endswith(".bin"):
        return "" if size == data_bytes else f"{needed}, {data_bytes} bytes; it has {size}"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        return f"{path} cannot be read: {error}"
    except (EOFError, ValueError):
        return f"{path} is not a complete .npy file"
    if not isinstance(array, np.ndarray):
        return f"{needed}; it is an archive of arrays"
    if array.dtype == np.float32 and array.size == math.prod(view_shape) and array.shape[-4:] == view_shape:
        return "" if array.flags.c_contiguous else f"{needed} in C order"
    return f"{needed}; it has {array.dtype} of shape {array.shape}"


def read_batch(paths: Sequence[str], view_shape: tuple[int, ...]) -> np.ndarray:
    """Read a batch of views.

    Returns:
        (len(paths), *view_shape) float32.
    """
    return np.stack([_read(path, view_shape) for path in paths])


def _read(path: str, view_shape: tuple[int, ...]) -> np.ndarray:
    if path.lower().endswith(".bin"):
        return np.fromfile(path, dtype=np.float32).reshape(view_shape)
    view: np.ndarray = np.load(path)
    return view.reshape(view_shape)


def batched(paths: Sequence[str], batch_size: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Split a list into batches; yield the number of a batch's first file, and its files."""
    for start in range(0, len(paths), batch_size):
        yield start, paths[start : start + batch_size]
