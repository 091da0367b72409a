"""A folder with the files of one report or comparison, replaced by the next."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from x3d.errors import InputError, one_line
from x3d.storage.atomic import check_replaceable, remove_leftovers, sync_folder, take_lock
from x3d.storage.evaluation_folder import is_eval_folder
from x3d.storage.result_folder import find_results


@contextlib.contextmanager
def open_output(folder: str, names: Sequence[str], keys: AbstractSet[str], runs: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a folder, new or without the files of an earlier run, and hold its lock.

    The files are removed first, because they would look current if this run fails.

    A folder that did not exist is removed again if nothing is written to it.

    Args:
        names: of the files that will be written; the first is a JSON object by which the folder is recognised, so it
            is to be written first and is removed last.
        keys: that this object has.
        runs: folders of the runs that are read; empty names are ignored.
    Raises:
        InputError: the folder lies in that of a run, which must hold nothing else, holds anything else than an earlier
            run's files, is in use, or cannot be created or written.
    """
    root = Path(folder)
    for run in filter(None, runs):
        if root.resolve().is_relative_to(Path(run).resolve()):
            raise InputError(_describe_inside(folder, run))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(created_folder(root))
            stack.enter_context(_held_lock(root / f".{names[0]}.lock"))
            _remove_earlier(root, names, keys)
        except OSError as error:
            raise InputError(f"--output {error.filename or folder}: {error.strerror}; give another folder") from error
        yield root


def _describe_inside(folder: str, run: str) -> str:
    if not is_eval_folder(run) and (not os.path.isdir(run) or not find_results(run)[0]):
        wanted = "give the folder that x3d_evaluate.py, ais_bench or x3d_infer.py wrote"
        return f"{run} holds no results; {wanted}, and an --output outside of it"
    return f"--output {folder} lies in {run}, which holds nothing but a run; give another folder"


@contextlib.contextmanager
def created_folder(folder: Path) -> Iterator[None]:
    """Create a folder and those that it is in; at the end remove the created ones that are empty."""
    created = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for path in created:
                path.rmdir()


@contextlib.contextmanager
def _held_lock(path: Path) -> Iterator[None]:
    descriptor = take_lock(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _remove_earlier(root: Path, names: Sequence[str], keys: AbstractSet[str]) -> None:
    """Remove the files of an earlier run from a locked folder.

    Raises:
        InputError: it holds anything else.
        OSError: it cannot be read, or a file not removed.
    """
    first = root / names[0]
    foreign = sorted(name for name in os.listdir(root) if not name.startswith("."))
    if foreign and not os.path.lexists(first):
        raise InputError(f"--output {root} holds {one_line(foreign[0])} and no {names[0]}; give another folder")
    check_replaceable(first, keys)
    for name in reversed(names):
        remove_leftovers(root / name)
        (root / name).unlink(missing_ok=True)
    sync_folder(root)
