"""How the pool starts workers, submits to them and collects from them, with workers that are no processes."""

import errno
import re
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from test.fake_worker import LIMIT_SECONDS, VIDEOS, FakeWorker, index_of, install
from x3d.errors import EngineError, RunError
from x3d.execution import process_pool
from x3d.execution.process_pool import Workers
from x3d.execution.worker import Event, Report, Task

RETURNED = Report(Event.RETURNED, "value")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    return install(monkeypatch)


def pool_of(num_workers: int) -> Any:
    """Make a pool and start its workers."""
    pool: Any = Workers(num_workers, LIMIT_SECONDS)
    pool._start_workers(num_workers)
    return pool


def submitted(pool: Any, num_videos: int) -> tuple[list[int | None], list[int]]:
    """Submit videos; return that of each worker, and those that still wait, by index."""
    waiting = deque(Task(video, 1) for video in VIDEOS[:num_videos])
    pool._submit(index_of, waiting)
    return [running(worker) for worker in pool._workers], [task.video.index for task in waiting]


def running(worker: Any) -> int | None:
    return worker.task and worker.task.video.index


@pytest.mark.parametrize(
    ("num_videos", "given", "waiting"), [(1, [0, None], []), (2, [0, 1], []), (5, [0, 1], [2, 3, 4])]
)
def test_each_idle_worker_gets_one_video(num_videos, given, waiting, waits):
    assert submitted(pool_of(2), num_videos) == (given, waiting)


def test_a_busy_worker_gets_no_second_video(waits):
    pool = pool_of(1)
    submitted(pool, 1)
    waiting = deque([Task(VIDEOS[1], 1)])
    pool._submit(index_of, waiting)
    assert (running(pool._workers[0]), len(waiting)) == (0, 1)


def test_no_more_workers_start_than_videos_and_none_twice(waits):
    pool: Any = Workers(3, LIMIT_SECONDS)
    assert pool._workers == []
    for num_wanted, num_started in ((1, 1), (2, 2), (1, 2), (9, 3)):
        pool._start_workers(num_wanted)
        assert len(pool._workers) == num_started


def numbers(pool: Any) -> list[int]:
    return [worker.number for worker in pool._workers]


def test_a_worker_takes_the_number_of_that_it_replaces(waits):
    pool = pool_of(4)
    assert numbers(pool) == [0, 1, 2, 3]
    for number in (1, 3, 0):
        [lost] = [worker for worker in pool._workers if worker.number == number]
        pool._remove(lost)
    pool._start_workers(2)
    assert numbers(pool) == [2, 0]
    pool._start_workers(4)
    assert numbers(pool) == [2, 0, 1, 3]


def test_zero_workers_are_one_for_each_core(waits, monkeypatch):
    monkeypatch.setattr(process_pool, "count_cores", lambda: 3)
    pool: Any = Workers(0, LIMIT_SECONDS)
    pool._start_workers(9)
    assert len(pool._workers) == 3


def test_a_process_that_cannot_be_started_ends_the_run_with_the_cause(waits, monkeypatch):
    def refuse(number: int) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(process_pool, "Worker", refuse)
    with pytest.raises(RunError, match=r"started: Resource temporarily unavailable; the limit on processes"):
        pool_of(2)


def test_the_resource_tracker_starts_before_any_worker(waits, monkeypatch):
    events = []
    tracker = SimpleNamespace(ensure_running=lambda: events.append("tracker"))
    monkeypatch.setattr(process_pool, "resource_tracker", tracker)
    monkeypatch.setattr(process_pool, "Worker", lambda number: events.append("worker") or FakeWorker(number))
    pool_of(2)
    assert events == ["tracker", "worker", "worker"]


def prepare() -> str:
    return "ready"


def preparing(monkeypatch: pytest.MonkeyPatch, reports: list[Report]) -> Any:
    """Make a pool of two whose workers report one of `reports` each, in order of their starts, as they prepare."""

    class Preparing(FakeWorker):
        def prepare(self, function: Callable[[], Any]) -> None:
            super().prepare(function)
            assert function is prepare
            if reports:
                self.reports.append(reports.pop(0))

    monkeypatch.setattr(process_pool, "Worker", Preparing)
    return Workers(2, LIMIT_SECONDS, prepare)


def test_what_the_first_worker_prepared_is_returned_while_the_others_prepare(waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.PREPARED, "ready")])
    assert pool.prepared(9) == "ready"
    assert [worker.is_preparing for worker in pool._workers] == [False, True]
    assert pool.prepared(9) == "ready"
    assert len(waits) == 1
    assert submitted(pool, 3) == ([0, None], [1, 2])


def test_no_more_workers_prepare_than_there_are_videos(waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.PREPARED, "ready")])
    pool.prepared(1)
    assert len(pool._workers) == 1


def test_an_error_of_what_is_prepared_is_raised_as_it_is(waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.RAISED, error=EngineError("no such device"))])
    with pytest.raises(EngineError, match=r"^no such device$"):
        pool.prepared(9)


@pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt()])
def test_an_exit_as_a_worker_prepares_is_an_error_of_the_run(error, waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.RAISED, error=error)])
    with pytest.raises(RunError, match=rf"was ended as it started: {re.escape(repr(error))}"):
        pool.prepared(9)


def test_it_ends_a_run_that_has_started(waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.RAISED, error=EngineError("no memory on the device"))])
    with pytest.raises(RunError, match=r"^no memory on the device$"):
        list(pool.run(index_of, VIDEOS))


def test_an_engine_that_opened_once_is_opened_again_where_it_failed(waits, monkeypatch):
    ready, failed = Report(Event.PREPARED, "ready"), Report(Event.RAISED, error=EngineError("no memory on the device"))
    pool = preparing(monkeypatch, [ready, failed, ready])
    pool.prepared(9)
    pool._collect(deque())
    pool._start_workers(2)
    pool._collect(deque())
    assert [worker.is_preparing for worker in pool._workers] == [False, False]
    pool = preparing(monkeypatch, [ready, *[failed] * 9])
    pool.prepared(9)
    with pytest.raises(RunError, match=r"^worker processes end before they do any work \(no memory on the device\)$"):
        list(pool.run(index_of, VIDEOS))


def test_a_worker_whose_engine_never_opens_is_left_out_and_logged(waits, caplog):
    pool = pool_of(2)
    works, fails = pool._workers
    for attempt in range(1, 5):
        assert numbers(pool) == [0, 1], attempt
        pool._count_failed_start(works, Report(Event.STARTED))
        pool._count_failed_start(fails, Report(Event.DIED_IDLE, exit_text="no device 7"))
        pool._remove(pool._workers[1])
        pool._start_workers(2)
    assert numbers(pool) == [0]
    assert [record.getMessage() for record in caplog.records] == [
        f"worker 1 did not start, attempt {attempt} of 4: no device 7" for attempt in range(1, 5)
    ]


def test_a_run_without_videos_prepares_one_worker(waits, monkeypatch):
    pool = preparing(monkeypatch, [Report(Event.PREPARED, "ready")])
    assert pool.prepared(0) == "ready"
    assert len(pool._workers) == 1


def test_workers_that_end_while_they_prepare_are_started_again_and_then_end_the_run(waits, monkeypatch):
    died = Report(Event.DIED_IDLE, exit_text="signal SIGSEGV")
    pool = preparing(monkeypatch, [died, died, Report(Event.PREPARED, "ready")])
    assert pool.prepared(9) == "ready"
    pool = preparing(monkeypatch, [died] * 9)
    with pytest.raises(RunError, match=r"^worker processes end before they do any work \(signal SIGSEGV\)$"):
        pool.prepared(9)


def test_a_worker_that_prepares_for_too_long_is_replaced(waits, monkeypatch):
    pool = preparing(monkeypatch, [])
    pool._start_workers(2)
    slow, other = pool._workers
    slow.left = -1
    monkeypatch.setattr(slow, "expire", lambda: Report(Event.DIED_IDLE))
    pool._collect(deque())
    assert (pool._workers, slow.kills) == ([other], 1)


@pytest.mark.parametrize(
    ("left", "waited"), [([float("inf"), 80], 80), ([70, 50], 50), ([3, -2], 0), ([1e9, 1e9], 3600)]
)
def test_the_pool_waits_until_the_first_limit(left, waited, waits):
    pool = pool_of(2)
    submitted(pool, 2)
    for worker, seconds in zip(pool._workers, left, strict=True):
        worker.left = seconds
    pool._collect(deque())
    assert waits == [waited]


@pytest.mark.parametrize("event", [Event.RETURNED, Event.RAISED])
def test_a_task_that_ends_leaves_its_worker_idle(event, waits):
    pool = pool_of(1)
    submitted(pool, 1)
    pool._workers[0].reports.append(Report(event))
    waiting: deque[Task] = deque()
    assert pool._collect(waiting) == [(Task(VIDEOS[0], 1), Report(event))]
    assert [worker.task for worker in pool._workers] == [None]
    assert not waiting


def test_a_start_ends_no_task(waits):
    pool = pool_of(1)
    submitted(pool, 1)
    pool._workers[0].reports.append(Report(Event.STARTED))
    assert pool._collect(deque()) == []
    assert running(pool._workers[0]) == 0


@pytest.mark.parametrize("left", [0, -1])
def test_a_video_beyond_its_limit_costs_its_worker(left, waits):
    pool = pool_of(2)
    submitted(pool, 2)
    lost, other = pool._workers
    lost.left = left
    waiting = deque([Task(VIDEOS[8], 1)])
    assert pool._collect(waiting) == [(Task(VIDEOS[0], 1), Report(Event.TIMED_OUT))]
    assert [task.video.index for task in waiting] == [8]
    assert (pool._workers, lost.kills, other.kills) == ([other], 1, 0)


def test_a_video_with_half_a_second_left_runs_on(waits):
    pool = pool_of(1)
    submitted(pool, 1)
    pool._workers[0].left = 0.5
    assert pool._collect(deque()) == []
    assert running(pool._workers[0]) == 0


def test_a_silent_worker_does_not_hide_the_report_of_the_next(waits):
    pool = pool_of(3)
    submitted(pool, 3)
    for worker in pool._workers[1:]:
        worker.reports.append(RETURNED)
    assert [task.video.index for task, _ in pool._collect(deque())] == [1, 2]


def test_a_value_that_arrives_with_the_limit_counts(waits):
    pool = pool_of(1)
    submitted(pool, 1)
    pool._workers[0].left = -1
    pool._workers[0].reports.append(RETURNED)
    assert pool._collect(deque()) == [(Task(VIDEOS[0], 1), RETURNED)]
    assert len(pool._workers) == 1


@pytest.mark.parametrize(("event", "ended", "requeued"), [(Event.DIED, [0], []), (Event.DIED_IDLE, [], [0])])
def test_a_video_that_did_not_start_in_a_worker_that_died_waits_first(event, ended, requeued, waits):
    pool = pool_of(1)
    submitted(pool, 1)
    worker = pool._workers[0]
    worker.reports.append(Report(event))
    waiting = deque([Task(VIDEOS[7], 1)])
    assert [task.video.index for task, _ in pool._collect(waiting)] == ended
    assert [task.video.index for task in waiting] == [*requeued, 7]
    assert (pool._workers, worker.kills) == ([], 1)


def test_the_fourth_start_in_a_row_that_fails_ends_the_run(waits):
    pool = pool_of(9)
    for _ in range(3):
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
        for _ in range(3):
            pool._count_failed_start(FakeWorker(), Report(Event.DIED_IDLE))
        pool._count_failed_start(FakeWorker(), Report(Event.STARTED))
    assert pool._num_failed_starts == 0


def test_each_run_counts_failed_starts_anew(waits, monkeypatch):
    class Failing(FakeWorker):
        def __init__(self, number: int) -> None:
            super().__init__(number)
            self.reports.append(Report(Event.DIED_IDLE))
            started.append(self)

    monkeypatch.setattr(process_pool, "Worker", Failing)
    pool = Workers(1, LIMIT_SECONDS)
    for _ in range(2):
        started: list[FakeWorker] = []
        with pytest.raises(RunError, match="worker processes end"):
            list(pool.run(index_of, VIDEOS))
        assert [worker.kills for worker in started] == [1, 1, 1, 0]


def test_closing_kills_every_worker_once(waits):
    pool = pool_of(3)
    workers = list(pool._workers)
    with pool:
        pass
    assert [worker.kills for worker in workers] == [1, 1, 1]
    pool.close()
    assert [worker.kills for worker in workers] == [1, 1, 1]
