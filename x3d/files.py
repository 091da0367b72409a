"""Open regular files only, recognise what a file is by its first bytes, and format names for a terminal."""

import errno
import os
import re
import stat
from typing import BinaryIO

HEAD_BYTES = 512

_SIGNATURES = (
    (b"version https://git-lfs", "a git-LFS pointer; run `git lfs pull`"),
    (b"ffconcat", "an ffconcat script"),
    (b"#EXTM3U", "a playlist"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"PK\x03\x04", "a zip archive, as a .pyth checkpoint is"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a .npy array"),
)
_SAFETENSORS = re.compile(rb'.{4}\0{4}\{\s*"', re.DOTALL)
"""The length of its JSON, which begins after 8 bytes."""
_HTML = re.compile(rb"\s*<(!doctype html|html|\?xml|head|body)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file, or a link to one, to read bytes; a pipe does not block.

    Raises:
        OSError: it cannot be opened, or is a folder, pipe, socket or device.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # such as a null character
        raise OSError(errno.EINVAL, f"no name that a file can have: {error}", os.fspath(path)) from error
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return open(descriptor, "rb", buffering=0, closefd=True)
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file whole.

    Raises:
        OSError: as open_regular.
    """
    with open_regular(path) as file:
        return file.read()


def describe_content(head: bytes) -> str:
    """Name what a file is that is not what it should be, empty if that is unknown.

    Args:
        head: its first bytes, at least HEAD_BYTES of them if it has so many.
    """
    if not head:
        return "an empty file"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if _HTML.match(head):
        return "an HTML or XML page"
    if _SAFETENSORS.match(head):
        return "a safetensors file; write what safetensors.torch.load_file reads with torch.save"
    return "text" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head[:HEAD_BYTES].decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        if error.start < min(len(head), HEAD_BYTES) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return not _CONTROL.search(text.replace("\t", "").replace("\r", ""))


def describe_no_folder(path: str) -> str:
    """Format why a path cannot be listed: `out does not exist`, or `out is no folder`."""
    return f"{path} {'is no folder' if os.path.lexists(path) else 'does not exist'}"


def short_path(path: str | os.PathLike[str]) -> str:
    """Name a path below the current folder relative to it."""
    return os.fspath(path).removeprefix(os.getcwd() + os.sep)


def printable(text: str) -> str:
    r"""Escape control characters, which could change a terminal, as in `\x1b`; newlines stay."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
