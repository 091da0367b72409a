"""Parse the header of a .npy file without trusting it: nothing is allocated or executed by what it claims."""

import ast
import reprlib
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""Version of the format -> bytes of the header's length."""
_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class NpyHeader:
    """What a .npy file claims to hold.

    Attributes:
        dtype: name of the type, as NumPy gives it (`float32`), or as the file does if it is no plain one.
        offset: of the values, in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    is_fortran: bool
    offset: int


def header_bytes(head: bytes) -> int:
    """Compute the length of a header from its first 12 bytes at least; 0 if it is no .npy of a known version."""
    length_bytes = _LENGTH_BYTES.get(head[6], 0) if head.startswith(MAGIC) and len(head) > 12 else 0
    length = int.from_bytes(head[8 : 8 + length_bytes], "little")
    return 8 + length_bytes + length if 0 < length < _MAX_BYTES else 0


def parse_header(content: bytes) -> NpyHeader | None:
    """Parse the header at the start of a file's content, None if it is damaged."""
    offset = header_bytes(content)
    if not offset or offset > len(content):
        return None
    encoding = "utf-8" if content[6] == 3 else "latin-1"
    try:
        found = ast.literal_eval(content[8 + _LENGTH_BYTES[content[6]] : offset].decode(encoding).strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != {"descr", "fortran_order", "shape"}:
        return None
    shape, is_fortran = found["shape"], found["fortran_order"]
    if not isinstance(shape, tuple) or any(type(length) is not int or not 0 <= length < 1 << 63 for length in shape):
        return None
    return NpyHeader(_name_type(found["descr"]), shape, is_fortran, offset) if isinstance(is_fortran, bool) else None


def _name_type(descr: Any) -> str:
    if not isinstance(descr, str):
        return reprlib.repr(descr)
    try:
        return str(np.dtype(descr))
    except (TypeError, ValueError, SyntaxError):
        return reprlib.repr(descr)
