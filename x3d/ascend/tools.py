"""Run a tool of the NPU: found on PATH, its output kept in a log, ended at a time limit and with this process."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from x3d.ascend.cann import find_set_env
from x3d.errors import InputError, RunError, describe_os_error, one_line, shorten_text
from x3d.files import printable
from x3d.signals import STOP_SIGNALS

LAST_LINES = 3
GRACE_SECONDS = 5.0
"""Time to end after SIGTERM, before SIGKILL."""

MIN_FREE_BYTES = 2**20
"""With less, a disk is named as the likely cause of a failure."""

_OF_DRIVER = ("npu-smi",)


@dataclass(frozen=True)
class ToolResult:
    """How a tool ended.

    Attributes:
        output: stdout and stderr, as they came; bytes that are no UTF-8 are escaped.
        log_path: the file that keeps it; None: none does.
        exit_status: negative: the number of the signal that ended it.
    """

    command: Sequence[str]
    exit_status: int
    output: str
    log_path: Path | None
    seconds: float

    def check(self, reason: str = "") -> None:
        """Check that the tool succeeded.

        Args:
            reason: of its failure, if its output was understood; else the last lines are quoted.
        Raises:
            RunError: it failed; the text names the log, if there is one.
        """
        if self.exit_status:
            raise RunError(self.failure(_describe_status(self.exit_status), reason))

    def failure(self, what: str, reason: str = "") -> str:
        """Describe a failure of the tool, with the reason or its last lines, and the log, if there is one."""
        full = " (the disk is full)" if self.log_path and _is_full(self.log_path.parent) else ""
        log = f"; log: {self.log_path}{full}" if self.log_path else ""
        return f"{Path(self.command[0]).name} {what}: {reason or last_lines(self.output)}{log}"


class HangingToolError(RunError):
    """A tool that did not end within its time limit, and what it printed until then."""

    def __init__(self, text: str, output: str) -> None:
        super().__init__(text)
        self.output = output


def find_tool(name: str) -> str:
    """Return the absolute path of a tool.

    Raises:
        InputError: it is not on PATH; the text names what to source or install.
    """
    found = shutil.which(name)
    if found:
        return os.path.abspath(found)
    if name in _OF_DRIVER:
        remedy = "install the driver, which puts it in /usr/local/bin or /usr/local/sbin"
    elif name == "python":
        remedy = "activate the environment that has ais_bench"
    else:
        remedy = f"run `source {find_set_env()}`, from where CANN is installed, and the same command again"
    raise InputError(f"{name} is not on PATH; {remedy}")


def run_tool(
    command: Sequence[str],
    timeout_seconds: float,
    log_path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> ToolResult:
    """Run a tool to its end.

    Args:
        command: its name or path, and arguments.
        log_path: file to write its output to as it comes, replaced if it exists; None: no file stays.
        environment: None: that of this process.
        folder: to run it in; None: the current one.
    Raises:
        InputError: it is not on PATH, or cannot be started.
        HangingToolError: it did not end within the time limit, and was ended with the processes that it started.
        OSError: the log cannot be written.
    """
    path = find_tool(command[0])
    start = time.monotonic()
    with _open_log(log_path) as log, _StopHandler() as handler:
        process = _start([path, *command[1:]], log, environment, folder)
        try:
            handler.stop_from_now_on()
            has_ended = _wait(process, timeout_seconds)
        finally:
            end_group(process)
        output = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode("utf-8", "backslashreplace")
    result = ToolResult(command, process.returncode, output, log_path, time.monotonic() - start)
    if not has_ended:
        raise HangingToolError(result.failure(f"did not end within {timeout_seconds:g} s and was ended"), output)
    return result


def _describe_status(exit_status: int) -> str:
    """Describe how a tool failed: a negative status is a signal, 128 more than a signal is a shell's for it."""
    number = -exit_status if exit_status < 0 else exit_status - 128
    what = f"failed with exit status {exit_status}"
    if exit_status < 0:
        what = f"was ended by signal {number} ({signal.strsignal(number)})"
    return f"{what}, perhaps because the memory was full" if number == signal.SIGKILL else what


def _is_full(folder: Path) -> bool:
    """Check whether a disk has no space for what a tool writes."""
    return shutil.disk_usage(folder).free < MIN_FREE_BYTES


def last_lines(output: str) -> str:
    """Join the last lines of an output, for a message."""
    lines = [line.strip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
    return one_line(printable(" | ".join(map(shorten_text, lines[-LAST_LINES:])))) or "it printed nothing"


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, and the group: with SIGTERM, and after some seconds with SIGKILL.

    If it has ended by itself, such as killed when the memory was full, what it left running is ended.

    The process is waited for last, for until then no other group has its number.
    """
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    _wait(process, GRACE_SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait at most so long for a process to end, and keep its number from being used again."""
    deadline = time.monotonic() + seconds
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def unwinding_on_stop() -> Iterator[None]:
    """Unwind the block, which removes what is incomplete, if a signal ends this process, which then ends as before."""
    with _StopHandler() as handler:
        handler.stop_from_now_on()
        yield


def _open_log(path: Path | None) -> IO[bytes]:
    if path is None:
        return tempfile.TemporaryFile()
    return open(path, "w+b")


def _start(
    command: Sequence[str], log: IO[bytes], environment: Mapping[str, str] | None, folder: Path | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            process_group=0,
        )
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {describe_os_error(error)}") from error


class _StopHandler:
    """Ends the tool when Ctrl-C, SIGTERM or the end of the terminal ends this process, which then ends as before.

    Signals are handled in the main thread only, and not if they are ignored, as Ctrl-C by a job in the background.
    """

    def __init__(self) -> None:
        self._stops = False
        self._received = 0
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "_StopHandler":
        if threading.current_thread() is threading.main_thread():
            for number in (*STOP_SIGNALS, signal.SIGHUP):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._handlers[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self._received:
            signal.raise_signal(self._received)

    def stop_from_now_on(self) -> None:
        """Unwind the block at a signal, at once if one was received before."""
        self._stops = True
        if self._received:
            raise _StoppedError

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            return  # the block is unwinding
        self._received = number
        if self._stops:
            raise _StoppedError


class _StoppedError(BaseException):
    """Unwinds to the end of the block of _StopHandler, where the signal is raised again."""
