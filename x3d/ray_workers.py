"""Run a function over videos on a Ray cluster: videos are tasks, a node that dies costs a retry."""

import dataclasses
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from x3d.annotations import Video
from x3d.outcome import TRIES, Outcome
from x3d.video import VideoError

logger = logging.getLogger(__name__)

NODE_RETRIES = 3
"""Times Ray starts a task anew when its node or worker process dies."""
START_SECONDS = 60
"""What a task may take before its first video: a new process, its imports and the model."""

T = TypeVar("T")


def run_on_ray(
    function: Callable[[Video], T],
    videos: Sequence[Video],
    address: str,
    timeout_seconds: float,
    resources: Mapping[str, float],
    needed_paths: Sequence[str],
) -> Iterator[Outcome[T]]:
    """Run a function on every video, as x3d.workers.run_on_videos does, on the nodes of a cluster.

    As many tasks are under way as the cluster has room for, so that nothing piles up on the driver.

    Args:
        function: picklable. A VideoError it raises becomes an outcome; an OSError ends the run.
        address: auto, host:port or ray://host:port.
        resources: what a task holds, by Ray's names: CPU, GPU, NPU.
        needed_paths: files and folders that every node must see.
    Raises:
        ValueError: Ray is not installed, the cluster cannot be reached, or a node does not see a path.
        OSError: from the function, such as a full disk.
    """
    try:
        import ray
    except ImportError as error:
        raise ValueError("X3D_WORKERS.RAY_ADDRESS needs Ray: pip install -r requirements-ray.txt") from error

    package = str(Path(__file__).parent)
    environment = {"py_modules": [package], "env_vars": {"PYTHONWARNINGS": "ignore"}}
    _knock(address)
    try:
        ray.init(address=address, runtime_env=environment, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ValueError(f"X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: {error}") from error
    try:
        _check_nodes(ray, [os.path.abspath(path) for path in needed_paths if path])
        others = {name: amount for name, amount in resources.items() if name not in ("CPU", "GPU")}
        task: Any = ray.remote(_score_one).options(
            num_cpus=resources.get("CPU", 1),
            num_gpus=resources.get("GPU", 0),
            resources=others,
            max_retries=NODE_RETRIES,
        )
        yield from _run_tasks(ray, task, ray.put(function), videos, timeout_seconds, resources)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See that something listens at an address before Ray waits minutes for it."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if not found:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: {error}") from error


def _score_one(function: Callable[[Video], T], video: Video) -> Outcome[T]:
    import cv2

    cv2.setNumThreads(1)
    try:
        return Outcome(video, function(video))
    except VideoError as error:
        return Outcome(video, reason=error.reason, text=str(error))


def _check_nodes(ray: Any, paths: Sequence[str]) -> None:
    """Ask each node once whether it sees the paths."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def unseen(wanted: Sequence[str]) -> list[str]:
        return [path for path in wanted if not os.path.exists(path)]

    ask = ray.remote(unseen)
    asked = {
        node["NodeManagerAddress"]: ask.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(paths)
        for node in ray.nodes()
        if node["Alive"]
    }
    faults = [f"node {name} does not see {', '.join(gone)}" for name, ref in asked.items() if (gone := ray.get(ref))]
    if faults:
        raise ValueError("; ".join(faults) + ". Data, model and output must be at the same path on every node")


def _run_tasks(
    ray: Any, task: Any, function: Any, videos: Sequence[Video], timeout_seconds: float, resources: Mapping[str, float]
) -> Iterator[Outcome[Any]]:
    waiting = deque((dataclasses.replace(video, path=os.path.abspath(video.path)), 1) for video in videos)
    running: dict[Any, tuple[Video, int, float]] = {}
    while waiting or running:
        while waiting and len(running) < _room(ray, resources):
            video, attempt = waiting.popleft()
            deadline = time.monotonic() + timeout_seconds + START_SECONDS
            running[task.remote(function, video)] = (video, attempt, deadline)
        for ref in ray.wait(list(running), num_returns=1, timeout=1)[0]:
            video, attempt, _ = running.pop(ref)
            outcome = _outcome(ray, ref, video)
            if outcome.reason == "crashed" and attempt < TRIES:
                logger.warning("%s; trying once more", outcome.text)
                waiting.append((video, attempt + 1))
            else:
                yield outcome
        now = time.monotonic()
        for ref in [ref for ref, (_, _, deadline) in running.items() if now > deadline]:
            video, attempt, _ = running.pop(ref)
            ray.cancel(ref, force=True)
            if attempt < TRIES:
                waiting.append((video, attempt + 1))
            else:
                yield Outcome(video, reason="timed_out", text=f"{video.path}: not done in {timeout_seconds:g} s")


def _room(ray: Any, resources: Mapping[str, float]) -> int:
    """Count the tasks the cluster can run at once, at least one so that a cluster that grows is used."""
    total = ray.cluster_resources()
    wanted = {"CPU": 1.0, **resources}
    return max(1, int(min(total.get(name, 0) / amount for name, amount in wanted.items() if amount)))


def _outcome(ray: Any, ref: Any, video: Video) -> Outcome[Any]:
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OSError):
            raise error.cause from error
        return Outcome(video, reason="internal_error", text=f"{video.path}: {error.cause!r}")
    except ray.exceptions.RayError as error:
        return Outcome(video, reason="crashed", text=f"{video.path}: {type(error).__name__}")
