"""Run a function over videos on a Ray cluster: each video is a task, retried if its node dies.

A living node is too small (without the resources of a task), suitable, or excluded: it reported an unmet requirement or
an engine that fails. Excluded nodes get no more tasks; each is logged once.
"""

import contextlib
import dataclasses
import logging
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

from x3d.dataset.annotations import Video
from x3d.errors import InputError, RunError, ScoringError, cause_of, describe_os_error
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers
from x3d.execution.ray_connection import call_within, connect, leave
from x3d.execution.ray_node import NodeReply, check_node, find_size, make_task, run_on_node
from x3d.execution.requirements import NodeRequirements

logger = logging.getLogger(__name__)

QUEUED_PER_TASK = 2
"""Tasks submitted for each that the nodes have resources for, so that none becomes idle."""
NODE_RETRIES = 3
"""Times Ray restarts a task whose node dies."""
ANSWER_SECONDS, CHECK_SECONDS = 10, 120
"""Limits for an answer of the head node or for a reply that is ready, and for all nodes to check the requirements."""
NODE_ID_LABEL = "ray.io/node-id"

T = TypeVar("T")


class RayWorkers:
    """A Ray cluster, restricted to nodes with the required resources and software, with the contract of Workers."""

    def __init__(
        self,
        address: str,
        timeout_seconds: float,
        resources: Mapping[str, float],
        requirements: NodeRequirements,
        prepare: Callable[[], Any] | None = None,
    ) -> None:
        """Connect, and check that each node with the resources of a task meets the requirements.

        Args:
            address: auto, host:port or ray://host:port.
            timeout_seconds: limit for one video.
            resources: what a task occupies, by Ray's names: CPU, GPU, NPU.
            requirements: a node that does not meet them is an error; one that joins later is excluded.
            prepare: called in a process here, by `prepared`.
        Raises:
            InputError: Ray is not installed, the cluster cannot be reached, no node has the resources, or a node does
                not meet the requirements; the text names it.
        """
        self._address, self._timeout_seconds = address, timeout_seconds
        self._resources, self._requirements, self._prepare = resources, requirements, prepare
        self._excluded: set[str] = set()
        self._on_close = contextlib.ExitStack()
        self._on_close.enter_context(contextlib.redirect_stdout(sys.stderr))  # Ray prints to it what a node reports
        try:
            self._ray = connect(address)
            self._on_close.callback(leave, self._ray)
            self._remote = self._ray.remote(max_calls=0)(make_task())
            self._check_nodes()
        except (ConnectionError, TimeoutError) as error:
            self.close()
            text = describe_os_error(error)
            raise InputError(f"X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: {text}") from error
        except BaseException:
            self.close()
            raise

    def prepared(self, num_videos: int) -> Any:
        """Return what `prepare` returns in a process of this host, as x3d.execution.process_pool.Workers does."""
        with Workers(1, self._timeout_seconds, self._prepare) as workers:
            return workers.prepared(num_videos)

    def run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        """Run a function on every video, as x3d.execution.process_pool.Workers.run does.

        The number of submitted tasks is limited by the nodes' resources, so that none pile up here.

        Raises:
            OSError: from the function, such as a full disk.
            RunError: no usable node remains, one cannot set up this suite, or the cluster is lost.
        """
        try:
            yield from self._run(function, videos)
        except (ConnectionError, TimeoutError) as error:
            if isinstance(error.__cause__, self._ray.exceptions.RayTaskError):
                raise  # the function's, such as one of a network file system
            lost = f"the cluster {self._address} was lost: {describe_os_error(error)}"
            raise RunError(f"{lost}; start it, and run the same command to resume") from error

    def close(self) -> None:
        """Disconnect from the cluster; tasks of this process that still run there end."""
        self._on_close.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, function: Callable[[Video], T], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
        waiting = deque(dataclasses.replace(video, path=os.path.abspath(video.path)) for video in videos)
        running: dict[Any, Video] = {}
        while waiting or running:
            capacity = sum(_capacity(node, self._resources) for node in self._suitable_nodes())
            while waiting and len(running) < QUEUED_PER_TASK * capacity:
                video = waiting.popleft()
                call = run_on_node, (function, self._timeout_seconds, self._requirements, video, find_size(video.path))
                running[self._task().remote(pickle.dumps(call))] = video
            ready = self._ray.wait(list(running), num_returns=1, timeout=1)[0] if running else []
            if not ready and not capacity:
                raise RunError(f"no node of {self._address} is left that can do the work")
            for ref in ready:
                video = running.pop(ref)
                reply = self._reply(ref, video)
                if reply.outcome:
                    yield reply.outcome
                else:
                    waiting.append(video)
                    self._exclude(reply)

    def _exclude(self, reply: NodeReply) -> None:
        if reply.node_id not in self._excluded:
            self._excluded.add(reply.node_id)
            logger.error("node %s is excluded: %s", reply.address, reply.problem)

    def _task(self) -> Any:
        """Make the task that Ray runs, on any node but the excluded ones."""
        others = {name: amount for name, amount in self._resources.items() if name not in ("CPU", "GPU")}
        return self._remote.options(
            num_cpus=self._resources.get("CPU", 1),
            num_gpus=self._resources.get("GPU", 0),
            resources=others,
            max_retries=NODE_RETRIES,
            label_selector={NODE_ID_LABEL: f"!in({','.join(self._excluded)})"} if self._excluded else None,
        )

    def _suitable_nodes(self) -> list[Mapping[str, Any]]:
        """List the living nodes that have the resources of a task and are not excluded."""
        return [
            node
            for node in call_within(ANSWER_SECONDS, self._ray.nodes)
            if node["Alive"] and node["NodeID"] not in self._excluded and _capacity(node, self._resources)
        ]

    def _check_nodes(self) -> None:
        """Query the unmet requirements of all suitable nodes in parallel.

        Raises:
            InputError: no node is suitable, or one has unmet requirements.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = self._suitable_nodes()
        if not nodes:
            required = " and ".join(f"{name} {amount:g}" for name, amount in self._resources.items())
            raise InputError(f"no node of {self._address} has {required} (`ray status` shows the resources)")
        call = pickle.dumps((check_node, (self._requirements,)))
        asked = []
        for node in nodes:
            affinity = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ref = self._remote.options(num_cpus=0, scheduling_strategy=affinity).remote(call)
            asked.append((node["NodeManagerAddress"], ref))
        until = time.monotonic() + CHECK_SECONDS
        problems = [f"node {name}: {problem}" for name, ref in asked if (problem := self._check_result(ref, until))]
        if problems:
            advice = "Data, model, output and versions must be the same on every node"
            raise InputError("; ".join(problems) + ". " + advice)

    def _check_result(self, ref: Any, until: float) -> str:
        try:
            return NodeReply(*self._ray.get(ref, timeout=max(0, until - time.monotonic()))).problem
        except self._ray.exceptions.GetTimeoutError:
            return f"does not answer within {CHECK_SECONDS} s"
        except self._ray.exceptions.RayTaskError as error:
            return f"fails: {cause_of(error.cause)}"
        except self._ray.exceptions.RayError as error:
            return f"does not answer: {cause_of(error)}"

    def _reply(self, ref: Any, video: Video) -> NodeReply:
        """Fetch a task's reply; what Ray raises instead of one becomes an outcome or the end of the run."""
        try:
            return NodeReply(*self._ray.get(ref, timeout=ANSWER_SECONDS))
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OSError | ScoringError):
                raise error.cause from error
            outcome = Outcome[Any](video, reason="internal_error", text=f"{video.path}: {error.cause!r}")
        except self._ray.exceptions.RuntimeEnvSetupError as error:
            raise RunError(f"a node cannot set up this suite: {cause_of(error)}") from error
        except self._ray.exceptions.GetTimeoutError:
            text = f"{video.path}: its node does not answer within {ANSWER_SECONDS} s"
            outcome = Outcome(video, reason="crashed", text=text)
        except self._ray.exceptions.RayError as error:
            outcome = Outcome(video, reason="crashed", text=f"{video.path}: {cause_of(error)}")
        return NodeReply("", "", outcome, "")


def _capacity(node: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    """Count the tasks that a node has resources for."""
    return int(min(node["Resources"].get(name, 0) / amount for name, amount in resources.items()))
