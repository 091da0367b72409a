"""Check and read the file of one view: `.npy`, or `.bin` with the values alone."""

import ast
import functools
import math
import os
import re
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from x3d.errors import InputError
from x3d.files import HEAD_BYTES, describe_content, open_regular

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""Version of the .npy format -> bytes of the header's length."""
_MAX_HEADER_BYTES = 1 << 16
_PLAIN_TYPE = re.compile(r"[<>=|]?[a-zA-Z][0-9]{0,4}")


class ViewFiles:
    """Checks and reads files of one view each.

    Args:
        view_shape: (3, T, C, C), of one view.
    """

    def __init__(self, view_shape: tuple[int, ...]) -> None:
        self._shape = view_shape
        self._data_bytes = 4 * math.prod(view_shape)
        self._needed = f"float32 of shape (1, {', '.join(map(str, view_shape))}) is needed"

    def check(self, path: str) -> str:
        """Check a regular file by its size and header.

        Returns:
            The problem, which names the file; empty if it has none.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                problem = self._locate(descriptor, path)[1]
            finally:
                os.close(descriptor)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        return f"{path}: {problem}" if problem else ""

    def read(self, path: str, view: np.ndarray) -> None:
        """Read a file's values.

        Args:
            view: view_shape float32, C order; they are written into it.
        Raises:
            InputError: the file is not one view; the text names it.
        """
        try:
            with open_regular(path) as file:
                offset, problem = self._locate(file.fileno(), path)
                if not problem and os.preadv(file.fileno(), [view.data.cast("B")], offset) != self._data_bytes:
                    problem = "the file ended before its last value"
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        if problem:
            raise InputError(f"{path}: {problem}")

    def _locate(self, descriptor: int, path: str) -> tuple[int, str]:
        """Find the offset of the values; return it and the problem of the file, empty if it has none."""
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if path.lower().endswith(".bin"):
            return 0, "" if size == self._data_bytes else self._wrong_size(0, size)
        head = os.pread(descriptor, HEAD_BYTES, 0)
        length = _header_length(head)
        if length > len(head):
            head = os.pread(descriptor, length, 0)
        problem = _check_header(head[:length], self._shape, self._needed) if length else _describe_other(head)
        if not problem and size != length + self._data_bytes:
            problem = self._wrong_size(length, size)
        return length, problem

    def _wrong_size(self, offset: int, size: int) -> str:
        return f"{self._needed}, {offset + self._data_bytes} bytes; it has {size}"


def _header_length(head: bytes) -> int:
    """Compute the bytes before the values from the first bytes of a file; 0 if it is no .npy of a known version."""
    length_bytes = _LENGTH_BYTES.get(head[6], 0) if head.startswith(_MAGIC) and len(head) > 12 else 0
    length = int.from_bytes(head[8 : 8 + length_bytes], "little")
    return 8 + length_bytes + length if 0 < length < _MAX_HEADER_BYTES else 0


def _describe_other(head: bytes) -> str:
    if head.startswith(_MAGIC):
        return "its .npy header is damaged"
    found = describe_content(head)
    return f"it is not a .npy file but {found}" if found else "it is not a .npy file"


@functools.lru_cache(maxsize=64)
def _check_header(header: bytes, view_shape: tuple[int, ...], needed: str) -> str:
    """Compare a .npy header with what a view has; return the problem, empty if it has none."""
    found = _parse_header(header)
    if found is None:
        return "its .npy header is damaged"
    dtype, shape = _name_type(found["descr"]), found["shape"]
    if dtype == "object":
        return f"{needed}; it holds pickled Python objects"
    if dtype != "float32" or shape[-4:] != view_shape or any(length != 1 for length in shape[:-4]):
        return f"{needed}; it has {dtype} of shape {reprlib.repr(shape)}"
    return f"{needed} in C order; it is in Fortran order" if found["fortran_order"] else ""


def _parse_header(header: bytes) -> Mapping[str, Any] | None:
    """Parse the dictionary of a .npy header as a literal, None if it is damaged."""
    start = 8 + _LENGTH_BYTES[header[6]]
    try:
        found = ast.literal_eval(header[start:].decode("utf-8" if header[6] == 3 else "latin-1").strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != {"descr", "fortran_order", "shape"}:
        return None
    shape = found["shape"]
    if not isinstance(shape, tuple) or any(type(length) is not int or not 0 <= length < 1 << 63 for length in shape):
        return None
    return found if isinstance(found["fortran_order"], bool) else None


def _name_type(descr: object) -> str:
    """Name the type of a .npy file's values as NumPy does; of big-endian and structured values as the file does."""
    if not isinstance(descr, str) or not _PLAIN_TYPE.fullmatch(descr):
        return reprlib.repr(descr)
    try:
        return str(np.dtype(descr))
    except TypeError:
        return reprlib.repr(descr)
