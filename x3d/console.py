"""Standard streams and logging of the scripts: a terminal, a file, or closed."""

import contextlib
import io
import logging
import os
import re
import shlex
import sys
import tempfile
import traceback
from typing import NoReturn

from x3d.errors import RunError, describe_os_error
from x3d.files import printable

_MESSAGE = re.compile(r"\n(?=\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\])")


class _Formatter(logging.Formatter):
    """Escapes what names of files may contain: control characters, and a newline before what looks like a message."""

    def format(self, record: logging.LogRecord) -> str:
        return _MESSAGE.sub(r"\\n", printable(super().format(record)))


class _OptionalOutput(io.FileIO):
    """A file whose failing writes are ignored, so that a full disk does not end a run because of a log line."""

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        rest = memoryview(content)
        with contextlib.suppress(OSError):
            while rest and (num_written := super().write(rest)):
                rest = rest[num_written:]
        return len(content)


def setup_logging() -> None:
    """Log to stderr, opened first if it is closed; the level is X3D_LOG_LEVEL of the environment, INFO by default."""
    _open_streams()
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Formatter("[%(levelname)s] %(message)s"))
        root.addHandler(handler)
    root.setLevel(log_level())


def log_level() -> int:
    """Look up the level that X3D_LOG_LEVEL of the environment names; INFO by default."""
    return logging.getLevelNamesMapping().get(os.environ.get("X3D_LOG_LEVEL", "").upper(), logging.INFO)


def _open_streams() -> None:
    """Keep the descriptors 0 to 2 from files opened later, and let nothing fail because stderr cannot be written."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor < 2 else os.O_WRONLY)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        encoding = getattr(sys.stderr, "encoding", "utf-8")
        raw = _OptionalOutput(2, "wb", closefd=False)
        sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", write_through=True)


def print_result(text: str) -> None:
    """Print to stdout at once; characters that its encoding does not have are escaped.

    Raises:
        RunError: stdout is closed, or cannot be written.
    """
    if sys.stdout is None:
        raise RunError("the result cannot be printed: stdout is closed")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        _discard_stdout()
        raise RunError(f"the result cannot be printed to stdout: {describe_os_error(error)}") from error


def _discard_stdout() -> None:
    """Let what stdout still buffers go nowhere, for the interpreter writes it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_log(error: BaseException) -> str:
    """Write command and traceback to a new file.

    Returns:
        Its path, or why there is none.
    """
    try:
        lines = [f"command: {shlex.join(sys.argv)}\n", f"Python {sys.version}\n", *traceback.format_exception(error)]
        descriptor, path = tempfile.mkstemp(prefix="x3d-", suffix=".log")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(lines)
    except OSError as failure:
        return f"(none: {describe_os_error(failure)})"
    except Exception as failure:  # noqa: BLE001 (a log that fails must not hide the error)
        return f"(none: {failure!r})"
    return path


def end(status: int) -> NoReturn:
    """End the process at once: what the interpreter does at its end is of no use, and a signal may interrupt it."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
    os._exit(status)
