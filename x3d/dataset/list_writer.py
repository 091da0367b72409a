"""Write the rows of `test.csv` so that they are read back as they are."""

import re
from collections.abc import Sequence
from pathlib import Path

from x3d.dataset.annotations import split_row
from x3d.dataset.bad_rows import MAX_ROW_CHARS, decode_list, show_row
from x3d.errors import InputError, counted

_UNWRITABLE = re.compile(r"[\r\n\0\ud800-\udfff]|^\ufeff")
"""Newlines, bytes that are not UTF-8, and a mark that a reader takes for the start of the file."""


def format_list(rows: Sequence[tuple[str, int]], separator: str, path: Path) -> bytes:
    """Format paths and labels, a row per line.

    Args:
        path: of the list, for messages.
    Raises:
        InputError: the name of a file is one that no list can hold.
    """
    bad = [listed for listed, label in rows if not _is_read_back(listed, label, separator)]
    if bad:
        raise InputError(
            f"{path} cannot hold {counted(len(bad), 'path')}, such as {show_row(bad[0])}: a path is UTF-8, has no line "
            "break, is not quoted as a whole and does not end with a space, comma, semicolon or bar; rename the files"
        )
    data = "".join(f"{listed}{separator}{label}\n" for listed, label in rows).encode()
    decode_list(data, path, "videos")
    return data


def _is_read_back(listed: str, label: int, separator: str) -> bool:
    row = f"{listed}{separator}{label}"
    return len(row) <= MAX_ROW_CHARS and not _UNWRITABLE.search(row) and split_row(row, separator) == (listed, label)
