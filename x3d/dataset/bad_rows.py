"""Recognise what is wrong with a list and its rows, with advice that works when it is typed in bash."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from x3d.errors import InputError, counted
from x3d.files import HEAD_BYTES, describe_content, read_regular

MAX_LISTED_ROWS = 5
MAX_SHOWN_CHARS = 200
MAX_ROW_CHARS = 5000
"""More than the longest path of Linux, 4096 bytes, and a label."""

_SEPARATORS = {",": "','", ";": "';'", "|": "'|'", "\t": r"$'\t'", " ": "' '"}
"""Separators of lists, as they are typed in bash."""
_LABELLED = re.compile(r"(?P<path>.*?)(?P<gap>[\s,;|]+)\"?(?P<label>-?[0-9]{1,9})\"?(?P<rest>\s*)", re.DOTALL)
_QUOTED = re.compile(r"\s*\".*\"[\s,;|]+\"?-?[0-9]{1,9}\"?\s*", re.DOTALL)
_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True)
class BadRow:
    """A row of the list that is not a path and a label.

    Attributes:
        index: 0-based, in the whole list.
        text: the row, or what is special about it.
        problem: the same for all rows with the same cause.
    """

    index: int
    text: str
    problem: str


def format_bad_rows(rows: Sequence[BadRow]) -> str:
    """Format rows by cause: each once, with a count and its first rows."""
    by_problem: dict[str, list[BadRow]] = {}
    for row in rows:
        by_problem.setdefault(row.problem, []).append(row)
    lines = []
    for problem, same in by_problem.items():
        lines.append(f"{counted(len(same), 'line')}: {problem}")
        lines += [f"  line {row.index + 1}: {row.text}" for row in same[:MAX_LISTED_ROWS]]
        if len(same) > MAX_LISTED_ROWS:
            lines.append(f"  ... and {len(same) - MAX_LISTED_ROWS} more")
    return "\n".join(lines)


def show_row(row: str) -> str:
    """Format a row for a message, cut if it is long."""
    return repr(row) if len(row) <= MAX_SHOWN_CHARS else repr(row[:MAX_SHOWN_CHARS]) + "..."


def read_lines(path: Path, content: str, remedy: str) -> list[str]:
    """Read the lines of a list, without blank ones at its end.

    Args:
        content: what it is a list of.
        remedy: what to do if it does not exist.
    Raises:
        InputError: it cannot be read as UTF-8; the text names the cause.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a file that you can read") from error
    lines = decode_list(data, path, content).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def decode_list(data: bytes, path: Path, content: str) -> str:
    """Decode a list as UTF-8, with or without a byte order mark.

    Args:
        content: what it is a list of.
    Raises:
        InputError: it has another encoding, or is another kind of file; the text names it.
    """
    kind = describe_content(data[:HEAD_BYTES])
    if kind not in ("", "text", "an empty file"):
        raise InputError(f"{path} is no list of {content}: it is {kind}")
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise InputError(f"{path} is {encoding}, not UTF-8; convert it: {_iconv(encoding, path)}")
    if b"\0" in data:
        if data.count(b"\0") > len(data) // 3:
            encoding = "UTF-16LE" if data[1:2] == b"\0" else "UTF-16BE"
            raise InputError(f"{path} is {encoding}, not UTF-8; convert it: {_iconv(encoding, path)}")
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path} has a NUL byte in line {line}: it is damaged, or no text; write it again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        advice = f"if it is Latin-1, convert it: {_iconv('LATIN1', path)}"
        raise InputError(f"{path} is not UTF-8 in line {line} (byte {data[error.start]:#04x}); {advice}") from error


def _iconv(encoding: str, path: Path) -> str:
    name = shlex.quote(str(path))
    return f"iconv -f {encoding} -t UTF-8 {name} > list.tmp && mv list.tmp {name}"


def find_problem(row: str, separator: str, path: Path, is_first: bool = False) -> str:
    """Name the cause why a row is not a path and a label, with what to change."""
    if not row.strip():
        return f"an empty line; remove it: {_sed('/^[[:space:]]*$/d', path)}"
    if len(row) > MAX_ROW_CHARS:
        return "longer than any path: the list is damaged, or its lines do not end with a newline"
    if _QUOTED.fullmatch(row):
        edit = rf's/^[[:space:]]*"(.*)"[[:space:],;|]+"?(-?[0-9]+)"?[[:space:]]*$/\1{_in_sed(separator)}\2/'
        return f"the path is quoted; remove the quotes: {_sed(edit, path)}"
    found = _LABELLED.fullmatch(row)
    if found is None:
        header = f"; if it is a header, remove it: {_sed('1d', path)}" if is_first else ""
        return f"no label: a whole number after {separator!r} is expected at the end{header}"
    if not found["path"].strip():
        return "a label without a path"
    if found["gap"] in _SEPARATORS and not found["rest"] and found["gap"] != separator:
        typed = _SEPARATORS[found["gap"]]
        return f"path and label are separated by {found['gap']!r}; set DATA.PATH_LABEL_SEPARATOR {typed}"
    gap = "[[:space:],;|]+" if found["gap"].isascii() else found["gap"]
    edit = rf"s/{gap}(-?[0-9]+)[[:space:]]*$/{_in_sed(separator)}\1/"
    if not found["gap"].isascii():
        return f"path and label are separated by {found['gap']!r}, which is no plain space: {_sed(edit, path)}"
    return f"more than one {separator!r} between path and label, or something after them: {_sed(edit, path)}"


def three_columns(path: Path) -> str:
    """Name the problem of a list whose rows are a path, a number of frames and a label."""
    edit = r"s/[[:space:],;|]+[0-9]+([[:space:],;|]+-?[0-9]+)[[:space:]]*$/\1/"
    return f"a number before the label, as in lists of frames; paths are those of videos. Remove it: {_sed(edit, path)}"


def _sed(edit: str, path: Path) -> str:
    return f"sed -i -E {shlex.quote(edit)} {shlex.quote(str(path))}"


def _in_sed(separator: str) -> str:
    return re.sub(r"([\\/&])", r"\\\1", separator).replace("\t", r"\t")
