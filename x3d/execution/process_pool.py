"""Run a function over videos in worker processes, so that a crash or a hang fails only one video."""

import errno
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, resource_tracker
from typing import Any, Self, TypeVar

from x3d.console import write_log
from x3d.cores import count_cores
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError, describe_os_error
from x3d.execution.outcome import Outcome
from x3d.execution.worker import Event, Report, Task, Worker
from x3d.signals import StopSignalsBlocked

logger = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 3600
"""Longest wait for the workers at a time, far below what the operating system accepts."""
TRIES = 2
"""Attempts at a video whose worker or engine fails."""
MAX_FAILED_STARTS = 3
"""Workers in a row that may end before they start a video; one of a number that does so more often is left out."""

T = TypeVar("T")


class Workers:
    """Worker processes that run each video to a value, a failure reason or the end of the run.

    They start when they are needed, run one video at a time, and end with this process, however it ends. Each has a
    number, from 0.
    """

    def __init__(self, num_workers: int, timeout_seconds: float, prepare: Callable[[], Any] | None = None) -> None:
        """Set up a pool without starting processes.

        Args:
            num_workers: 0: one for each core this process may use.
            timeout_seconds: limit for one video.
            prepare: picklable; each process calls it before its first video.
        """
        self._num_workers = num_workers or count_cores()
        self._timeout_seconds = timeout_seconds
        self._prepare = prepare
        self._prepared: list[Any] = []
        self._workers: list[Worker] = []
        self._num_failed_starts = 0
        self._failed_starts: Counter[int] = Counter()
        self._logged: set[type] = set()

    def prepared(self, num_videos: int) -> Any:
        """Start the processes for so many videos; return what `prepare` returned in the first that is ready.

        Raises:
            Exception: what `prepare` raised.
            RunError: worker processes do not start, or end while they prepare.
        """
        assert self._prepare, "nothing to prepare"
        while not self._prepared:
            self._start_workers(max(1, num_videos))
            self._collect(deque())
        return self._prepared[0]

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        """Run a function on every video and yield outcomes as they are ready, in any order.

        A video whose worker crashes or exceeds the time limit, or whose engine fails, is retried once.

        Args:
            function: picklable. A VideoError it raises becomes an outcome.
        Raises:
            OSError: from the function, such as a full disk.
            ImportError: a package of a worker is missing.
            RunError: from the function, its engine does not start or fails, or worker processes do not start.
        """
        try:
            yield from self._run(function, videos)
        except EngineError as error:
            raise RunError(str(error)) from error

    def _run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        for worker in self._busy():  # of a run that was abandoned
            self._remove(worker)
        self._num_failed_starts = 0
        self._failed_starts.clear()
        waiting = deque(Task(video, 1) for video in videos)
        while waiting or self._busy():
            self._start_workers(len(waiting) + len(self._busy()))
            self._submit(function, waiting)
            for task, report in self._collect(waiting):
                outcome: Outcome[T] | None = _outcome(task, report, self._timeout_seconds)
                if outcome:
                    if outcome.reason == "internal_error" and report.error:
                        self._log_once(report.error)
                    yield outcome
                else:
                    _retry(task, report, waiting)

    def close(self) -> None:
        """Kill the processes, also busy ones."""
        while self._workers:
            self._workers.pop().kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _log_once(self, error: BaseException) -> None:
        """Write the traceback of the first error of a type to a log."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            logger.error("%r is a bug of this program; log: %s", error, write_log(error))

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.task]

    def _start_workers(self, num_wanted: int) -> None:
        """Start the processes that are missing, which load side by side; one takes the number of that it replaces."""
        usable = {number for number in range(self._num_workers) if self._failed_starts[number] <= MAX_FAILED_STARTS}
        try:
            resource_tracker.ensure_running()  # first, for its start unblocks the signals
            while len(self._workers) < min(len(usable), num_wanted):
                number = min(usable - {worker.number for worker in self._workers})
                with StopSignalsBlocked():
                    self._workers.append(Worker(number))
                if self._prepare:
                    self._workers[-1].prepare(self._prepare)
        except OSError as error:
            raise RunError(_describe_failed_start(error)) from error

    def _submit(self, function: Callable[[Video], T], waiting: deque[Task]) -> None:
        """Give each idle worker a video."""
        for worker in self._workers:
            if waiting and not worker.task and not worker.is_preparing:
                worker.submit(function, waiting.popleft())

    def _collect(self, waiting: deque[Task]) -> list[tuple[Task, Report]]:
        """Wait until something happens; return the tasks that ended, and requeue those that did not start.

        Raises:
            Exception: what a process raised without a task, as it started or prepared.
        """
        limit = self._timeout_seconds
        seconds = min(worker.seconds_left(limit) for worker in self._workers)
        ready = connection.wait([worker.connection for worker in self._workers], min(max(0, seconds), MAX_WAIT_SECONDS))
        ended = []
        for worker in list(self._workers):
            if worker.connection in ready:
                report = worker.receive()
            elif worker.seconds_left(limit) <= 0:
                report = worker.expire()
            else:
                continue
            if report.error and not worker.task:
                report = self._failed_start(report.error)
            self._count_failed_start(worker, report)
            if report.event is Event.PREPARED:
                self._prepared.append(report.value)
            if report.event in (Event.PREPARED, Event.STARTED):
                continue
            task, worker.task = worker.task, None
            if task and report.event is Event.DIED_IDLE:
                waiting.appendleft(task)
            elif task:
                ended.append((task, report))
            if report.event in (Event.TIMED_OUT, Event.DIED, Event.DIED_IDLE):
                self._remove(worker)
        return ended

    def _remove(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.kill()

    def _failed_start(self, error: BaseException) -> Report:
        """Report an engine that failed to open in a process as its end, if it has opened in another: it is tried again.

        Raises:
            Exception: any other error.
        """
        if not isinstance(error, Exception):
            raise RunError(f"a worker process was ended as it started: {error!r}") from error
        if not (self._prepared and isinstance(error, EngineError)):
            raise error
        return Report(Event.DIED_IDLE, exit_text=str(error))

    def _count_failed_start(self, worker: Worker, report: Report) -> None:
        """Count workers that end before their first video starts, and log them.

        Raises:
            RunError: too many in a row.
        """
        if report.event is Event.STARTED:
            self._num_failed_starts = self._failed_starts[worker.number] = 0
        elif report.event is Event.DIED_IDLE and not worker.has_worked:
            self._num_failed_starts += 1
            self._failed_starts[worker.number] += 1
            attempts = self._failed_starts[worker.number], MAX_FAILED_STARTS + 1
            logger.warning("worker %d did not start, attempt %d of %d: %s", worker.number, *attempts, report.exit_text)
        if self._num_failed_starts > MAX_FAILED_STARTS:
            raise RunError(f"worker processes end before they do any work ({report.exit_text})")


def _describe_failed_start(error: OSError) -> str:
    text = f"worker processes cannot be started: {describe_os_error(error)}"
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        text += "; the limit on processes (ulimit -u), that of the container or the memory is exhausted"
    return text


def _outcome(task: Task, report: Report, timeout_seconds: float) -> Outcome[T] | None:
    """Turn the end of a task into an outcome, None when it is to be retried.

    Raises:
        EngineError, ImportError, OSError, RunError: as Workers.run.
    """
    video, error = task.video, report.error
    if report.event is Event.RETURNED:
        return Outcome(video, report.value)
    if isinstance(error, VideoError):
        return Outcome(video, reason=error.reason, text=str(error))
    if isinstance(error, RunError | ImportError) or (isinstance(error, OSError) and isinstance(error.errno, int)):
        raise error
    if report.event is Event.TIMED_OUT:
        outcome = Outcome[T](video, reason="timed_out", text=f"{video.path}: not done in {timeout_seconds:g} s")
    elif report.event is Event.DIED:
        outcome = Outcome(video, reason="crashed", text=f"{video.path}: the worker process died ({report.exit_text})")
    elif isinstance(error, EngineError):
        if task.attempt < TRIES:
            return None
        raise error
    else:
        return Outcome(video, reason="internal_error", text=f"{video.path}: {error!r}")
    if task.attempt < TRIES:
        logger.warning("%s; retrying once", outcome.text)
        return None
    return outcome


def _retry(task: Task, report: Report, waiting: deque[Task]) -> None:
    """Queue the second attempt: next if the engine failed, which would fail on every video, else last."""
    again = Task(task.video, task.attempt + 1)
    if isinstance(report.error, EngineError):
        waiting.appendleft(again)
    else:
        waiting.append(again)
