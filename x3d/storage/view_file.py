"""Check and read the file of one view: `.npy`, or `.bin` with the values alone."""

import functools
import math
import os
import reprlib
from collections.abc import Sequence

import numpy as np

from x3d.errors import InputError
from x3d.files import HEAD_BYTES, describe_content, open_regular
from x3d.storage.npy_header import MAGIC, header_bytes, parse_header
from x3d.video.dtype import DTYPES


class ViewFiles:
    """Checks and reads files of one view each.

    Args:
        view_shape: (3, T, C, C), of one view.
        dtypes: some of DTYPES, which the header of a .npy may name; a .bin has the first.
    """

    def __init__(self, view_shape: tuple[int, ...], dtypes: Sequence[str] = ("float32",)) -> None:
        self._shape = view_shape
        self._dtypes = tuple(dtypes)
        self._bytes = {dtype: np.dtype(dtype).itemsize * math.prod(view_shape) for dtype in DTYPES}
        self._of_shape = f"of shape (1, {', '.join(map(str, view_shape))}) is needed"
        self._needed = f"{' or '.join(dtypes)} {self._of_shape}"

    def check(self, path: str) -> tuple[str, str]:
        """Check a regular file by its size and header.

        Returns:
            The type of its values, and its problem, empty if it has none.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._locate(descriptor, path)[1:]
            finally:
                os.close(descriptor)
        except OSError as error:
            return "", f"it cannot be read: {error.strerror}"

    def read(self, path: str, view: np.ndarray) -> None:
        """Read a file's values.

        Args:
            view: view_shape, C order, of the only type that the files may have; they are written into it.
        Raises:
            InputError: the file is not one view; the text names it.
        """
        try:
            with open_regular(path) as file:
                offset, _, problem = self._locate(file.fileno(), path)
                if not problem and os.preadv(file.fileno(), [view.data.cast("B")], offset) != view.nbytes:
                    problem = "the file ended before its last value"
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        if problem:
            raise InputError(f"{path}: {problem}")

    def _locate(self, descriptor: int, path: str) -> tuple[int, str, str]:
        """Find the values; return their offset and type, and the problem of the file, empty if it has none."""
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if path.lower().endswith(".bin"):
            return 0, self._dtypes[0], self._raw_problem(size)
        head = os.pread(descriptor, HEAD_BYTES, 0)
        length = header_bytes(head)
        if length > len(head):
            head = os.pread(descriptor, length, 0)
        if not length:
            return 0, "", _describe_other(head)
        dtype, problem = _check_header(head[:length], self._shape, self._dtypes, self._needed)
        if not problem and size != length + self._bytes[dtype]:
            problem = f"{dtype} {self._of_shape}, {length + self._bytes[dtype]} bytes; it has {size}"
        return length, dtype, problem

    def _raw_problem(self, size: int) -> str:
        """Describe the problem of a .bin, which has no header: its size."""
        dtype = self._dtypes[0]
        if size == self._bytes[dtype]:
            return ""
        others = [other for other in self._dtypes[1:] if size == self._bytes[other]]
        hint = f", as {others[0]} has; keep manifest.json, which records the type, beside the views" if others else ""
        return f"{dtype} {self._of_shape}, {self._bytes[dtype]} bytes; it has {size}{hint}"


def _describe_other(head: bytes) -> str:
    if head.startswith(MAGIC):
        return "its .npy header is damaged"
    found = describe_content(head)
    return f"it is not a .npy file but {found}" if found else "it is not a .npy file"


@functools.lru_cache(maxsize=64)
def _check_header(header: bytes, view_shape: tuple[int, ...], dtypes: Sequence[str], needed: str) -> tuple[str, str]:
    """Compare a .npy header with what a view has; return the type it names and the problem, empty if it has none."""
    found = parse_header(header)
    if found is None:
        return "", "its .npy header is damaged"
    if found.dtype == "object":
        return "", f"{needed}; it holds pickled Python objects"
    is_view = found.shape[-4:] == view_shape and all(length == 1 for length in found.shape[:-4])
    if found.dtype not in dtypes or not is_view:
        return "", f"{needed}; it has {found.dtype} of shape {reprlib.repr(found.shape)}"
    return found.dtype, f"{needed} in C order; it is in Fortran order" if found.is_fortran else ""
