"""Write JSON atomically, write bytes in full, and lock files."""

import fcntl
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: the file cannot be read or holds something else; the text names it.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")
    return content


def write_json(path: Path, content: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write a JSON object by rename: a reader sees the old file or the new one, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(content, indent=indent, sort_keys=True))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes to a file; a single os.write may write fewer, such as on a disk that is nearly full.

    Raises:
        OSError: the rest cannot be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def take_lock(path: Path) -> int:
    """Lock a file for this process until the returned descriptor is closed; create the file if missing.

    On a file system without locks, log a warning and lock nothing.

    Returns:
        A file descriptor that appends to the file.
    Raises:
        ValueError: another run holds the lock.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"{path} is in use by another run; wait for it, or give another folder") from None
    except OSError as error:
        logger.warning("%s cannot be locked (%s); make sure that no other run writes there", path, error.strerror)
    return descriptor
