"""A folder with the files of one report or comparison, replaced by the next."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from x3d.errors import InputError, one_line
from x3d.storage.atomic import check_replaceable, remove_leftovers, sync_folder, take_lock


@contextlib.contextmanager
def open_output(folder: str, names: Sequence[str], keys: AbstractSet[str], inputs: Sequence[str]) -> Iterator[Path]:
    """Create a folder, or remove the files of an earlier run from it, which would look current if this one fails.

    It is locked for the block: the files of two runs would be mixed.

    Args:
        names: of the files that will be written; the first is a JSON object by which the folder is recognised, so it
            is to be written first and is removed last.
        keys: that this object has.
        inputs: folders of runs, which must stay as they are.
    Raises:
        InputError: the folder is in use, lies within an input, holds anything else than an earlier run's files, or
            cannot be created or written.
    """
    root, lock = Path(folder), Path(folder, f".{names[0]}.lock")
    _check_outside(folder, inputs)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_own(root, names[0], keys)
        descriptor = take_lock(lock)
        try:
            _remove_files(root, names)
        except BaseException:
            _release(lock, descriptor)
            raise
    except OSError as error:
        raise InputError(f"--output {error.filename or folder}: {error.strerror}; give another folder") from error
    try:
        yield root
    finally:
        _release(lock, descriptor)


def _check_outside(folder: str, inputs: Sequence[str]) -> None:
    """Reject a folder within a run's, which other scripts would reject for it."""
    for given in inputs:
        if Path(os.path.realpath(given)) in Path(os.path.realpath(folder)).parents:
            raise InputError(f"--output {folder} lies within {given}, a folder of a run; give another folder")


def _check_own(root: Path, first: str, keys: AbstractSet[str]) -> None:
    foreign = sorted(name for name in os.listdir(root) if not name.startswith("."))
    if foreign and not os.path.lexists(root / first):
        raise InputError(f"--output {root} holds {one_line(foreign[0])} and no {first}; give another folder")
    check_replaceable(root / first, keys)


def _remove_files(root: Path, names: Sequence[str]) -> None:
    for name in reversed(names):
        remove_leftovers(root / name)
        (root / name).unlink(missing_ok=True)
    sync_folder(root)


def _release(lock: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(lock)
    os.close(descriptor)
