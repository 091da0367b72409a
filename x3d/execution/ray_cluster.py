"""Run a function over videos on a Ray cluster: videos are tasks, a node that dies costs a retry.

On each node a video runs in a process of its own beneath Ray's worker, as it does without a cluster, so that crashes,
hangs and the time limit mean the same.
"""

import dataclasses
import logging
import os
import pickle
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from x3d.dataset.annotations import Video
from x3d.errors import RunError
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import QUEUED_A_WORKER, Workers
from x3d.execution.requirements import Needs

logger = logging.getLogger(__name__)

NODE_RETRIES = 3
"""Times Ray starts a task anew when its node dies."""
NODE_ID_LABEL = "ray.io/node-id"

T = TypeVar("T")


class RayWorkers:
    """The nodes of a cluster that have what a task holds and what it needs."""

    def __init__(self, address: str, timeout_seconds: float, resources: Mapping[str, float], needs: Needs) -> None:
        """Connect, and ask each node that can run a task whether it has what is needed.

        Args:
            address: auto, host:port or ray://host:port.
            timeout_seconds: that one video may take.
            resources: what a task holds, by Ray's names: CPU, GPU, NPU.
            needs: what a node must have. One that lacks it now is an error; one that joins later is left out.
        Raises:
            ValueError: Ray is not installed, the cluster cannot be reached, or no node has the resources, or one
                lacks what is needed; the text names it.
        """
        self._address, self._timeout_seconds = address, timeout_seconds
        self._resources, self._needs = resources, needs
        self._unfit: set[str] = set()
        self._ray = _connect(address)
        try:
            self._check_nodes()
        except BaseException:
            self.close()
            raise

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        """Run a function on every video, as x3d.execution.process_pool.Workers.run does.

        As many tasks are under way as the nodes have room for, so that nothing piles up here.

        Raises:
            OSError: from the function, such as a full disk.
            RunError: no node is left that can do the work, one cannot set up this suite, or the cluster is lost.
        """
        try:
            yield from self._run(function, videos)
        except ConnectionError as error:
            raise RunError(f"the cluster {self._address} was lost: {error}") from error

    def close(self) -> None:
        """Leave the cluster; what still runs there for this process ends."""
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        waiting = deque(dataclasses.replace(video, path=os.path.abspath(video.path)) for video in videos)
        running: dict[Any, Video] = {}
        task = self._task()
        while waiting or running:
            room = self._room()
            while waiting and len(running) < QUEUED_A_WORKER * room:
                video = waiting.popleft()
                call = run_one, (function, self._timeout_seconds, self._needs, video)
                running[task.remote(pickle.dumps(call))] = video
            ready = self._ray.wait(list(running), num_returns=1, timeout=1)[0] if running else []
            if not ready and not room:
                raise RunError(f"no node of {self._address} is left that can do the work")
            for ref in ready:
                video = running.pop(ref)
                outcome = self._outcome(ref, video)
                if isinstance(outcome, Outcome):
                    yield outcome
                    continue
                waiting.append(video)
                if outcome.node_id not in self._unfit:
                    self._unfit.add(outcome.node_id)
                    logger.error("node %s is left out: %s", outcome.name, outcome.faults)
                    task = self._task()

    def _task(self) -> Any:
        """Make the task that Ray runs, on any node but the unfit ones."""
        others = {name: amount for name, amount in self._resources.items() if name not in ("CPU", "GPU")}
        return self._ray.remote(max_calls=0)(_make_task()).options(
            num_cpus=self._resources.get("CPU", 1),
            num_gpus=self._resources.get("GPU", 0),
            resources=others,
            max_retries=NODE_RETRIES,
            label_selector={NODE_ID_LABEL: f"!in({','.join(self._unfit)})"} if self._unfit else None,
        )

    def _able(self) -> list[Mapping[str, Any]]:
        """List the living nodes that have the resources of a task and are not unfit."""
        return [
            node
            for node in self._ray.nodes()
            if node["Alive"] and node["NodeID"] not in self._unfit and _capacity(node, self._resources)
        ]

    def _room(self) -> int:
        """Count the tasks that can run at once."""
        return sum(_capacity(node, self._resources) for node in self._able())

    def _check_nodes(self) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        able = self._able()
        if not able:
            needed = " and a ".join(sorted(self._resources, reverse=True))
            raise ValueError(f"no node of {self._address} has a {needed} (`ray status` shows what there is)")
        ask = self._ray.remote(_make_task())
        asked = {}
        for node in able:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ref = ask.options(num_cpus=0, scheduling_strategy=there).remote(pickle.dumps((lacking, (self._needs,))))
            asked[node["NodeID"]] = node["NodeManagerAddress"], ref
        faults = [f"node {name}: {fault}" for name, ref in asked.values() if (fault := self._answer(ref))]
        if faults:
            raise ValueError("; ".join(faults) + ". Data, model, output and versions must be the same on every node")

    def _answer(self, ref: Any) -> str:
        try:
            answer = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            return f"does not answer: {type(error).__name__}"
        return answer if isinstance(answer, str) else Unfit(*answer).faults

    def _outcome(self, ref: Any, video: Video) -> "Outcome[Any] | Unfit":
        try:
            outcome = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OSError):
                raise error.cause from error
            return Outcome(video, reason="internal_error", text=f"{video.path}: {error.cause!r}")
        except self._ray.exceptions.RuntimeEnvSetupError as error:
            raise RunError(f"a node cannot set up this suite: {error}") from error
        except self._ray.exceptions.RayError as error:
            return Outcome(video, reason="crashed", text=f"{video.path}: {type(error).__name__}")
        return outcome if isinstance(outcome, Outcome) else Unfit(*outcome)


class Unfit(NamedTuple):
    """A node that cannot do the work, and why."""

    node_id: str
    name: str
    faults: str


def _connect(address: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise ValueError("X3D_WORKERS.RAY_ADDRESS needs Ray: pip install -r requirements-ray.txt") from error

    package = str(Path(__file__).parents[1])
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


def _capacity(node: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    """Count the tasks that a node has the resources for."""
    return int(min(node["Resources"].get(name, 0) / amount for name, amount in resources.items()))


def _make_task() -> Callable[[bytes], Any]:
    """Make what Ray sends to a node; it imports nothing of this suite, so that a node that cannot import it says so."""

    def call(pickled: bytes) -> Any:
        import pickle

        import ray

        try:
            function, arguments = pickle.loads(pickled)
        except ImportError as error:
            context = ray.get_runtime_context()
            return context.get_node_id(), ray.util.get_node_ip_address(), f"cannot import what it needs: {error}"
        return function(*arguments)

    return call


def lacking(needs: Needs) -> str:
    """On a node: say what it lacks, empty when nothing."""
    return ", ".join(needs.lacking())


def run_one(
    function: Callable[[Video], T], timeout_seconds: float, needs: Needs, video: Video
) -> Outcome[T] | tuple[str, str, str]:
    """On a node: run a function on one video, or say why this node cannot, as Unfit does."""
    import ray

    context = ray.get_runtime_context()
    workers = _workers_for(timeout_seconds, repr(context.get_accelerator_ids()), needs)
    faults = workers.faults
    if not faults:
        try:
            [outcome] = workers.run(function, [video])
            return outcome
        except RunError as error:
            faults = str(error)
    return context.get_node_id(), ray.util.get_node_ip_address(), faults


class _CheckedWorkers(Workers):
    """One process beneath Ray's worker, for the devices that Ray handed out, and what its node lacks."""

    def __init__(self, timeout_seconds: float, devices: str, needs: Needs) -> None:
        super().__init__(1, timeout_seconds)
        self.made_for = timeout_seconds, devices, needs
        self.faults = lacking(needs)


_held: list[_CheckedWorkers] = []


def _workers_for(timeout_seconds: float, devices: str, needs: Needs) -> _CheckedWorkers:
    """Take the process of this worker's last video, or a new one when Ray has handed out other devices."""
    if _held and _held[0].made_for != (timeout_seconds, devices, needs):
        _held.pop().close()
    if not _held:
        _held.append(_CheckedWorkers(timeout_seconds, devices, needs))
    return _held[0]
