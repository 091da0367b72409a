"""A worker process: it runs a function on one video at a time and reports over a pipe of its own.

The pipe is all that it shares with the parent: no lock that a killed worker could hold, no semaphore that must exist.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from x3d.dataset.annotations import Video
from x3d.signals import STOP_SIGNALS

SPAWN = multiprocessing.get_context("spawn")
PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: the signal that a process gets when its parent dies."""
START_SECONDS = 30
"""Time over a video's limit that a process has to start it: to load the interpreter, the packages and the function."""
END_SECONDS = 5
"""Time that a process which has closed its pipe, or was killed, has to end."""

_number = 0


class Event(Enum):
    """What a worker reports or how it fails; all but PREPARED, STARTED and DIED_IDLE end the video that is running."""

    PREPARED = auto()
    STARTED = auto()
    RETURNED = auto()
    RAISED = auto()
    TIMED_OUT = auto()
    DIED = auto()
    DIED_IDLE = auto()


@dataclass(frozen=True)
class Report:
    """An event with what belongs to it: the function's value or error, or how the process ended."""

    event: Event
    value: Any = None
    error: BaseException | None = None
    exit_text: str = ""


class Task(NamedTuple):
    """A video to run a function on, and the number of the attempt, from 1."""

    video: Video
    attempt: int


class Worker:
    """A process and its task, which is running once the process has reported its start.

    Attributes:
        number: of the process among those of its pool; it is worker_number() there.
        task: submitted and not ended.
        is_preparing: it runs what it was given to prepare, before its first task.
        has_worked: a task has started in it.
    """

    def __init__(self, number: int) -> None:
        """Start the process; to be called within StopSignalsBlocked, so that no signal reaches it half-way.

        Raises:
            OSError: the process cannot be started.
        """
        self.number = number
        self.task: Task | None = None
        self.is_preparing = False
        self.has_worked = False
        self._is_running = False
        self._since = 0.0
        self.connection, workers_end = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(workers_end, number), daemon=True)
        self._process.start()
        workers_end.close()

    def prepare(self, function: Callable[[], Any]) -> None:
        """Let the process run a function before its first task; `receive` reports its value as PREPARED."""
        self.is_preparing = True
        self._send(function, None)

    def submit(self, function: Callable[[Video], Any], task: Task) -> None:
        """Give the process its task; that it has ended is reported by `receive`."""
        self.task = task
        self._send(function, task.video)

    def _send(self, function: Callable[..., Any], video: Video | None) -> None:
        self._since = time.monotonic()
        with contextlib.suppress(ConnectionError):  # `receive` reports the end of the process
            self.connection.send((function, video))

    def receive(self) -> Report:
        """Read a report of the process, or report its end."""
        try:
            content = self.connection.recv_bytes()
        except (EOFError, OSError):
            self._process.join(END_SECONDS)
            self.kill()
            return Report(Event.DIED if self._is_running else Event.DIED_IDLE, exit_text=self._exit_text())
        report = _unpickle_report(content)
        self.is_preparing = False
        self._is_running = report.event is Event.STARTED
        self.has_worked |= self._is_running
        self._since = time.monotonic()
        return report

    def seconds_left(self, timeout_seconds: float) -> float:
        """Compute the time until a limit: of the running video, to start it or to prepare; infinite for an idle one."""
        if self.task is None and not self.is_preparing:
            return float("inf")
        limit = timeout_seconds + (0 if self._is_running else START_SECONDS)
        return self._since + limit - time.monotonic()

    def expire(self) -> Report:
        """Report that a limit is exceeded."""
        if self._is_running:
            return Report(Event.TIMED_OUT)
        return Report(Event.DIED_IDLE, exit_text=f"not ready within X3D_WORKERS.TIMEOUT and {START_SECONDS} s")

    def kill(self) -> None:
        """End the process at once and wait for it, unless the kernel does not let it go."""
        self._process.kill()
        self._process.join(END_SECONDS)
        self.connection.close()

    def _exit_text(self) -> str:
        code = self._process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _unpickle_report(content: bytes) -> Report:
    """Unpickle a report; a value or error that fails to unpickle here becomes an error with the reason."""
    try:
        report: Report = pickle.loads(content)
    except Exception as error:  # noqa: BLE001 (whatever __setstate__ or an import raises)
        return Report(Event.RAISED, error=RuntimeError(f"its report cannot be read: {error!r}"))
    return report


def worker_number() -> int:
    """Return the number of this worker process, from 0; of any other process 0."""
    return _number


def serve(connection: Connection, number: int) -> None:
    """In the process: run what the parent sends, until the parent closes the pipe or dies."""
    global _number  # noqa: PLW0603 (of the process, for the functions that it runs)
    _number = number
    _tie_to_parent()
    parent = multiprocessing.parent_process()
    with contextlib.suppress(EOFError, OSError):
        try:
            _limit_threads()
        except ImportError as error:
            connection.send_bytes(_pickle_error(error))
            return
        while parent is not None and parent.pid == os.getppid():
            request = connection.recv_bytes()
            connection.send_bytes(_run(request, connection))


def _tie_to_parent() -> None:
    """End when the parent dies and on SIGTERM, and ignore Ctrl-C, which is the parent's."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _limit_threads() -> None:
    """Keep OpenCV to one thread, for there is a process per core."""
    import cv2

    cv2.setNumThreads(1)


def _run(request: bytes, connection: Connection) -> bytes:
    """Run a pickled function on a video, or prepare with one without a video, and pickle the report."""
    try:
        function, video = pickle.loads(request)
        if video is None:
            return pickle.dumps(Report(Event.PREPARED, value=function()))
        connection.send(Report(Event.STARTED))
        return pickle.dumps(Report(Event.RETURNED, value=function(video)))
    except BaseException as error:  # noqa: BLE001 (the parent decides what to do with it)
        error.add_note(traceback.format_exc())
        return _pickle_error(error)


def _pickle_error(error: BaseException) -> bytes:
    """Pickle the report of an error; one that cannot be pickled is replaced by its representation."""
    try:
        report = pickle.dumps(Report(Event.RAISED, error=error))
        pickle.loads(report)
    except Exception:  # noqa: BLE001 (whatever __reduce__ raises)
        report = pickle.dumps(Report(Event.RAISED, error=RuntimeError(repr(error))))
    return report
