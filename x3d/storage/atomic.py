"""Write files whole or not at all, in an order that a power cut cannot reverse, and lock them."""

import contextlib
import ctypes
import fcntl
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, BinaryIO

from x3d.errors import InputError
from x3d.files import read_regular

MAX_ATTEMPTS = 1000

logger = logging.getLogger(__name__)


def write_json(path: Path, content: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write a JSON object by rename: a reader sees the old file or the new one, never a part.

    Raises:
        OSError: it cannot be written; an old file stays.
    """
    text = json.dumps(content, indent=indent, sort_keys=True)
    with replace_file(path) as file:
        write_all(file.fileno(), text.encode())


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Yield an unbuffered file that takes the place of `path` when the block ends without an error.

    It has a random name beside `path` until its bytes are on the disk, so that neither a stop nor a power cut leaves a
    part under the name.

    Raises:
        OSError: it cannot be written; an old file stays.
    """
    partial = partial_path(path)
    try:
        with errors_naming(path):
            with open(partial, "xb", buffering=0) as file:
                yield file
                os.fsync(file.fileno())
            os.replace(partial, path)
            sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Name a new file beside `path` that will take its place: `.<name>.<16 hexadecimal digits>`."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def remove_leftovers(path: Path) -> None:
    """Remove the files that killed runs left instead of replacing `path`; the caller holds the lock of `path`.

    Raises:
        OSError: the folder cannot be read, or a file not removed.
    """
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}")
    with os.scandir(path.parent) as entries:
        left = [entry for entry in entries if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]
    for entry in left:
        os.unlink(entry.path)


@contextlib.contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """Name a file in each OSError of the block."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_replaceable(path: Path, keys: AbstractSet[str]) -> None:
    """Reject a file of the user under the name of a file that this suite writes.

    Args:
        keys: that a JSON object which this suite wrote has.
    Raises:
        InputError: the path exists and is no JSON object with these keys.
    """
    if not os.path.lexists(path):
        return
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not keys <= content.keys():
        raise InputError(f"{path} is no file of this suite and would be replaced; move it elsewhere")


def check_writable(path: Path, remedy: str) -> None:
    """Check that a file can be written into its folder.

    Raises:
        InputError: it cannot.
    """
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path} cannot be written in {folder}; {remedy}")


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes to a file; a single os.write may write fewer, such as on a disk that is nearly full.

    Raises:
        OSError: the rest cannot be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk: files that were created, renamed or removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network file systems sync names by themselves and reject this
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Wait until everything written to the file system of a folder is on the disk (syncfs of Linux).

    Raises:
        OSError: bytes could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def take_lock(path: Path) -> int:
    """Lock a file for this process until the returned descriptor is closed; create the file if missing.

    On a file system without locks, log a warning and lock nothing.

    Returns:
        A file descriptor that reads the file and appends to it.
    Raises:
        InputError: another run holds the lock.
        OSError: the file cannot be opened, or is a link.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(
                f"{path} is in use by another run, which is writing there: delete nothing, wait for it, or give "
                "another folder"
            ) from None
        except OSError as error:
            logger.warning("%s cannot be locked (%s); make sure that no other run writes there", path, error.strerror)
            return descriptor
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # it was removed or replaced between open and lock


def _lock(descriptor: int) -> None:
    """Lock a file, and wait while others only look at it, as is_locked does: they share its lock for an instant.

    Raises:
        BlockingIOError: another run holds the lock.
        OSError: the file system has no locks.
    """
    for _ in range(MAX_ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # fails if a run holds the lock
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(0.001)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Check whether another process holds the lock of a file; take_lock waits for the check."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
