"""The driver of a Ray cluster, with a stand-in for Ray: which nodes get videos, and how replies become outcomes."""

import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from test.fake_ray import (
    FakeRay,
    GetTimeoutError,
    NodeDiedError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    install,
    node,
)
from x3d.dataset.annotations import Video
from x3d.errors import InputError, RunError
from x3d.execution import ray_cluster, ray_connection
from x3d.execution.outcome import Outcome
from x3d.execution.ray_cluster import RayWorkers
from x3d.execution.requirements import NodeRequirements

VIDEOS = [Video(number, f"{number}.mp4", f"/data/{number}.mp4", 0) for number in range(9)]
UNMET = NodeRequirements(paths=("/no/such/folder",))
LIMIT_SECONDS = 30
LEASE = "RAY_worker_lease_timeout_milliseconds"


def run_here(
    function: Any, limit: float, requirements: NodeRequirements, video: Video, size: int | None
) -> tuple[Any, str]:
    """Stand in for run_on_node: a node named bad... has a problem."""
    assert (function, limit, size) == (label, LIMIT_SECONDS, None)
    if FakeRay.current["NodeID"].startswith("bad"):
        return None, "no driver"
    return Outcome(video, function(video)), ""


def label(video: Video) -> int:
    return video.label


@contextmanager
def cluster(
    monkeypatch: pytest.MonkeyPatch, *nodes: Mapping[str, Any], resources: Mapping[str, float] | None = None
) -> Iterator[tuple[RayWorkers, FakeRay]]:
    """Connect to a FakeRay of these nodes."""
    ray = use(monkeypatch, FakeRay(*nodes))
    with RayWorkers("auto", LIMIT_SECONDS, resources or {"CPU": 1}, NodeRequirements()) as workers:
        ray.options.clear()
        yield workers, ray


def use(monkeypatch: pytest.MonkeyPatch, ray: FakeRay) -> FakeRay:
    """Let the driver use a FakeRay, and run videos here."""
    monkeypatch.setattr(ray_cluster, "run_on_node", run_here)
    return install(monkeypatch, ray)


def test_what_a_run_prepares_is_prepared_in_one_process_here(monkeypatch):
    use(monkeypatch, FakeRay(node("a")))
    with RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements(), os.getpid) as workers:
        assert workers.prepared(9) not in (None, os.getpid())


def test_videos_run_on_the_cluster_by_their_absolute_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with cluster(monkeypatch, node("a"), node("b")) as (workers, _):
        outcomes = list(workers.run(label, [*VIDEOS[:3], Video(3, "3.mp4", "3.mp4", 4)]))
    assert [outcome.value for outcome in outcomes] == [0, 0, 0, 4]
    assert outcomes[0].video == VIDEOS[0]
    assert outcomes[3].video.path == str(tmp_path / "3.mp4")


@pytest.mark.parametrize(
    ("nodes", "resources", "most"),
    [
        ([node("a")], {"CPU": 1}, 2),
        ([node("a", CPU=2), node("b", CPU=1.5)], {"CPU": 1}, 6),
        ([node("a", CPU=2), node("b", alive=False, CPU=9)], {"CPU": 1}, 4),
        ([node("a", CPU=8, NPU=1), node("b", CPU=9)], {"CPU": 1, "NPU": 0.5}, 4),
        ([node("a", CPU=1, NPU=8)], {"CPU": 1, "NPU": 1}, 2),
    ],
)
def test_two_tasks_are_under_way_for_each_that_the_nodes_have_room_for(nodes, resources, most, monkeypatch):
    with cluster(monkeypatch, *nodes, resources=resources) as (workers, ray):
        assert len(list(workers.run(label, VIDEOS))) == 9
    assert ray.most_running == most


def test_a_task_occupies_its_resources_and_may_be_restarted_on_another_node(monkeypatch):
    resources = {"CPU": 2, "GPU": 0.5, "NPU": 1}
    with cluster(monkeypatch, node("a", **resources), resources=resources) as (workers, ray):
        list(workers.run(label, VIDEOS[:1]))
    occupied = {"num_cpus": 2, "num_gpus": 0.5, "resources": {"NPU": 1}}
    assert ray.options == [{**occupied, "max_retries": 3, "label_selector": None}]


def test_a_task_without_cpus_and_gpus_in_its_resources_occupies_one_cpu(monkeypatch):
    with cluster(monkeypatch, node("a", NPU=1), resources={"NPU": 1}) as (workers, ray):
        list(workers.run(label, VIDEOS[:1]))
    assert (ray.options[0]["num_cpus"], ray.options[0]["num_gpus"]) == (1, 0)


def test_a_node_with_a_problem_is_excluded_logged_once_and_costs_no_video(monkeypatch, caplog):
    with cluster(monkeypatch, node("bad", CPU=2), node("bad2"), node("good")) as (workers, ray):
        outcomes = list(workers.run(label, VIDEOS))
    assert sorted(outcome.video.index for outcome in outcomes) == list(range(9))
    assert sorted(record.message for record in caplog.records if record.levelno == logging.ERROR) == [
        "node bad.local is excluded: no driver",
        "node bad2.local is excluded: no driver",
    ]
    selector = ray.options[-1]["label_selector"]["ray.io/node-id"]
    assert selector in ("!in(bad,bad2)", "!in(bad2,bad)")


def test_a_run_goes_on_while_no_task_ends(monkeypatch):
    with cluster(monkeypatch, node("a")) as (workers, ray):
        ray.num_silent = 5
        assert len(list(workers.run(label, VIDEOS))) == 9


def test_what_the_last_node_has_done_counts_when_it_is_gone(monkeypatch):
    with cluster(monkeypatch, node("a")) as (workers, ray):
        outcomes = workers.run(label, VIDEOS)
        assert next(outcomes).video.index == 0
        ray.living.clear()
        assert next(outcomes).video.index == 1
        with pytest.raises(RunError, match=r"^no node of auto is left"):
            next(outcomes)


def test_a_run_ends_when_every_node_is_excluded_or_dead(monkeypatch):
    with (
        cluster(monkeypatch, node("bad"), node("bad2")) as (workers, _),
        pytest.raises(RunError, match=r"^no node of auto is left that can do the work$"),
    ):
        list(workers.run(label, VIDEOS))


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (RayTaskError(ZeroDivisionError("by 0")), "internal_error", "/data/0.mp4: ZeroDivisionError('by 0')"),
        (NodeDiedError("The node died.\n\nIts log is\n"), "crashed", "/data/0.mp4: The node died"),
        (GetTimeoutError("x"), "crashed", "/data/0.mp4: its node does not answer within 10 s"),
    ],
)
def test_what_ray_raises_becomes_an_outcome(error, reason, text, monkeypatch):
    with cluster(monkeypatch, node("a")) as (workers, ray):
        ray.errors["a"] = error
        [outcome] = workers.run(label, VIDEOS[:1])
    assert outcome == Outcome(VIDEOS[0], reason=reason, text=text)


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (RayTaskError(OSError(errno.ENOSPC, "No space left on device")), OSError, "No space left on device"),
        (RuntimeEnvSetupError("no pip\nTraceback"), RunError, "^a node cannot set up this suite: no pip$"),
        (RayTaskError(TimeoutError(errno.ETIMEDOUT, "Connection timed out", "/nfs/a.mp4")), TimeoutError, "/nfs/a.mp4"),
        (RayTaskError(ConnectionResetError("of the mount")), ConnectionResetError, "^of the mount$"),
        (ConnectionError("broken pipe"), RunError, "^the cluster auto was lost: broken pipe; start it, and run"),
    ],
)
def test_an_error_that_meets_every_video_ends_the_run(error, raised, text, monkeypatch):
    with cluster(monkeypatch, node("a")) as (workers, ray):
        ray.errors["a"] = error
        with pytest.raises(raised, match=text):
            list(workers.run(label, VIDEOS))


def test_each_node_with_the_resources_is_checked_and_each_that_fails_is_named(monkeypatch):
    ray = use(monkeypatch, FakeRay(*map(node, "abcde"), node("small", CPU=0.5), node("dead", alive=False)))
    ray.errors["c"] = NodeDiedError("The node died.\nTraceback")
    ray.errors["d"] = GetTimeoutError()
    ray.errors["e"] = RayTaskError(OSError("No space left"))
    with pytest.raises(ValueError, match=r"node a\.local") as raised:
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, UNMET)
    assert str(raised.value) == (
        "node a.local: cannot find /no/such/folder; node b.local: cannot find /no/such/folder; node c.local: does "
        "not answer: The node died; node d.local: does not answer within 120 s; node e.local: fails: No space left. "
        "Data, model, output and versions must be the same on every node"
    )
    assert [options["num_cpus"] for options in ray.options] == [0] * 5
    assert all(0 < limit <= 120 for limit in ray.limits), "of all nodes together"
    assert ray.num_shutdowns == 1


def test_a_cluster_without_the_resources_is_an_error(monkeypatch):
    ray = use(monkeypatch, FakeRay(node("a", CPU=4)))
    text = r"^no node of auto has CPU 1 and NPU 0\.25 \(`ray status` shows the resources\)$"
    with pytest.raises(ValueError, match=text):
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1.0, "NPU": 0.25}, NodeRequirements())
    assert ray.num_shutdowns == 1


def test_the_cluster_is_left_at_the_end(monkeypatch):
    with cluster(monkeypatch, node("a")) as (_, ray):
        assert ray.num_shutdowns == 0
    assert ray.num_shutdowns == 1


def test_connecting_sends_this_package_and_keeps_the_handler_of_sigterm_and_stdout(monkeypatch, capsys):
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with cluster(monkeypatch, node("a")) as (_, ray):
            assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    print("result")
    assert capsys.readouterr() == ("result\n", "Ray's log\n")
    package = str(Path(ray_cluster.__file__).parent.parent)
    environment = {"py_modules": [package], "env_vars": {"PYTHONWARNINGS": "ignore"}}
    assert ray.init_options.pop("runtime_env") == environment
    assert ray.init_options == {"address": "auto", "log_to_driver": False, "logging_level": logging.ERROR}


def test_without_ray_the_installation_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"needs Ray: pip install -r requirements-ray\.txt"):
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_is_tried_before_ray_waits_for_it(scheme, monkeypatch):
    ray = use(monkeypatch, FakeRay(node("a")))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
        RayWorkers(address, LIMIT_SECONDS, {"CPU": 1}, NodeRequirements()).close()
        assert ray.init_options.pop("address") == address
    with pytest.raises(ValueError, match=f"^X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: .*refused"):
        RayWorkers(address, LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())
    assert "address" not in ray.init_options


def test_an_address_that_does_not_answer_is_given_up_after_three_seconds(monkeypatch):
    def wait(address: tuple[str, int], timeout: float) -> socket.socket:
        assert (address, timeout) == (("head", 6379), 3)
        raise TimeoutError("timed out")

    use(monkeypatch, FakeRay(node("a")))
    monkeypatch.setattr(socket, "create_connection", wait)
    with pytest.raises(ValueError, match=r"RAY_ADDRESS head:6379 cannot be reached: timed out$"):
        RayWorkers("head:6379", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())


@pytest.mark.parametrize(
    "address", ["127.0.0.1:http", "127.0.0.1:99999999", "127.0.0.1:0", "127.0.0.1", "127.0.0.1:", ":6379", "local"]
    + ["ray://127.0.0.1", "http://127.0.0.1:6379"]
)  # fmt: skip
def test_a_malformed_address_is_an_error_of_the_key(address, monkeypatch):
    use(monkeypatch, FakeRay(node("a")))
    text = "give auto, host:port or ray://host:port, such as 127.0.0.1:6379"
    with pytest.raises(ValueError, match=f"^X3D_WORKERS.RAY_ADDRESS is {address}; {text}$"):
        RayWorkers(address, LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())


def test_a_cluster_that_does_not_answer_is_an_error_within_the_limit(monkeypatch, capsys):
    ray = use(monkeypatch, FakeRay(node("a")))
    ended = threading.Event()
    monkeypatch.setattr(ray, "init", lambda **options: ended.wait(60))
    monkeypatch.setattr(ray_connection, "CONNECT_SECONDS", 0.1)
    with pytest.raises(ValueError, match=r"RAY_ADDRESS auto cannot be reached: no answer within 0\.1 s$"):
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())
    ended.set()
    print("result")
    assert capsys.readouterr().out == "result\n"


@pytest.mark.parametrize(("given", "kept"), [({}, "10000"), ({LEASE: "500"}, "500")])
def test_a_worker_is_leased_for_longer_than_a_video_unless_the_user_decides(given, kept, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(given))
    with cluster(monkeypatch, node("a")):
        assert os.environ[LEASE] == kept


def test_a_head_node_that_hangs_after_the_connection_is_an_error_of_the_key(monkeypatch):
    ray = use(monkeypatch, FakeRay(node("a")))
    ended = threading.Event()
    monkeypatch.setattr(ray, "nodes", lambda: ended.wait(60))
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.1)
    with pytest.raises(InputError, match=r"RAY_ADDRESS auto cannot be reached: no answer within 0\.1 s$"):
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())
    ended.set()
    assert ray.num_shutdowns == 1


def test_a_video_is_sent_with_the_size_of_its_file_here(monkeypatch, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"abc")
    sizes = []

    def run(function: Any, limit: float, requirements: NodeRequirements, video: Video, size: int | None) -> Any:
        sizes.append(size)
        return Outcome(video, 0), ""

    with cluster(monkeypatch, node("a")) as (workers, _):
        monkeypatch.setattr(ray_cluster, "run_on_node", run)
        monkeypatch.setattr(ray_cluster.pickle, "dumps", Call)
        monkeypatch.setattr(ray_cluster.pickle, "loads", lambda call: call.content)
        assert len(list(workers.run(label, [Video(0, "", str(tmp_path / "a.mp4"), 0), VIDEOS[1]]))) == 2
    assert sizes == [3, None]


class Call:
    """Stand-in for what pickle makes of a function that cannot be pickled."""

    def __init__(self, content: Any) -> None:
        self.content = content


def test_a_cluster_that_turns_the_driver_away_is_an_error_of_the_key(monkeypatch):
    def init(**options: Any) -> None:
        raise RayError("the token is missing.\n\nTo set it, ...")

    ray = use(monkeypatch, FakeRay(node("a")))
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ValueError, match=r"RAY_ADDRESS auto cannot be reached: the token is missing$"):
        RayWorkers("auto", LIMIT_SECONDS, {"CPU": 1}, NodeRequirements())


def test_a_cluster_whose_head_is_lost_ends_the_run_within_the_limit(monkeypatch):
    ended = threading.Event()
    with cluster(monkeypatch, node("a")) as (workers, ray):
        outcomes = workers.run(label, VIDEOS)
        next(outcomes)
        for name in ("nodes", "shutdown"):
            monkeypatch.setattr(ray, name, lambda: ended.wait(60))
        monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.1)
        monkeypatch.setattr(ray_connection, "LEAVE_SECONDS", 0.1)
        with pytest.raises(RunError, match=r"^the cluster auto was lost: no answer within 0\.1 s; start it"):
            list(outcomes)
    ended.set()
