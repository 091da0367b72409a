"""How the pool submits, retries and counts, with workers that are no processes."""

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution import process_pool
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers
from x3d.execution.worker import Event, Report, Task

VIDEOS = [Video(number, "", f"{number}.mp4", 0) for number in range(9)]
LIMIT_SECONDS = 30
RETURNED = Report(Event.RETURNED, "value")


class FakeWorker:
    """A worker whose reports are set by the test; one without reports is silent."""

    def __init__(self) -> None:
        self.connection = self
        self.tasks: deque[Task] = deque()
        self.reports: deque[Report] = deque()
        self.has_worked = False
        self.left = float("inf")
        self.kills = 0

    def submit(self, function: Callable[[Video], Any], task: Task) -> None:
        assert function is process_number
        self.tasks.append(task)

    def receive(self) -> Report:
        return self.reports.popleft()

    def seconds_left(self, timeout_seconds: float) -> float:
        assert timeout_seconds == LIMIT_SECONDS
        return self.left

    def kill(self) -> None:
        self.kills += 1


def process_number(video: Video) -> int:
    return os.getpid()


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Replace the workers by FakeWorker; return how long the pool waited each time, in seconds."""
    seconds: list[float] = []

    def wait(workers: Iterable[FakeWorker], limit: float) -> list[FakeWorker]:
        seconds.append(limit)
        return [worker for worker in workers if worker.reports]

    monkeypatch.setattr(process_pool, "Worker", FakeWorker)
    monkeypatch.setattr(process_pool, "connection", SimpleNamespace(wait=wait))
    return seconds


def pool_of(num_workers: int) -> Any:
    """Make a pool and start its workers."""
    pool: Any = Workers(num_workers, LIMIT_SECONDS)
    pool._start_workers(num_workers)
    return pool


def submitted(pool: Any, num_videos: int) -> tuple[list[list[int]], list[int]]:
    """Submit videos; return those of each worker, and those that still wait, by index."""
    waiting = deque(Task(video, 1) for video in VIDEOS[:num_videos])
    pool._submit(process_number, waiting)
    return [[task.video.index for task in worker.tasks] for worker in pool._workers], [t.video.index for t in waiting]


@pytest.mark.parametrize(
    ("num_videos", "queued", "waiting"),
    [
        (1, [[0], []], []),
        (2, [[0], [1]], []),
        (4, [[0], [1]], [2, 3]),
        (5, [[0, 2], [1]], [3, 4]),
        (6, [[0, 2], [1, 3]], [4, 5]),
        (8, [[0, 2], [1, 3]], [4, 5, 6, 7]),
    ],
)
def test_a_second_video_is_queued_only_while_more_wait_than_there_are_workers(num_videos, queued, waiting, waits):
    assert submitted(pool_of(2), num_videos) == (queued, waiting)


def test_a_full_worker_gets_no_third_video(waits):
    pool = pool_of(1)
    assert submitted(pool, 9) == ([[0, 1]], list(range(2, 9)))
    pool._submit(process_number, deque(Task(video, 1) for video in VIDEOS))
    assert len(pool._workers[0].tasks) == 2


def test_no_more_workers_start_than_videos_and_none_twice(waits):
    pool: Any = Workers(3, LIMIT_SECONDS)
    assert pool._workers == []
    for num_wanted, num_started in ((1, 1), (2, 2), (1, 2), (9, 3)):
        pool._start_workers(num_wanted)
        assert len(pool._workers) == num_started


def test_zero_workers_are_one_for_each_core(waits, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process_id: {0: {2, 5, 7}}[process_id])
    pool: Any = Workers(0, LIMIT_SECONDS)
    pool._start_workers(9)
    assert len(pool._workers) == 3


def test_the_resource_tracker_starts_before_any_worker(waits, monkeypatch):
    events = []
    tracker = SimpleNamespace(ensure_running=lambda: events.append("tracker"))
    monkeypatch.setattr(process_pool, "resource_tracker", tracker)
    monkeypatch.setattr(process_pool, "Worker", lambda: events.append("worker"))
    pool_of(2)
    assert events == ["tracker", "worker", "worker"]


@pytest.mark.parametrize(("left", "waited"), [([float("inf")] * 2, 60), ([70, 50], 50), ([3, -2], 0)])
def test_the_pool_waits_until_the_first_limit_and_a_minute_at_most(left, waited, waits):
    pool = pool_of(2)
    submitted(pool, 2)
    for worker, seconds in zip(pool._workers, left, strict=True):
        worker.left = seconds
    pool._collect(deque())
    assert waits == [waited]


@pytest.mark.parametrize("event", [Event.RETURNED, Event.RAISED])
def test_a_task_that_ends_leaves_its_worker_the_next_one(event, waits):
    pool = pool_of(1)
    submitted(pool, 3)
    pool._workers[0].reports.append(Report(event))
    waiting: deque[Task] = deque()
    assert pool._collect(waiting) == [(Task(VIDEOS[0], 1), Report(event))]
    assert [list(worker.tasks) for worker in pool._workers] == [[Task(VIDEOS[1], 1)]]
    assert not waiting


def test_a_start_ends_no_task(waits):
    pool = pool_of(1)
    submitted(pool, 3)
    pool._workers[0].reports.append(Report(Event.STARTED))
    assert pool._collect(deque()) == []
    assert len(pool._workers[0].tasks) == 2


@pytest.mark.parametrize("left", [0, -1])
def test_a_video_beyond_its_limit_costs_its_worker_and_no_queued_video(left, waits):
    pool = pool_of(2)
    submitted(pool, 9)
    lost, other = pool._workers
    lost.left = left
    waiting = deque([Task(VIDEOS[8], 1)])
    assert pool._collect(waiting) == [(Task(VIDEOS[0], 1), Report(Event.TIMED_OUT))]
    assert [task.video.index for task in waiting] == [2, 8]
    assert (pool._workers, lost.kills, other.kills) == ([other], 1, 0)


def test_a_value_that_arrives_with_the_limit_counts(waits):
    pool = pool_of(1)
    submitted(pool, 1)
    pool._workers[0].left = -1
    pool._workers[0].reports.append(RETURNED)
    assert pool._collect(deque()) == [(Task(VIDEOS[0], 1), RETURNED)]
    assert len(pool._workers) == 1


@pytest.mark.parametrize(("event", "ended", "requeued"), [(Event.DIED, [0], [1]), (Event.DIED_IDLE, [], [0, 1])])
def test_the_videos_of_a_worker_that_died_wait_first_and_in_order(event, ended, requeued, waits):
    pool = pool_of(1)
    submitted(pool, 3)
    worker = pool._workers[0]
    worker.reports.append(Report(event))
    waiting = deque([Task(VIDEOS[7], 1)])
    assert [task.video.index for task, _ in pool._collect(waiting)] == ended
    assert [task.video.index for task in waiting] == [*requeued, 7]
    assert (pool._workers, worker.kills) == ([], 1)


def test_one_start_more_than_two_for_each_worker_may_not_fail(waits):
    pool = pool_of(2)
    for _ in range(4):
        pool._count_failed_start(FakeWorker(), Report(Event.DIED_IDLE))
    with pytest.raises(RunError, match=r"^worker processes end before they do any work \(exit status 7\)$"):
        pool._count_failed_start(FakeWorker(), Report(Event.DIED_IDLE, exit_text="exit status 7"))


def test_only_workers_that_never_started_a_video_fail_to_start_and_a_start_clears_the_count(waits):
    pool = pool_of(1)
    used = FakeWorker()
    used.has_worked = True
    for _ in range(9):
        pool._count_failed_start(used, Report(Event.DIED_IDLE))
        pool._count_failed_start(FakeWorker(), Report(Event.DIED))
    for _ in range(3):
        for _ in range(2):
            pool._count_failed_start(FakeWorker(), Report(Event.DIED_IDLE))
        pool._count_failed_start(FakeWorker(), Report(Event.STARTED))


def test_each_run_counts_failed_starts_anew(waits, monkeypatch):
    class Failing(FakeWorker):
        def __init__(self) -> None:
            super().__init__()
            self.reports.append(Report(Event.DIED_IDLE))
            started.append(self)

    monkeypatch.setattr(process_pool, "Worker", Failing)
    pool = Workers(1, LIMIT_SECONDS)
    for _ in range(2):
        started: list[FakeWorker] = []
        with pytest.raises(RunError, match="worker processes end"):
            list(pool.run(process_number, VIDEOS))
        assert [worker.kills for worker in started] == [1, 1, 1]


def scripted(monkeypatch: pytest.MonkeyPatch, reports: dict[int, list[Report]]) -> list[int]:
    """Let workers report what is listed for each video's attempts, else RETURNED; return the videos submitted."""
    attempts: list[int] = []

    class Scripted(FakeWorker):
        def submit(self, function: Callable[[Video], Any], task: Task) -> None:
            super().submit(function, task)
            attempts.append(task.video.index)
            listed = reports.get(task.video.index, [])
            self.reports.append(listed[task.attempt - 1] if listed else RETURNED)

    monkeypatch.setattr(process_pool, "Worker", Scripted)
    return attempts


CRASH = Report(Event.DIED, exit_text="signal SIGSEGV")
ENGINE = Report(Event.RAISED, error=EngineError("out of memory"))


def test_a_video_is_tried_twice_where_the_worker_or_the_engine_failed(waits, monkeypatch, caplog):
    timed_out = Report(Event.TIMED_OUT)
    attempts = scripted(monkeypatch, {1: [CRASH, RETURNED], 2: [timed_out, timed_out], 3: [ENGINE, CRASH]})
    found = {outcome.video.index: outcome for outcome in Workers(1, LIMIT_SECONDS).run(process_number, VIDEOS[:5])}
    assert {index: outcome.value for index, outcome in found.items() if not outcome.reason} == dict.fromkeys(
        (0, 1, 4), "value"
    )
    assert found[2] == Outcome(VIDEOS[2], reason="timed_out", text="2.mp4: not done in 30 s")
    assert found[3].reason == "crashed"
    assert sorted(set(attempts)) == [0, 1, 2, 3, 4]
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "1.mp4: the worker process died (signal SIGSEGV); retrying once",
        "2.mp4: not done in 30 s; retrying once",
        "out of memory; retrying once",
    ]


def test_an_engine_that_fails_twice_ends_the_run(waits, monkeypatch):
    scripted(monkeypatch, {0: [ENGINE, ENGINE]})
    with pytest.raises(RunError, match="^out of memory$") as raised:
        list(Workers(1, LIMIT_SECONDS).run(process_number, VIDEOS))
    assert isinstance(raised.value.__cause__, EngineError)


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (VideoError("empty", "3.mp4"), "empty", "3.mp4: the file has no bytes"),
        (ZeroDivisionError("by 0"), "internal_error", "3.mp4: ZeroDivisionError('by 0')"),
        (OSError("no errno"), "internal_error", "3.mp4: OSError('no errno')"),
    ],
)
def test_an_error_of_the_function_is_not_retried(error, reason, text, waits, monkeypatch):
    attempts = scripted(monkeypatch, {3: [Report(Event.RAISED, error=error)]})
    [outcome] = Workers(1, LIMIT_SECONDS).run(process_number, VIDEOS[3:4])
    assert (outcome.reason, outcome.text, outcome.value) == (reason, text, None)
    assert attempts == [3]


def test_an_error_of_the_operating_system_ends_the_run(waits, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    scripted(monkeypatch, {0: [Report(Event.RAISED, error=full)]})
    with pytest.raises(OSError, match="No space left on device"):
        list(Workers(1, LIMIT_SECONDS).run(process_number, VIDEOS))


def test_an_internal_error_is_logged_with_its_traceback_for_debugging(waits, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, process_pool.logger.name)
    error = ZeroDivisionError("by 0")
    scripted(monkeypatch, {0: [Report(Event.RAISED, error=error)]})
    list(Workers(1, LIMIT_SECONDS).run(process_number, VIDEOS[:1]))
    [record] = caplog.records
    assert record.message == "0.mp4"
    assert record.exc_info
    assert record.exc_info[1] is error


def test_a_run_after_an_abandoned_one_replaces_its_busy_workers_and_keeps_the_idle_ones(waits, monkeypatch):
    scripted(monkeypatch, {})
    pool: Any = Workers(2, LIMIT_SECONDS)
    outcomes = pool.run(process_number, VIDEOS[:2])
    next(outcomes)
    busy, idle = pool._workers
    busy.tasks.append(Task(VIDEOS[8], 1))
    assert {outcome.video.index for outcome in pool.run(process_number, VIDEOS[:2])} == {0, 1}
    assert (busy.kills, idle.kills) == (1, 0)
    assert idle in pool._workers


def test_closing_kills_every_worker_once(waits):
    pool = pool_of(3)
    workers = list(pool._workers)
    with pool:
        pass
    assert [worker.kills for worker in workers] == [1, 1, 1]
    pool.close()
    assert [worker.kills for worker in workers] == [1, 1, 1]
