"""Changes of lines, JSON and yaml, and of the header of `.npy` files."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from test.fuzz.edits import Edit, Random

VALUES: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2, 10**18, -(10**18), 10**400, 0.5, float("nan"), float("inf"), 1e308),
    *("", "x", "1", "-1", "0x10", "1e5", "\x00", "\x1b[2J", "../../etc/passwd", "done", "failed", "a" * 5000),
    *([], {}, [[]], [1, 2], {"": 0}, {"state": "done"}, [None]),
)
"""What an edit puts in the place of a value: other types, extreme numbers, control characters."""


def edit_line(draw: Random, data: bytes) -> bytes:
    """Duplicate, remove, move, join or empty a line."""
    lines = data.split(b"\n")
    place = draw.randrange(len(lines))
    line = lines.pop(place)
    how = draw.randrange(5)
    if how == 0:
        lines[place:place] = [line, line]
    elif how == 1:
        lines.insert(draw.randrange(len(lines) + 1), line)
    elif how == 2 and lines:
        lines[place - 1] += line
    elif how == 3:
        lines.insert(place, b"")
    return b"\n".join(lines)


def edit_number(draw: Random, data: bytes) -> bytes:
    """Replace a number by an extreme or similar one."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    at = draw.choice(found)
    new = draw.choice([b"-1", b"0", b"7", b"9" * 30, b"1e9", b"nan", b"0x1", b"1.5", b"", b"%d" % (int(at[0][:9]) + 1)])
    return data[: at.start()] + new + data[at.end() :]


def insert_text(draw: Random, data: bytes) -> bytes:
    """Insert control characters, quotes, separators or bytes that are not UTF-8."""
    place = draw.randrange(len(data) + 1)
    pieces = [b"\x00", b"\x1b[31m", b"\r", b"\t", b'"', b"'", b",", b":", b" ", b"{", b"}", b"[", b"#", b"&a ", b"*a "]
    more = [b"\xff\xfe", b"\xe9", "\u202e".encode(), b"!!python/object:os.system ", b"<<: ", b"\n", b"\n\n", b"-"]
    return data[:place] + draw.choice(pieces + more) + data[place:]


def encode(draw: Random, data: bytes) -> bytes:
    """Save the text as other programs do: UTF-16, with a byte order mark, with carriage returns."""
    text = data.decode("utf-8", errors="replace")
    return draw.choice([text.encode("utf-16"), text.encode("utf-8-sig"), data.replace(b"\n", b"\r\n")])


TEXT: Sequence[Edit] = (edit_line, edit_line, edit_number, edit_number, insert_text, insert_text, encode)


def edit_json(draw: Random, data: bytes) -> bytes:
    """Change one value, key or list of a JSON document."""
    try:
        content = json.loads(data)
    except ValueError:
        return data
    return json.dumps(_edit_tree(draw, content), indent=1).encode()


def edit_json_lines(draw: Random, data: bytes) -> bytes:
    """Change one line as a JSON document."""
    lines = data.split(b"\n")
    place = draw.randrange(len(lines))
    lines[place] = edit_json(draw, lines[place]).replace(b"\n", b"")
    return b"\n".join(lines)


def repeat_key(draw: Random, data: bytes) -> bytes:
    """Repeat a key of a JSON document with another value, without touching the rest."""
    found = list(re.finditer(rb'"[^"\n]*": ', data))
    if not found:
        return data
    at = draw.choice(found)
    value = json.dumps(draw.choice(VALUES)).encode()
    return data[: at.start()] + at[0] + value + b", " + data[at.start() :]


def edit_yaml(draw: Random, data: bytes) -> bytes:
    """Change one value, key or list of a yaml document."""
    content = yaml.safe_load(data)
    return yaml.safe_dump(_edit_tree(draw, content), sort_keys=False).encode()


def _edit_tree(draw: Random, content: Any) -> Any:
    """Change one place of nested lists and dicts, at any depth."""
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not keys:
            return draw.choice(VALUES)
        key = draw.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or draw.random() < 0.15:
            draw.choice(_TREE_EDITS)(draw, place, key)
            return content
        place = place[key]


def _set(draw: Random, place: Any, key: Any) -> None:
    place[key] = draw.choice(VALUES)


def _shift(draw: Random, place: Any, key: Any) -> None:
    value = place[key]
    is_number = isinstance(value, int | float)
    place[key] = draw.choice([value + 1, -value, str(value), [value]]) if is_number else [value]


def _remove(draw: Random, place: Any, key: Any) -> None:
    del place[key]


def _rename(draw: Random, place: Any, key: Any) -> None:
    if isinstance(place, dict):
        place[draw.choice([f"{key}x", "-1", "9999", "", str(key).lower(), "1e3"])] = place.pop(key)


def _swap(draw: Random, place: Any, key: Any) -> None:
    other = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
    place[key], place[other] = place[other], place[key]


_TREE_EDITS: Sequence[Callable[[Random, Any, Any], None]] = (_set, _set, _shift, _remove, _rename, _swap)

JSON: Sequence[Edit] = (edit_json, edit_json, edit_json, edit_json, repeat_key, edit_line, edit_number, insert_text)
JSON_LINES: Sequence[Edit] = (edit_json_lines, edit_json_lines, edit_line, edit_number, insert_text)
YAML: Sequence[Edit] = (edit_yaml, edit_yaml, edit_yaml, *TEXT)


def edit_npy_header(draw: Random, data: bytes) -> bytes:
    """Change type, order, shape or length field of a `.npy` header, or its text."""
    length = int.from_bytes(data[8:10], "little")
    header, values = data[10 : 10 + length], data[10 + length :]
    old, new = draw.choice(_HEADER_EDITS)
    header = re.sub(old, new, header)
    field = draw.choice([len(header) & 0xFFFF, length, 65535, 0])
    return data[:8] + field.to_bytes(2, "little") + header + values


_HEADER_EDITS: Sequence[tuple[bytes, bytes]] = (
    *((rb"'[<>|][a-z]\d'", new) for new in (b"'>f4'", b"'<f8'", b"'|O'", b"'<i4'", b"'<f2'")),
    *((rb"\(.*?\)", new) for new in (b"(10**12, 400)", b"(99999999999,)", b"()", b"(-1,)")),
    *((rb"\{", new) for new in (b"", b"{{", b"{" * 5000)),
    *((rb" *\n", new) for new in (b"", b",\n", b"," * 70000 + b"\n")),
    (rb"False", b"True"),
    (rb"descr", b"shape"),
)
"""Pattern -> replacement, in the text of the header."""

NPY: Sequence[Edit] = (edit_npy_header, edit_npy_header)
