"""A lock, and a folder for incomplete files, beside what a run writes."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from x3d.errors import InputError, RunError
from x3d.storage.atomic import take_lock, write_all

_SCRATCH_NAME = re.compile(r"\.scratch-[A-Za-z0-9_]{8,}")


class ScratchNeededError(RunError):
    """Finished work cannot be moved from a scratch folder, which stays; the text names it."""


@contextlib.contextmanager
def locked_scratch(lock: Path) -> Iterator[Path]:
    """Hold a lock and yield a new folder beside it; both are removed at the end, the folder unless it is needed.

    The folder has a random name, which the lock file records, so that the next run there removes the folders of runs
    that were killed, under whatever lock, and no others.

    Raises:
        InputError: another run holds the lock.
        OSError: lock or folder cannot be created.
        ScratchNeededError: of the block; the folder stays.
    """
    descriptor = take_lock(lock)
    scratch: Path | None = None
    try:
        _remove_recorded(lock.parent, descriptor)
        _remove_stale(lock)
        made = tempfile.mkdtemp(prefix=".scratch-", dir=lock.parent)  # absolute, from Python 3.12 on
        scratch = lock.with_name(os.path.basename(made))
        os.ftruncate(descriptor, 0)
        write_all(descriptor, scratch.name.encode())
        yield scratch
    except ScratchNeededError:
        scratch = None
        with contextlib.suppress(OSError):  # so that the next run does not remove it
            os.ftruncate(descriptor, 0)
        raise
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(lock)
        os.close(descriptor)


def _remove_stale(own: Path) -> None:
    """Remove the other locks beside a lock that runs which were killed left, with their folders."""
    for name in os.listdir(own.parent):
        lock = own.with_name(name)
        if name.startswith(".") and name.endswith(".lock") and lock != own and lock.is_file():
            with contextlib.suppress(InputError, OSError):  # in use, or not ours
                descriptor = take_lock(lock)
                if _remove_recorded(own.parent, descriptor):
                    os.unlink(lock)
                os.close(descriptor)


def _remove_recorded(parent: Path, lock: int) -> bool:
    """Remove the scratch folder that a killed run recorded in its lock file, unless it is a link or something else.

    Returns:
        Whether the file records a folder.
    """
    name = os.pread(lock, 255, 0).decode(errors="replace")
    left = parent / name
    if not _SCRATCH_NAME.fullmatch(name):
        return False
    if left.exists() and stat.S_ISDIR(left.lstat().st_mode):
        shutil.rmtree(left, ignore_errors=True)
    return True
