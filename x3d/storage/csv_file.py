"""Write csv files that people open with a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from x3d.errors import InputError, one_line
from x3d.files import open_regular, printable
from x3d.storage.atomic import check_writable, replace_file, write_all

FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that begins with one of these for a formula."""


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows whole, in UTF-8; None is an empty cell.

    Raises:
        OSError: the file cannot be written; an old file stays.
    """
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    with replace_file(path) as file:
        write_all(file.fileno(), text.getvalue().encode())


def check_csv(path: Path, columns: Sequence[str], act: str, remedy: str) -> None:
    """Check that a csv can be written, and that it replaces no other file than one with the same columns.

    Args:
        act: that writes the file, such as a check.
        remedy: what else to do than to move the other file.
    Raises:
        InputError: it cannot be written, or would replace another file.
    """
    header = ",".join(columns)
    try:
        with open_regular(path) as file:
            is_ours = file.read(len(header)) == header.encode()
    except FileNotFoundError:
        is_ours = True
    except OSError:
        is_ours = False
    if not is_ours:
        raise InputError(f"{path} is another file than the csv of an earlier {act}; move it, or {remedy}")
    check_writable(path, remedy)


def text_cell(text: str) -> str:
    """Escape control characters and newlines, and put an apostrophe before what looks like a formula."""
    cell = one_line(printable(text))
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def value_cell(value: object) -> object:
    """Format a number with six digits, and a text as `text_cell` does; other values stay."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return text_cell(value) if isinstance(value, str) else value


def path_cell(path: str) -> str:
    """Escape control characters and newlines, and put `./` before what looks like a formula: the path stays usable."""
    cell = one_line(printable(path))
    return f"./{cell}" if cell.startswith(FORMULA_STARTS) else cell
