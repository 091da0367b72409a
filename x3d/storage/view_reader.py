"""Find, check and read the views of an inference run."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from natsort import natsorted, ns

from x3d.dataset.naming import VIEW_SUFFIXES, result_stem
from x3d.errors import InputError, RunError, format_problems, group_problems, one_line
from x3d.storage.view_file import ViewFiles
from x3d.storage.view_records import ViewRecords, find_records
from x3d.video.dtype import DTYPES, convert

_VIEW_NAME = re.compile(r"(0|[1-9][0-9]{0,11})_(-?)(0|[1-9][0-9]{0,8})\.(bin|npy)")


class Views:
    """The views of an inference run, with what the manifest beside them records.

    Attributes:
        paths: of the files, in order.
        provenance: of the manifest; None if no manifest lies beside the views.
        missing_videos: the listed videos without views, by index: why.
        dtype: of the values in the files: float32 or float16.
    """

    def __init__(self, paths: Sequence[str], records: ViewRecords | None) -> None:
        self.paths = paths
        self.provenance: Mapping[str, Any] | None = records.provenance if records else None
        self.missing_videos = records.missing_videos() if records else {}
        self.dtype = records.dtype if records else "float32"
        self._records = records

    def check(self, view_shape: tuple[int, ...], input_dtype: str = "float32") -> None:
        """Check type and size of every file by its header and length, and that no two would write the same result.

        All files have one type: the manifest's; without a manifest that of the first .npy's header, and a .bin has that
        of the model's input, as for ais_bench.

        Args:
            view_shape: (3, T, C, C), of one view.
            input_dtype: of the model's input.
        Raises:
            InputError: some files are not one view each, or not all of one type; all are named.
        """
        dtypes = [self.dtype] if self._records else sorted(DTYPES, key=lambda dtype: dtype != input_dtype)
        files = ViewFiles(view_shape, dtypes)
        first_of: dict[str, str] = {}
        unusable = []
        for path in self.paths:
            dtype, problem = files.check(path)
            if problem:
                unusable.append((f"{path}:", problem))
            else:
                first_of.setdefault(dtype, path)
        others = _same_results(self.paths)
        if len(first_of) > 1:
            others.append(f"{' and '.join(f'{path} has {dtype}' for dtype, path in first_of.items())}; give one type")
        if unusable or others:
            problems = format_problems([*group_problems(unusable, "file"), *others])
            raise InputError(
                f"--input holds files that the model cannot take: {len(unusable) + len(others)}\n{problems}"
            )
        self.dtype = next(iter(first_of), self.dtype)

    def read(self, paths: Sequence[str], view_shape: tuple[int, ...], input_dtype: str = "float32") -> np.ndarray:
        """Read views, compare their values with the hashes that the manifest records, and convert them.

        Args:
            paths: some of `self.paths`.
            input_dtype: float32 or float16.
        Returns:
            (len(paths), *view_shape) of `input_dtype`.
        Raises:
            RunError: a file is not one view, or has other values than were written; the text names it.
        """
        files = ViewFiles(view_shape, [self.dtype])
        views = np.empty((len(paths), *view_shape), self.dtype)
        for path, view in zip(paths, views, strict=True):
            try:
                files.read(path, view)
            except ValueError as error:
                raise RunError(str(error)) from error
            if self._records:
                self._records.check_hash(path, xxhash.xxh3_64_hexdigest(view.data))
        return convert(views, input_dtype)


def open_views(source: str) -> Views:
    """Find the .npy and .bin files of a folder (not of its subfolders), in natural order, or take `file,file,...`.

    These are ais_bench's files and order: `2_7.npy` comes before `10_3.npy`.

    Raises:
        InputError: folder or file does not exist or cannot be read, x3d_preprocess.py still writes there, or a manifest
            beside the views is damaged, does not record a view, or records one that is missing.
    """
    is_folder = os.path.isdir(source)
    paths = _list_folder(source) if is_folder else _list_files(source.split(","))
    records = find_records(Path(source)) if is_folder else _find_records_of_files(paths)
    if records:
        records.check({os.path.splitext(path)[0].rpartition("/")[2] for path in paths}, is_all=is_folder)
    return Views(paths, records)


def _list_folder(folder: str) -> list[str]:
    """List the views of a folder, in order."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(VIEW_SUFFIXES):
                    if not entry.is_file():
                        raise _not_regular(entry.path)
                    names.append(entry.name)
    except OSError as error:
        raise InputError(f"--input {folder} cannot be read: {error.strerror}; make it readable") from error
    if not names:
        raise InputError(f"--input {folder} holds no .npy or .bin; make them with x3d_preprocess.py")
    start = os.path.join(folder, "")
    return [start + name for name in sort_names(names)]


def _list_files(paths: Sequence[str]) -> list[str]:
    for path in paths:
        if os.path.isdir(path):
            raise InputError(f"--input names the folder {path} among others; give one folder alone, or files")
        if not os.path.exists(path):
            raise InputError(f"--input {path} does not exist; give a folder of views, as x3d_preprocess.py writes")
        if not os.path.isfile(path):
            raise _not_regular(path)
    return list(paths)


def _not_regular(path: str) -> InputError:
    return InputError(f"--input {one_line(path)} is not a regular file, nor a link to one; move it elsewhere")


def _find_records_of_files(paths: Sequence[str]) -> ViewRecords | None:
    """Find the records of files that lie in one folder, or in several without manifests."""
    folders = sorted({os.path.dirname(path) for path in paths})
    records = {folder: found for folder in folders if (found := find_records(Path(folder or ".")))}
    if records and len(folders) > 1:
        raise InputError(f"--input names views of {' and '.join(folders)}; give views of one folder with a manifest")
    return next(iter(records.values()), None)


def sort_names(names: Iterable[str]) -> list[str]:
    """Sort names in natural order without regard to case; where all are canonical names of views, by their numbers.

    The order is the same, and that of 592,830 views is found in a second instead of twenty.
    """
    numbers: dict[str, int] = {}
    for name in names:
        match = _VIEW_NAME.fullmatch(name)
        if not match:
            return natsorted(sorted(names), alg=ns.IGNORECASE)
        view, minus, label, suffix = match.groups()
        numbers[name] = int(view) << 34 | bool(minus) << 33 | int(label) << 1 | (suffix == "npy")
    return sorted(numbers, key=numbers.__getitem__)


def _same_results(paths: Sequence[str]) -> list[str]:
    """Describe files that would write the same result."""
    stems: dict[str, str] = {}
    firsts = [stems.setdefault(result_stem(path), path) for path in paths]
    return [
        f"{path} and {first} would write the same result"
        for path, first in zip(paths, firsts, strict=True)
        if first is not path
    ]


def batched(paths: Sequence[str], batch_size: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Split a list into batches; yield the number of a batch's first file, and its files."""
    for start in range(0, len(paths), batch_size):
        yield start, paths[start : start + batch_size]
