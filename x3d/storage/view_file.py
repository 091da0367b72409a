"""Check and read the file of one view: `.npy`, or `.bin` with the values alone."""

import functools
import math
import os
import reprlib

import numpy as np

from x3d.errors import InputError
from x3d.files import HEAD_BYTES, describe_content, open_regular
from x3d.storage.npy_header import MAGIC, header_bytes, parse_header


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
            Its problem, empty if it has none.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._locate(descriptor, path)[1]
            finally:
                os.close(descriptor)
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

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
        length = header_bytes(head)
        if length > len(head):
            head = os.pread(descriptor, length, 0)
        problem = _check_header(head[:length], self._shape, self._needed) if length else _describe_other(head)
        if not problem and size != length + self._data_bytes:
            problem = self._wrong_size(length, size)
        return length, problem

    def _wrong_size(self, offset: int, size: int) -> str:
        return f"{self._needed}, {offset + self._data_bytes} bytes; it has {size}"


def _describe_other(head: bytes) -> str:
    if head.startswith(MAGIC):
        return "its .npy header is damaged"
    found = describe_content(head)
    return f"it is not a .npy file but {found}" if found else "it is not a .npy file"


@functools.lru_cache(maxsize=64)
def _check_header(header: bytes, view_shape: tuple[int, ...], needed: str) -> str:
    """Compare a .npy header with what a view has; return the problem, empty if it has none."""
    found = parse_header(header)
    if found is None:
        return "its .npy header is damaged"
    if found.dtype == "object":
        return f"{needed}; it holds pickled Python objects"
    is_view = found.shape[-4:] == view_shape and all(length == 1 for length in found.shape[:-4])
    if found.dtype != "float32" or not is_view:
        return f"{needed}; it has {found.dtype} of shape {reprlib.repr(found.shape)}"
    return f"{needed} in C order; it is in Fortran order" if found.is_fortran else ""
