"""The views an inference run reads: which files, in which order, checked before anything runs."""

import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from natsort import natsorted, ns

from x3d.dataset.naming import VIEW_SUFFIXES, result_stem
from x3d.errors import format_problems


def list_inputs(source: str) -> list[str]:
    """List the .npy and .bin files of a folder (not of its subfolders), or of `file,file,...`, in natural order.

    That is ais_bench's choice and order: `2_7.npy` comes before `10_3.npy`.

    Raises:
        ValueError: no such folder or file, or none of those suffixes in it.
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
    """Check type and size of every file by its header and length, and that no two would write one result.

    Raises:
        ValueError: files that are not one view each; all are named.
    """
    faults = [fault for path in paths if (fault := _fault(path, view_shape))]
    stems: dict[str, str] = {}
    for path in paths:
        first = stems.setdefault(result_stem(path), path)
        if first != path:
            faults.append(f"{path} and {first} would write the same result")
    if faults:
        raise ValueError(f"--input: {len(faults)} files are not views of this model\n" + format_problems(faults))


def _fault(path: str, view_shape: tuple[int, ...]) -> str:
    needed = f"{path}: float32 of shape (1, {', '.join(map(str, view_shape))}) is needed"
    data_bytes = 4 * math.prod(view_shape)
    size = os.path.getsize(path)
    if path.lower().endswith(".bin"):
        return "" if size == data_bytes else f"{needed}, {data_bytes} bytes; it has {size}"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        return f"{path} is not a whole .npy: {error}"
    if not isinstance(array, np.ndarray):
        return f"{needed}; it is an archive of arrays"
    if array.dtype == np.float32 and array.size == math.prod(view_shape) and array.shape[-4:] == view_shape:
        return "" if array.flags.c_contiguous else f"{needed} in C order"
    return f"{needed}; it has {array.dtype} of shape {array.shape}"


def read_batch(paths: Sequence[str], view_shape: tuple[int, ...], batch_size: int) -> np.ndarray:
    """Read one batch; a short one is padded with its first view, whose extra outputs the caller drops.

    Returns:
        (batch_size, 3, T, C, C) float32.
    """
    batch = np.empty((batch_size, *view_shape), dtype=np.float32)
    for row in range(batch_size):
        batch[row] = _read(paths[row], view_shape) if row < len(paths) else batch[0]
    return batch


def _read(path: str, view_shape: tuple[int, ...]) -> np.ndarray:
    if path.lower().endswith(".bin"):
        return np.fromfile(path, dtype=np.float32).reshape(view_shape)
    return np.load(path).reshape(view_shape)


def batched(paths: Sequence[str], batch_size: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Cut a list into batches; yields the number of a batch's first file, and its files."""
    for start in range(0, len(paths), batch_size):
        yield start, paths[start : start + batch_size]
