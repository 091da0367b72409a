"""What a node replies, without a cluster."""

import pickle
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import RunError
from x3d.execution import ray_node
from x3d.execution.outcome import Outcome
from x3d.execution.ray_node import NodeReply, check_node, make_task, run_on_node
from x3d.execution.requirements import NodeRequirements

VIDEO = Video(0, "", "a.mp4", 0)
UNMET = NodeRequirements(paths=("/no/such/folder", "/nor/this"))


@pytest.fixture
def devices(monkeypatch) -> dict[str, list[str]]:
    """A stand-in for Ray on a node; return the devices it assigns."""
    assigned = {"GPU": ["0"]}
    context = SimpleNamespace(get_node_id=lambda: "n1", get_accelerator_ids=lambda: assigned)
    ray = SimpleNamespace(
        get_runtime_context=lambda: context, util=SimpleNamespace(get_node_ip_address=lambda: "10.0.0.1")
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    return assigned


@pytest.fixture(autouse=True)
def no_process_is_kept() -> Iterator[None]:
    yield
    while ray_node._cached:
        ray_node._cached.pop().close()


def index_of(video: Video) -> int:
    return video.index


def test_a_task_calls_a_function_and_replies_with_the_identity_of_the_node(devices):
    reply = NodeReply(*make_task()(pickle.dumps((check_node, (UNMET,)))))
    problem = "cannot find /no/such/folder, cannot find /nor/this"
    assert reply == NodeReply(node_id="n1", address="10.0.0.1", outcome=None, problem=problem)


def test_a_node_that_meets_the_requirements_replies_without_a_problem():
    assert check_node(NodeRequirements()) == (None, "")


def test_a_node_that_cannot_import_the_function_replies_with_the_problem(devices):
    call = pickle.dumps((check_node, (UNMET,))).replace(b"x3d.execution.ray_node", b"x3d.execution.ray_lost")
    reply = NodeReply(*make_task()(call))
    assert (reply.node_id, reply.address, reply.outcome) == ("n1", "10.0.0.1", None)
    assert reply.problem == "cannot import a required package: No module named 'x3d.execution.ray_lost'"


@pytest.fixture
def runs(monkeypatch) -> list[Any]:
    """Replace what runs in a process; return the functions, limits and videos that ran."""
    ran: list[Any] = []

    def run(self: Any, function: Callable[[Video], Any], videos: list[Video]) -> list[Outcome[Any]]:
        ran.append((function, self._num_workers, self._timeout_seconds, videos))
        if videos[0].label:
            raise {1: RunError("no driver"), 2: ImportError("no cv2")}[videos[0].label]
        return [Outcome(videos[0], 3)]

    monkeypatch.setattr(ray_node._NodeWorkers, "run", run)
    return ran


def test_a_video_runs_in_one_process_with_the_limit_of_the_run(devices, runs):
    assert run_on_node(index_of, 30, NodeRequirements(), VIDEO, None) == (Outcome(VIDEO, 3), "")
    assert runs == [(index_of, 1, 30, [VIDEO])]


def test_a_node_that_does_not_meet_the_requirements_runs_nothing(devices, runs):
    problem = "cannot find /no/such/folder, cannot find /nor/this"
    assert run_on_node(index_of, 30, UNMET, VIDEO, None) == (None, problem)
    assert runs == []


def test_an_engine_that_fails_is_a_problem_of_the_node(devices, runs):
    for label, problem in ((1, "no driver"), (2, "no cv2")):
        video = Video(0, "", "a.mp4", label)
        assert run_on_node(index_of, 30, NodeRequirements(), video, None) == (None, problem)


def test_a_process_is_kept_until_devices_limit_or_requirements_change(devices, runs, monkeypatch):
    closed = []
    monkeypatch.setattr(ray_node._NodeWorkers, "close", lambda self: closed.append(self))  # noqa: PLW0108 (it becomes a method)

    def workers_of(limit: float, requirements: NodeRequirements) -> Any:
        run_on_node(index_of, limit, requirements, VIDEO, None)
        [kept] = ray_node._cached
        return kept

    kept = [workers_of(30, NodeRequirements()), workers_of(30, NodeRequirements())]
    assert kept[0] is kept[1]
    assert not closed
    devices["GPU"] = ["1"]
    kept.append(workers_of(30, NodeRequirements()))
    kept.append(workers_of(31, NodeRequirements()))
    kept.append(workers_of(31, UNMET))
    assert closed == kept[1:4]
    assert len(set(map(id, kept))) == 4


def test_the_process_of_a_node_does_not_import_the_main_module(devices, monkeypatch, tmp_path):
    main = tmp_path / "main.py"
    main.write_text("raise SystemExit")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(main), raising=False)
    assert run_on_node(index_of, 30, NodeRequirements(), VIDEO, None) == (Outcome(VIDEO, 0), "")
    assert sys.modules["__main__"].__file__ == str(main)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (4, "3 bytes on node 10.0.0.1, 4 bytes where the run was started"),
        (None, "3 bytes on node 10.0.0.1, no file where the run was started"),
    ],
)
def test_a_video_of_another_size_than_where_the_run_was_started_fails(size, text, devices, runs, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"abc")
    video = Video(0, "", str(path), 0)
    outcome, problem = run_on_node(index_of, 30, NodeRequirements(), video, size)
    assert outcome == Outcome(
        video, reason="changed", text=f"{path}: {text}; copy the video, and run the same command again"
    )
    assert (problem, runs) == ("", [])
    assert run_on_node(index_of, 30, NodeRequirements(), video, 3)[0] == Outcome(video, 3)
    path.unlink()
    missing, _ = run_on_node(index_of, 30, NodeRequirements(), video, 3)
    assert missing is not None
    assert missing.text.startswith(f"{path}: no file on node 10.0.0.1, 3 bytes where")
