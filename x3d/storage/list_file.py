"""Write `test.csv` and the ledger beside it, `test.ledger.csv`."""

import csv
import hashlib
import io
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.atomic import replace_file, write_all
from x3d.storage.csv_file import path_cell, text_cell, write_csv

logger = logging.getLogger(__name__)

COLUMNS = ("state", "path", "label", "class", "detail")


class State(StrEnum):
    """What happened to a video or file when a list was made."""

    FOUND = "found"
    REPLACED = "replaced"
    MISSING = "missing"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    TWICE = "twice"
    CONFLICT = "conflict"
    NO_CLASS = "no class"
    UNLISTED = "unlisted"
    IGNORED = "ignored"

    @property
    def is_problem(self) -> bool:
        """Whether a video that is expected in the list is left out."""
        return self not in (State.FOUND, State.REPLACED, State.UNLISTED, State.IGNORED)


@dataclass(frozen=True)
class LedgerRow:
    """A row of the ledger.

    Attributes:
        path: of the file; of a missing video as it is listed, or the class and the id.
        label: None if the row is about no label.
        detail: why, or where it is listed.
    """

    state: State
    path: str
    label: int | None = None
    class_name: str = ""
    detail: str = ""


def ledger_path(path: Path) -> Path:
    """Name the ledger of a list."""
    return path.with_name(f"{path.stem}.ledger.csv")


def write_list(path: Path, data: bytes, ledger: Sequence[LedgerRow], origin: str) -> None:
    """Write a list and its ledger, which records the list's checksum in its first row; log what they replace.

    Args:
        origin: what the list was made from.
    Raises:
        InputError: a file of another origin would be replaced, or one cannot be written; an old list stays.
    """
    if replaced := _check_origin(path, data):
        logger.info("replaces %s: %s", path, replaced)
    rows = [
        [row.state, path_cell(row.path), row.label, text_cell(row.class_name), text_cell(row.detail)] for row in ledger
    ]
    head = ["list", path_cell(path.name), None, "", text_cell(f"{_digest(data)} {origin}")]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as file:
            write_all(file.fileno(), data)
        write_csv(ledger_path(path), [COLUMNS, head, *rows])
    except OSError as error:
        raise InputError(f"{error.filename} cannot be written: {error.strerror}; give another --output") from error


def _check_origin(path: Path, data: bytes) -> str:
    """Check that a list of another origin, or one that was edited, is not replaced by a different one.

    Returns:
        What the list that is replaced by a different one was made from; empty if none is.
    Raises:
        InputError: it would be; or what has the name of the ledger is another file.
    """
    ledger = ledger_path(path)
    recorded = _read_record(ledger, path.name)
    if os.path.lexists(ledger) and recorded is None:
        raise InputError(
            f"{ledger} is no ledger of {path.name} and would be replaced; move it, or give another --output"
        )
    if not os.path.lexists(path):
        return ""
    try:
        old = read_regular(path)
    except OSError as error:
        raise InputError(f"{path} cannot be replaced: {error.strerror}; give another --output") from error
    if old == data:
        return ""
    digest, _, origin = (recorded or "").partition(" ")
    if _digest(old) != digest:
        raise InputError(
            f"{path} exists with other rows, and is not as x3d_list.py wrote it; move it, or give another --output"
        )
    return origin


def _read_record(ledger: Path, name: str) -> str | None:
    """Read checksum and origin of the list that a ledger goes with, None if it is no ledger or that of another list."""
    try:
        rows = csv.reader(io.StringIO(read_regular(ledger).decode()))
        header, head = next(rows), next(rows)
    except (OSError, ValueError, csv.Error, StopIteration):
        return None
    is_of_list = tuple(header) == COLUMNS and head[1:2] == [path_cell(name)]
    return head[-1] if is_of_list else None


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
