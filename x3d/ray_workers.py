"""Run a function over videos on a Ray cluster: videos are tasks, a node that dies costs a retry.

On each node a video runs in a process of its own beneath Ray's worker, as it does without a cluster, so that crashes,
hangs and the time limit mean the same.
"""

import dataclasses
import functools
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from x3d.annotations import Video
from x3d.cli import RunError
from x3d.facts import Needs
from x3d.outcome import Outcome
from x3d.workers import QUEUED_A_WORKER, Workers

logger = logging.getLogger(__name__)

NODE_RETRIES = 3
"""Times Ray starts a task anew when its node dies."""
NODE_ID_LABEL = "ray.io/node-id"

T = TypeVar("T")


def run_on_ray(
    function: Callable[[Video], T],
    videos: Sequence[Video],
    address: str,
    timeout_seconds: float,
    resources: Mapping[str, float],
    needs: Needs,
) -> Iterator[Outcome[T]]:
    """Run a function on every video, as x3d.workers.run_on_videos does, on the nodes of a cluster.

    Args:
        function: picklable. A VideoError it raises becomes an outcome; an OSError ends the run.
        address: auto, host:port or ray://host:port.
        resources: what a task holds, by Ray's names: CPU, GPU, NPU.
        needs: what a node must have. One that lacks it at the start is an error; one that joins later is left out.
    Raises:
        ValueError: Ray is not installed, the cluster cannot be reached or has none of a resource, or a node lacks what
            is needed; the text names it.
        OSError: from the function, such as a full disk.
        RunError: no node is left that can do the work.
    """
    ray = _connect(address)
    try:
        lacking = [name for name, amount in resources.items() if ray.cluster_resources().get(name, 0) < amount]
        if lacking:
            raise ValueError(f"no node of {address} has a {' or a '.join(lacking)} (`ray status` shows what they have)")
        _check_nodes(ray, needs)
        yield from _run_tasks(ray, (ray.put(function), timeout_seconds, needs), videos, resources)
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise ValueError("X3D_WORKERS.RAY_ADDRESS needs Ray: pip install -r requirements-ray.txt") from error

    package = str(Path(__file__).parent)
    environment = {"py_modules": [package], "env_vars": {"PYTHONWARNINGS": "ignore"}}
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        ray.init(address=address, runtime_env=environment, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ValueError(f"X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: {error}") from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray puts its own in place
    return ray


def _knock(address: str) -> None:
    """See that something listens at an address before Ray waits minutes for it."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if found:
        socket.create_connection((host, int(port)), timeout=10).close()


@dataclasses.dataclass(frozen=True)
class _Unfit:
    """A node that cannot do the work, and why."""

    node_id: str
    name: str
    faults: str


def _run_one(function: Callable[[Video], T], timeout_seconds: float, needs: Needs, video: Video) -> Outcome[T] | _Unfit:
    import ray

    context = ray.get_runtime_context()
    faults = _lacking(needs)
    if not faults:
        devices = repr(context.get_accelerator_ids())
        try:
            [outcome] = _workers(timeout_seconds, devices).run(function, [video])
            return outcome
        except RunError as error:
            faults = str(error)
    return _Unfit(context.get_node_id(), ray.util.get_node_ip_address(), faults)


@functools.cache
def _lacking(needs: Needs) -> str:
    return ", ".join(needs.lacking())


@functools.cache
def _workers(timeout_seconds: float, devices: str) -> Workers:
    """Start the process beneath this one, once for each set of devices that Ray hands out: it keeps its model there."""
    return Workers(1, timeout_seconds)


def _task(ray: Any, resources: Mapping[str, float], unfit: Collection[str]) -> Any:
    """Make the task that Ray runs, on any node but the unfit ones."""
    others = {name: amount for name, amount in resources.items() if name not in ("CPU", "GPU")}
    return ray.remote(max_calls=0)(_run_one).options(
        num_cpus=resources.get("CPU", 1),
        num_gpus=resources.get("GPU", 0),
        resources=others,
        max_retries=NODE_RETRIES,
        label_selector={NODE_ID_LABEL: f"!in({','.join(unfit)})"} if unfit else None,
    )


def _check_nodes(ray: Any, needs: Needs) -> None:
    """Ask each node once whether it has what is needed."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(_lacking.__wrapped__)
    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[node["NodeID"]] = (
                node["NodeManagerAddress"],
                ask.options(num_cpus=0, scheduling_strategy=there).remote(needs),
            )
    faults = [f"node {name}: {fault}" for name, ref in asked.values() if (fault := ray.get(ref))]
    if faults:
        raise ValueError("; ".join(faults) + ". Data, model, output and versions must be the same on every node")


def _run_tasks(
    ray: Any, common: tuple[Any, ...], videos: Sequence[Video], resources: Mapping[str, float]
) -> Iterator[Outcome[Any]]:
    """Keep as many tasks under way as the cluster has room for, so that nothing piles up on the driver.

    Args:
        common: what every task is given before its video.
    """
    task = _task(ray, resources, ())
    waiting = deque(dataclasses.replace(video, path=os.path.abspath(video.path)) for video in videos)
    running: dict[Any, Video] = {}
    unfit: dict[str, _Unfit] = {}
    while waiting or running:
        while waiting and len(running) < QUEUED_A_WORKER * _room(ray, resources):
            video = waiting.popleft()
            running[task.remote(*common, video)] = video
        for ref in ray.wait(list(running), num_returns=1, timeout=1)[0]:
            video = running.pop(ref)
            outcome = _outcome(ray, ref, video)
            if not isinstance(outcome, _Unfit):
                yield outcome
                continue
            waiting.append(video)
            if outcome.node_id not in unfit:
                unfit[outcome.node_id] = outcome
                logger.error("node %s is left out: %s", outcome.name, outcome.faults)
                task = _task(ray, resources, unfit)
        if unfit and not any(node["Alive"] and node["NodeID"] not in unfit for node in ray.nodes()):
            raise RunError("no node is left that can do the work")


def _room(ray: Any, resources: Mapping[str, float]) -> int:
    """Count the tasks the cluster can run at once, at least one so that a cluster that grows is used."""
    total = ray.cluster_resources()
    wanted = {"CPU": 1.0, **resources}
    return max(1, int(min(total.get(name, 0) / amount for name, amount in wanted.items() if amount)))


def _outcome(ray: Any, ref: Any, video: Video) -> Outcome[Any] | _Unfit:
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OSError):
            raise error.cause from error
        return Outcome(video, reason="internal_error", text=f"{video.path}: {error.cause!r}")
    except ray.exceptions.RayError as error:
        return Outcome(video, reason="crashed", text=f"{video.path}: {type(error).__name__}")
