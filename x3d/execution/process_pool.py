"""Run a function over videos in worker processes, so that a crash or a hang costs one video."""

import ctypes
import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution.outcome import TRIES, Outcome

logger = logging.getLogger(__name__)

QUEUED_A_WORKER = 2
LOOK_SECONDS = 1
"""Time after which a pool is looked at though no video has ended: it may have broken while idle."""
PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: the signal that a process gets when its parent dies."""
STALL_SECONDS = 30
"""Time over a video's limit without any outcome after which a pool is replaced: an idle worker that is killed may leave
the others waiting for a lock that it held."""

T = TypeVar("T")


class Workers:
    """Spawned processes, each with one decoding thread; they end with this process, however it ends."""

    def __init__(self, num_workers: int, timeout_seconds: float) -> None:
        """Set up processes that start when they are needed.

        Args:
            num_workers: 0: one for each core this process may use.
            timeout_seconds: that one video may take.
        """
        self._num_workers = num_workers or len(os.sched_getaffinity(0))
        self._timeout_seconds = timeout_seconds
        self._pool: ProcessPool | None = None

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        """Run a function on every video; outcomes come as they are ready, in no fixed order.

        A video whose worker crashes or exceeds the time limit, or whose engine fails, is tried once more.

        Args:
            function: picklable. A VideoError it raises becomes an outcome.
        Raises:
            OSError: from the function, such as a full disk.
            RunError: the function's engine does not start or fails, or worker processes do not start.
        """
        num_workers = min(self._num_workers, max(len(videos), 1))
        waiting = deque((video, 1) for video in videos)
        running: dict[Future[T], tuple[Video, int]] = {}
        num_broken, last_done = 0, time.monotonic()
        while waiting or running:
            stalled = time.monotonic() - last_done > self._timeout_seconds + STALL_SECONDS
            num_broken += stalled
            if self._pool is None or not self._pool.active or stalled:
                last_done = time.monotonic()
                lost = [running.pop(future) for future in list(running) if not future.done()]
                waiting.extend(lost)
                self.close()
                self._pool = _start_pool(num_workers)
            while waiting and len(running) < QUEUED_A_WORKER * num_workers:
                video, attempt = waiting.popleft()
                started = self._pool.schedule(function, args=[video], timeout=self._timeout_seconds)
                running[started] = (video, attempt)
            done = wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED).done
            broken = {future for future in done if isinstance(future.exception(), BrokenProcessPool)}
            if done:
                num_broken, last_done = num_broken + 1 if broken else 0, time.monotonic()
            if num_broken > TRIES:
                raise RunError("worker processes end before they do any work")
            for future in done:
                video, attempt = running.pop(future)
                outcome = None if future in broken else _outcome(future, video, self._timeout_seconds, attempt)
                if outcome:
                    yield outcome
                else:
                    waiting.append((video, attempt + (future not in broken)))

    def close(self) -> None:
        """End the processes, whatever they do."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _outcome(future: "Future[T]", video: Video, timeout_seconds: float, attempt: int) -> Outcome[T] | None:
    """Say what became of a video, None when it is to be tried once more.

    Raises:
        OSError, RunError: as Workers.run.
    """
    error = future.exception()
    if error is None:
        return Outcome(video, future.result())
    if isinstance(error, VideoError):
        return Outcome(video, reason=error.reason, text=str(error))
    if isinstance(error, OSError) and isinstance(error.errno, int):
        raise error
    if isinstance(error, TimeoutError):
        outcome = Outcome[T](video, reason="timed_out", text=f"{video.path}: not done in {timeout_seconds:g} s")
    elif isinstance(error, ProcessExpired):
        outcome = Outcome(video, reason="crashed", text=f"{video.path}: worker died ({error!r})")
    elif isinstance(error, EngineError):
        outcome = Outcome(video, text=str(error))
    else:
        logger.debug("%s", video.path, exc_info=error)
        return Outcome(video, reason="internal_error", text=f"{video.path}: {error!r}")
    if attempt < TRIES:
        logger.warning("%s; trying once more", outcome.text)
        return None
    if isinstance(error, EngineError):
        raise RunError(str(error)) from error
    return outcome


def _start_pool(num_workers: int) -> ProcessPool:
    """Start processes, which inherit that Ctrl-C is held back, so that it does not end one that is still starting."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(max_workers=num_workers, context=context, initializer=_start_worker)
    resource_tracker.ensure_running()  # which lets signals through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        if not pool.active:  # asking starts it
            raise RunError("worker processes cannot be started")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pool


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, end when told to or when the parent is gone, and keep OpenCV to one thread."""
    import cv2

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
