"""Run functions on a node of a Ray cluster, within a Ray worker.

A video runs in a process of its own, as without a cluster, so that crashes, hangs and the time limit are handled in the
same way.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from x3d.dataset.annotations import Video
from x3d.errors import RunError, ScoringError, counted
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers
from x3d.execution.requirements import NodeRequirements

T = TypeVar("T")


class NodeReply(NamedTuple):
    """The answer of a node to any task: an outcome, or the problem for which the node cannot do the work.

    Both are empty when a node that was asked only for its requirements meets them.
    """

    node_id: str
    address: str
    outcome: Outcome[Any] | None
    problem: str


def make_task() -> Callable[[bytes], tuple[str, str, Outcome[Any] | None, str]]:
    """Make the function that Ray sends to a node.

    It imports nothing of this suite, so that a node that cannot import it can reply; the reply is a NodeReply's fields.
    """

    def call(pickled: bytes) -> tuple[str, str, Any, str]:
        import pickle

        import ray

        node_id: str = ray.get_runtime_context().get_node_id()
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call, unused-ignore]
        try:
            function, arguments = pickle.loads(pickled)
        except ImportError as error:
            return node_id, address, None, f"cannot import a required package: {error}"
        return node_id, address, *function(*arguments)

    return call


def check_node(requirements: NodeRequirements) -> tuple[None, str]:
    """On a node: report its unmet requirements as a NodeReply's outcome and problem."""
    return None, ", ".join(requirements.unmet())


def find_size(path: str) -> int | None:
    """Return the number of bytes of a file, None if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def run_on_node(
    function: Callable[[Video], T],
    timeout_seconds: float,
    requirements: NodeRequirements,
    video: Video,
    size: int | None,
) -> tuple[Outcome[T] | None, str]:
    """On a node: run a function on one video and report a NodeReply's outcome and problem.

    Args:
        size: of the video's file where the run was started; a video of another size fails.
    """
    import ray

    devices = repr(ray.get_runtime_context().get_accelerator_ids())
    workers = _node_workers(timeout_seconds, devices, requirements)
    if workers.problem:
        return None, workers.problem
    found = find_size(video.path)
    if found != size:
        here, there = ("no file" if number is None else counted(number, "byte") for number in (found, size))
        text = f"{video.path}: {here} on node {ray.util.get_node_ip_address()}, {there} where the run was started"  # type: ignore[no-untyped-call, unused-ignore]
        return Outcome(video, reason="changed", text=f"{text}; copy the video, and run the same command again"), ""
    try:
        [outcome] = workers.run(function, [video])
    except ScoringError:
        raise  # of the model, whatever the node
    except (ImportError, RunError) as error:
        return None, str(error)
    return outcome, ""


class _NodeWorkers(Workers):
    """A pool of one process in a Ray worker, for the devices that Ray assigned, with the node's unmet requirements."""

    def __init__(self, timeout_seconds: float, devices: str, requirements: NodeRequirements) -> None:
        super().__init__(1, timeout_seconds)
        self.key = timeout_seconds, devices, requirements
        self.problem = ", ".join(requirements.unmet())

    def _start_workers(self, num_wanted: int) -> None:
        with _without_main_module():
            super()._start_workers(num_wanted)


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Hide the main module from processes that start: they would import Ray's, which takes 0.3 s and 35 MB."""
    main = vars(sys.modules["__main__"])
    path = main.pop("__file__", None)
    try:
        yield
    finally:
        if path is not None:
            main["__file__"] = path


_cached: list[_NodeWorkers] = []


def _node_workers(timeout_seconds: float, devices: str, requirements: NodeRequirements) -> _NodeWorkers:
    """Return the process of this Ray worker's last video, or replace it when Ray has assigned other devices."""
    if _cached and _cached[0].key != (timeout_seconds, devices, requirements):
        _cached.pop().close()
    if not _cached:
        _cached.append(_NodeWorkers(timeout_seconds, devices, requirements))
    return _cached[0]
