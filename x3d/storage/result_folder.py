"""List and write a folder of results, as `python -m ais_bench` lays it out: `<view>_<label>_<output>.bin`."""

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash

from x3d.dataset.naming import parse_result_name
from x3d.errors import InputError, RunError, one_line
from x3d.files import describe_no_folder
from x3d.storage.ais_bench_summary import SUMMARY_SUFFIX, summary_path
from x3d.storage.atomic import errors_naming, remove_leftovers, sync_file_system, sync_folder, write_all
from x3d.storage.scratch import ScratchNeededError, locked_scratch

_DEVICE_FOLDER = re.compile(r"device\d+(_\d+)?")
"""Of ais_bench of 2023, and of later ones, which append the position in --device."""
_PASSED_OVER = re.compile(rf"\..*|Thumbs\.db|sumary\.json|.*{re.escape(SUMMARY_SUFFIX)}")
"""Files that belong to no run: hidden ones, Windows' thumbnails, and summaries (those of older ais_infer too)."""


MAX_NAME_BYTES = 255 - len("._accuracy.json.0123456789abcdef")
"""Longest name of a result folder: file systems allow 255 bytes, and files with longer names are written beside it."""


class Result(NamedTuple):
    """One view's scores on disk."""

    view: int
    label: int
    path: str


def find_results(folder: str) -> tuple[list[Result], list[str]]:
    """List the results of a folder and its `device<N>/` folders.

    Returns:
        The results in order of view and label, and a problem per other file, which may be from another run.
    Raises:
        InputError: the folder does not exist.
    """
    if not os.path.isdir(folder):
        key = "X3D_POSTPROCESS.OM_OUTPUT_PATH"
        problem = f"{describe_no_folder(folder)}; set {key}" if folder else f"{key} is empty; set it"
        raise InputError(f"{problem} to what ais_bench or x3d_infer.py wrote")
    root = Path(folder)
    results, problems = [], []
    for entry in _entries(root):
        identity = parse_result_name(entry.name)
        if identity and entry.is_file():
            results.append(Result(*identity, entry.path))
        elif identity:
            problems.append(f"{os.path.relpath(entry.path, root)} is not a regular file; remove it")
        elif not entry.is_dir() and not _PASSED_OVER.fullmatch(entry.name):
            problems.append(f"{os.path.relpath(entry.path, root)} is not the result of a view")
    results.sort()
    return results, sorted(problems)


def _entries(root: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(root) as entries:
        for entry in entries:
            if _DEVICE_FOLDER.fullmatch(entry.name) and entry.is_dir():
                yield from os.scandir(entry.path)
            else:
                yield entry


def check_result_name(name: str) -> None:
    """Check that a folder of results can have a name.

    Raises:
        InputError: it is a path, or too long.
    """
    num_bytes = len(os.fsencode(name))
    if name in (".", "..") or "/" in name or num_bytes > MAX_NAME_BYTES:
        shown = name if num_bytes <= MAX_NAME_BYTES else f"{name[:40]}... of {num_bytes} bytes"
        raise InputError(
            f"--output_dirname {shown}: give the name of a folder, of at most {MAX_NAME_BYTES} bytes and without /; "
            "--output names the folder that it is in"
        )


@contextlib.contextmanager
def new_result_folder(folder: Path) -> Iterator[Path]:
    """Yield a private folder that is renamed to `folder` when the block ends, so that a folder of results is complete.

    Nothing is renamed if the private folder is empty.

    Raises:
        InputError: the folder is a link or holds files, another run is writing it, or its parent cannot be created.
        RunError: a file of the private folder cannot be written; the text names it.
        ScratchNeededError: the private folder cannot be renamed; it stays, and the text names it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = contextlib.ExitStack()
        scratch = lock.enter_context(locked_scratch(folder.with_name(f".{folder.name}.lock")))
    except OSError as error:
        raise InputError(f"--output {folder.parent}: {error.strerror}") from error
    with lock:
        remove_leftovers(summary_path(folder))
        _check_unused(folder)
        partial = scratch / folder.name
        try:
            partial.mkdir()
            yield partial
            has_results = any(partial.iterdir())
            sync_file_system(partial)
        except OSError as error:
            if not error.filename or not Path(error.filename).is_relative_to(partial):
                raise
            name = folder / Path(error.filename).relative_to(partial)
            raise RunError(f"{name} cannot be written: {error.strerror}; infer again") from error
        if has_results:
            _rename(partial, folder)


def _check_unused(folder: Path) -> None:
    """Check that a folder does not exist or is empty; only one with nothing but results is to be removed.

    Raises:
        InputError: it is a link or a file, or holds files.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        kind = "link" if folder.is_symlink() else "file"
        raise InputError(f"{folder} is a {kind}, which cannot be replaced; give another --output_dirname")
    if not folder.exists() or not any(folder.iterdir()):
        return
    others = (entry for entry in _entries(folder) if not parse_result_name(entry.name) or entry.is_dir())
    foreign = min((os.path.relpath(entry.path, folder) for entry in others), default="")
    if foreign:
        raise InputError(f"{folder} holds {one_line(foreign)}, which is no result; give another --output_dirname")
    raise InputError(f"{folder} holds files of another run; remove it or give another --output_dirname")


def _rename(partial: Path, folder: Path) -> None:
    """Rename a complete folder of results.

    Raises:
        ScratchNeededError: it cannot be renamed.
    """
    try:
        os.replace(partial, folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise ScratchNeededError(
            f"{folder} cannot be written: {error.strerror}; all results are in {partial}, rename it"
        ) from error


def write_result(folder: Path, stem: str, scores: np.ndarray, suffix: str) -> tuple[str, str]:
    """Write one view's scores, (num_classes,) or (1, num_classes) float32.

    Text has nine significant digits, enough to read the same float32 back.

    Returns:
        The file's name, and xxh3-64 of its bytes.
    Raises:
        OSError: the file cannot be written in full; the error names it.
    """
    path = folder / f"{stem}_0{suffix}"
    content = encode_scores(scores, suffix)
    with errors_naming(path), open(path, "xb", buffering=0) as file:
        write_all(file.fileno(), content)
    return path.name, xxhash.xxh3_64_hexdigest(content)


def encode_scores(scores: np.ndarray, suffix: str) -> bytes:
    """Encode scores as the content of a .npy, .txt or .bin file."""
    if suffix == ".bin":
        return scores.tobytes()
    content = io.BytesIO()
    if suffix == ".npy":
        np.save(content, scores)
    else:
        np.savetxt(content, np.atleast_2d(scores), fmt="%.9g")
    return content.getvalue()
