"""Run a function over videos in worker processes, so that a crash or a hang costs one video."""

import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from pebble import ProcessExpired, ProcessPool

from x3d.annotations import Video
from x3d.outcome import TRIES, Outcome
from x3d.video import VideoError

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

QUEUED_A_WORKER = 2

T = TypeVar("T")


def run_on_videos(
    function: Callable[[Video], T], videos: Sequence[Video], num_workers: int, timeout_seconds: float
) -> Iterator[Outcome[T]]:
    """Run a function on every video; outcomes come as they are ready, in no fixed order.

    Workers are spawned processes with one decoding thread. A video whose worker crashes or exceeds the time limit is
    tried once more. Leaving the iteration early, by an exception too, ends the workers.

    Args:
        function: picklable. A VideoError it raises becomes an outcome; an OSError ends the run.
        num_workers: 0: one for each core this process may use.
    Raises:
        OSError: from the function, such as a full disk.
    """
    waiting = deque((video, 1) for video in videos)
    num_workers = min(num_workers or len(os.sched_getaffinity(0)), max(len(waiting), 1))
    running: dict[Future[T], tuple[Video, int]] = {}
    pool = _start_pool(num_workers)
    try:
        while waiting or running:
            while waiting and len(running) < QUEUED_A_WORKER * num_workers:
                video, attempt = waiting.popleft()
                running[pool.schedule(function, args=[video], timeout=timeout_seconds)] = (video, attempt)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                video, attempt = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool) and not pool.active:
                    _end_pool(pool)
                    pool = _start_pool(num_workers)
                outcome = _outcome(future, video, timeout_seconds)
                if outcome.reason in ("crashed", "timed_out") and attempt < TRIES:
                    logger.warning("%s: %s; trying once more", video.path, outcome.text)
                    waiting.append((video, attempt + 1))
                else:
                    yield outcome
    finally:
        _end_pool(pool)


def run_configured(
    cfg: "CfgNode",
    function: Callable[[Video], T],
    videos: Sequence[Video],
    num_workers: int = 0,
    resources: Mapping[str, float] | None = None,
    needed_paths: Sequence[str] = (),
) -> Iterator[Outcome[T]]:
    """Run a function on every video where X3D_WORKERS says: in processes here, or on a Ray cluster.

    Args:
        function: as run_on_videos takes it.
        num_workers: processes here; 0: one for each core.
        resources: what a task on Ray holds, by Ray's names (default: one CPU).
        needed_paths: what every node of a cluster must see.
    """
    timeout = cfg.X3D_PREPROCESS.TIMEOUT
    if not cfg.X3D_WORKERS.RAY_ADDRESS:
        return run_on_videos(function, videos, num_workers or cfg.X3D_WORKERS.NUM, timeout)
    from x3d.ray_workers import run_on_ray

    return run_on_ray(function, videos, cfg.X3D_WORKERS.RAY_ADDRESS, timeout, resources or {"CPU": 1}, needed_paths)


def _outcome(future: "Future[T]", video: Video, timeout_seconds: float) -> Outcome[T]:
    error = future.exception()
    if error is None:
        return Outcome(video, future.result())
    if isinstance(error, VideoError):
        return Outcome(video, reason=error.reason, text=str(error))
    if isinstance(error, TimeoutError):
        return Outcome(video, reason="timed_out", text=f"{video.path}: not done in {timeout_seconds:g} s")
    if isinstance(error, (ProcessExpired, BrokenProcessPool)):
        return Outcome(video, reason="crashed", text=f"{video.path}: worker died ({error!r})")
    if isinstance(error, OSError):
        raise error
    logger.debug("%s", video.path, exc_info=error)
    return Outcome(video, reason="internal_error", text=f"{video.path}: {error!r}")


def _start_pool(num_workers: int) -> ProcessPool:
    context = multiprocessing.get_context("spawn")
    return ProcessPool(max_workers=num_workers, context=context, initializer=_start_worker)


def _end_pool(pool: ProcessPool) -> None:
    pool.stop()
    pool.join()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, end when told to, and keep OpenCV to one thread."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
