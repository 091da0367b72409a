"""One worker: what its process reports over a real pipe, and what its parent makes of it."""

import ctypes
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, VideoError
from x3d.execution import worker as worker_module
from x3d.execution.process_pool import Workers
from x3d.execution.worker import SPAWN, Event, Report, Task, Worker, serve, worker_number

VIDEO = Video(5, "a.mp4", "/data/a.mp4", 7)
PR_GET_PDEATHSIG = 2


class FakeProcess:
    """A process that runs nothing: it holds its end of the pipe, and its exit status is set by the test."""

    def __init__(self, target: Callable[[Connection, int], None], args: tuple[Connection, int], daemon: bool) -> None:
        self.target, (self._given, self.number), self.daemon = target, args, daemon
        self.exitcode: int | None = None
        self.ended: list[str] = []

    def start(self) -> None:
        self.connection = Connection(os.dup(self._given.fileno()))

    def kill(self) -> None:
        self.ended.append("killed")
        self.connection.close()

    def join(self, seconds: float) -> None:
        self.ended.append("joined")


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """The time that workers read, in seconds."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(worker_module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.fixture
def worker(monkeypatch) -> Iterator[Any]:
    """A worker whose process is a FakeProcess."""
    monkeypatch.setattr(worker_module, "SPAWN", SimpleNamespace(Pipe=SPAWN.Pipe, Process=FakeProcess))
    made = Worker(2)
    yield made
    made.kill()


@pytest.fixture
def served(worker, monkeypatch) -> Iterator[Any]:
    """A worker whose process is a thread that serves."""
    monkeypatch.setattr(worker_module, "_tie_to_parent", lambda: None)
    monkeypatch.setattr(worker_module, "_number", 0)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: SimpleNamespace(pid=os.getppid()))
    thread = threading.Thread(target=serve, args=(worker._process.connection, worker._process.number))
    thread.start()
    yield worker
    worker.connection.close()
    thread.join(60)
    assert not thread.is_alive(), "the loop does not end when the parent closes the pipe"


def label(video: Video) -> int:
    return video.label


def fail(video: Video) -> None:
    raise VideoError("damaged", video.path, "for a test")


class UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fail_unpicklably(video: Video) -> None:
    raise UnpicklableError("not ", "pickled")


def return_a_lambda(video: Video) -> Callable[[], None]:
    return lambda: None


def end_the_process(video: Video) -> None:
    raise SystemExit(3)


def run(worker: Worker, function: Callable[[Video], Any]) -> Any:
    """Run a function on VIDEO in a served worker; return the report that ends it."""
    worker.submit(function, Task(VIDEO, 1))
    assert worker.receive().event is Event.STARTED
    return worker.receive()


def test_each_video_is_reported_as_started_and_then_with_its_value(served):
    for _ in range(2):
        report = run(served, label)
        assert (report.event, report.value, report.error) == (Event.RETURNED, 7, None)


def number_of_process(video: Video) -> int:
    return worker_number()


def test_a_process_knows_its_number_and_others_have_none(served):
    assert served.number == 2
    assert run(served, number_of_process).value == 2


def test_a_process_that_is_no_worker_has_the_number_0():
    assert worker_number() == 0


def describe_modules() -> str:
    return "ready"


def refuse_to_prepare() -> None:
    raise EngineError("no such device")


def test_what_is_prepared_is_reported_without_a_start_and_videos_follow(served, clock):
    served.prepare(describe_modules)
    assert served.is_preparing
    clock.seconds += 10
    assert served.seconds_left(30) == 30 + worker_module.START_SECONDS - 10
    report = served.receive()
    assert (report.event, report.value, served.is_preparing) == (Event.PREPARED, "ready", False)
    assert not served.has_worked
    assert served.seconds_left(30) == float("inf")
    assert run(served, label).value == 7


def test_an_error_of_what_is_prepared_is_reported(served):
    served.prepare(refuse_to_prepare)
    report = served.receive()
    assert (report.event, str(report.error), served.task) == (Event.RAISED, "no such device", None)


def test_an_error_is_reported_with_its_traceback_and_the_worker_serves_on(served):
    report = run(served, fail)
    assert (report.event, report.value) == (Event.RAISED, None)
    assert isinstance(report.error, VideoError)
    assert report.error.reason == "damaged"
    assert "in fail\n" in report.error.__notes__[0]
    assert run(served, label).value == 7


def test_an_error_that_cannot_be_pickled_is_reported_by_its_representation(served):
    report = run(served, fail_unpicklably)
    assert report.event is Event.RAISED
    assert type(report.error) is RuntimeError
    assert str(report.error) == "UnpicklableError('not pickled')"


def test_a_value_that_cannot_be_pickled_is_an_error(served):
    report = run(served, return_a_lambda)
    assert report.event is Event.RAISED
    assert "return_a_lambda" in str(report.error)


def test_an_exit_of_the_function_is_an_error_not_the_end_of_the_worker(served):
    report = run(served, end_the_process)
    assert report.event is Event.RAISED
    assert isinstance(report.error, SystemExit)
    assert run(served, label).value == 7


def test_a_request_that_cannot_be_unpickled_is_an_error_without_a_start(served):
    served.connection.send_bytes(b"no pickle")
    report = served.receive()
    assert report.event is Event.RAISED
    assert "UnpicklingError" in report.error.__notes__[0]


def test_a_report_has_nothing_that_was_not_given():
    assert Report(Event.STARTED) == Report(Event.STARTED, value=None, error=None, exit_text="")


@pytest.mark.parametrize("parent", [None, SimpleNamespace(pid=-1)])
def test_a_process_whose_parent_has_died_serves_nothing(parent, worker, monkeypatch):
    monkeypatch.setattr(worker_module, "_tie_to_parent", lambda: None)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: parent)
    worker.submit(label, Task(VIDEO, 1))
    serve(worker._process.connection, 0)
    assert not worker.connection.poll()


def test_a_process_is_started_that_ends_with_its_parent_and_serves(worker):
    assert worker._process.target is serve
    assert worker._process.daemon
    assert worker.task is None
    assert not worker.has_worked


def test_a_video_has_a_limit_to_start_and_then_its_time_limit(served, clock):
    assert served.seconds_left(30) == float("inf")
    served.submit(label, Task(VIDEO, 1))
    clock.seconds += 10
    assert served.seconds_left(30) == 30 + worker_module.START_SECONDS - 10
    assert served.expire().event is Event.DIED_IDLE
    assert served.expire().exit_text == "not ready within X3D_WORKERS.TIMEOUT and 30 s"
    served.receive()
    assert served.has_worked
    clock.seconds += 12
    assert served.seconds_left(30) == 18
    assert served.expire() == Report(Event.TIMED_OUT)
    clock.seconds += 20
    assert served.seconds_left(30) == -2
    served.receive()
    served.task = None
    assert served.seconds_left(30) == float("inf")
    assert served.has_worked


class FailsToLoad:
    def __reduce__(self) -> Any:
        return int, ("no number",)


def test_a_report_that_cannot_be_unpickled_is_an_error_of_its_video(served):
    served._process.connection.send_bytes(pickle.dumps(Report(Event.RETURNED, value=FailsToLoad())))
    report = served.receive()
    assert report.event is Event.RAISED
    assert "its report cannot be read: ValueError" in str(report.error)


@pytest.mark.parametrize(
    ("status", "text"),
    [(-signal.SIGSEGV, "signal SIGSEGV"), (-1, "signal SIGHUP"), (3, "exit status 3"), (0, "exit status 0")],
)
def test_the_end_of_an_idle_process_is_reported_with_its_status(status, text, worker):
    worker._process.exitcode = status
    worker._process.connection.close()
    report = worker.receive()
    assert (report.event, report.exit_text) == (Event.DIED_IDLE, text)
    assert worker._process.ended == ["joined", "killed", "joined"]
    assert worker.connection.closed


def test_the_end_of_a_process_that_runs_a_video_is_another_event(served):
    served.submit(label, Task(VIDEO, 1))
    assert served.receive().event is Event.STARTED
    served.connection.recv()  # its value is lost
    served._process.exitcode = 9
    served.connection.close()
    report = served.receive()
    assert (report.event, report.exit_text) == (Event.DIED, "exit status 9")


def test_a_task_for_a_process_that_has_ended_is_kept_until_its_end_is_received(worker):
    worker._process.connection.close()
    worker.submit(label, Task(VIDEO, 2))
    assert worker.task == Task(VIDEO, 2)
    assert worker.receive().event is Event.DIED_IDLE


def describe_process(video: Video) -> tuple[Any, ...]:
    import cv2

    death_signal = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(death_signal))
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    blocked = {signal.SIGINT, signal.SIGTERM} & set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    return handlers, blocked, death_signal.value, cv2.getNumThreads()


def test_a_process_ignores_ctrl_c_and_ends_on_sigterm_and_with_its_parent():
    with Workers(1, timeout_seconds=60) as workers:
        [outcome] = workers.run(describe_process, [VIDEO])
    assert outcome.value == ((signal.SIG_IGN, signal.SIG_DFL), set(), signal.SIGKILL, 1), outcome.text
