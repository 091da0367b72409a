"""A stand-in for Ray, to test its driver without a cluster."""

import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class RuntimeEnvSetupError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class GetTimeoutError(RayError, TimeoutError):
    pass


class Affinity:
    """Stand-in for NodeAffinitySchedulingStrategy."""

    def __init__(self, node_id: str, soft: bool) -> None:
        assert not soft
        self.node_id = node_id


class FakeRay:
    """Enough of Ray for a driver: tasks run when they are made, on the first living node that a selector allows.

    Attributes:
        errors: by node: what Ray raises instead of the reply of a task there.
        options: of each task, in order.
        num_silent: waits that end without a task.
        limits: of each reply fetched, in seconds.
        most_running: tasks made and not yet fetched, at most.
    """

    exceptions = SimpleNamespace(
        RayError=RayError,
        RayTaskError=RayTaskError,
        RuntimeEnvSetupError=RuntimeEnvSetupError,
        GetTimeoutError=GetTimeoutError,
    )
    util = SimpleNamespace(get_node_ip_address=lambda: FakeRay.current["NodeManagerAddress"])
    current: Mapping[str, Any] = {}

    def __init__(self, *nodes: Mapping[str, Any]) -> None:
        self.living = list(nodes)
        self.errors: dict[str, Exception] = {}
        self.options: list[dict[str, Any]] = []
        self.init_options: dict[str, Any] = {}
        self.limits: list[float] = []
        self.num_silent = self.num_shutdowns = self.num_waits = self.most_running = 0

    def init(self, **options: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("Ray's log")
        self.init_options = options

    def shutdown(self) -> None:
        self.num_shutdowns += 1

    def nodes(self) -> list[Mapping[str, Any]]:
        return self.living

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: FakeRay.current["NodeID"])

    def remote(self, max_calls: int) -> Any:
        assert max_calls == 0  # so that Ray keeps the processes
        return lambda function: SimpleNamespace(options=lambda **options: self._make(function, options))

    def _make(self, function: Any, options: dict[str, Any]) -> Any:
        def remote(pickled: bytes) -> Any:
            self.options.append(options)
            FakeRay.current = next(node for node in self.living if self._may_run(node, options))
            error = self.errors.get(FakeRay.current["NodeID"])
            return (error if error else function(pickled),) + (object(),)

        return SimpleNamespace(remote=remote)

    def _may_run(self, node: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
        strategy, selector = options.get("scheduling_strategy"), options.get("label_selector")
        if strategy:
            return node["NodeID"] == strategy.node_id
        excluded = selector["ray.io/node-id"].removeprefix("!in(").removesuffix(")").split(",") if selector else []
        return node["Alive"] and node["NodeID"] not in excluded

    def wait(self, refs: Sequence[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        self.num_waits += 1
        assert self.num_waits < 500, "the driver waits for what never comes"
        assert (num_returns, timeout) == (1, 1)
        self.most_running = max(self.most_running, len(refs))
        if self.num_waits <= self.num_silent:
            return [], list(refs)
        return list(refs[:1]), list(refs[1:])

    def get(self, ref: Any, timeout: float) -> Any:
        self.limits.append(timeout)
        if isinstance(ref[0], Exception):
            raise ref[0]
        return ref[0]


def node(name: str, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"NodeID": name, "NodeManagerAddress": f"{name}.local", "Alive": alive, "Resources": resources or {"CPU": 1}}


def install(monkeypatch: pytest.MonkeyPatch, ray: FakeRay) -> FakeRay:
    """Let `import ray` find a FakeRay."""
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=Affinity)
    for name, module in {"ray": ray, "ray.util": ray.util, "ray.util.scheduling_strategies": strategies}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return ray
