"""A journal beside a manifest: the events since the manifest was written whole, one line each."""

import os
import time
from pathlib import Path

import xxhash

from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.atomic import errors_naming, write_all

SYNC_INTERVAL_SECONDS = 2
_CHECKSUM_DIGITS = 16


def journal_path(manifest: Path) -> Path:
    """Name the journal of a manifest: `.manifest.journal`, or of a shard `.manifest-0of3.journal`."""
    return manifest.with_name(f".{manifest.stem}.journal")


class Journal:
    """A new journal that continues a manifest; a line is `<checksum> <event>`.

    A checksum is the xxh3-64 of the checksum before it, at first the digest of the manifest, and the event. So a
    journal is bound to its manifest, and a line to its place. Each event is passed to the operating system at once, so
    that a killed process loses none; a power cut loses those of the last seconds.

    Raises:
        OSError: it cannot be created, or exists.
    """

    def __init__(self, manifest: Path, digest: str) -> None:
        self._path = journal_path(manifest)
        self._checksum = digest
        self._synced_at = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o666)

    def append(self, event: str) -> None:
        """Append an event, which contains no newline; sync every few seconds.

        Raises:
            OSError: it cannot be written; the text names the file.
        """
        self._checksum = _checksum(self._checksum, event)
        with errors_naming(self._path):
            write_all(self._descriptor, f"{self._checksum} {event}\n".encode())
            if time.monotonic() - self._synced_at > SYNC_INTERVAL_SECONDS:
                os.fsync(self._descriptor)
                self._synced_at = time.monotonic()

    def close(self) -> None:
        """Close the file; it stays."""
        os.close(self._descriptor)


def read_events(manifest: Path, digest: str) -> list[str]:
    """Read the events that a journal adds to a manifest, up to the first line that is torn or damaged.

    Returns:
        None at all if no journal exists, or it continues a manifest of another digest.
    Raises:
        InputError: it cannot be read; the text names the file.
    """
    path = journal_path(manifest)
    try:
        lines = read_regular(path).decode(errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; remove it and run again") from error
    events, checksum = [], digest
    for line in lines:
        event = line[_CHECKSUM_DIGITS + 1 :]
        checksum = _checksum(checksum, event)
        if line != f"{checksum} {event}":
            break
        events.append(event)
    return events


def _checksum(before: str, event: str) -> str:
    return xxhash.xxh3_64_hexdigest(f"{before} {event}".encode())
