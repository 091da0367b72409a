"""How the pool retries, and what ends a run, with workers that are no processes."""

import errno
import logging
from collections.abc import Callable
from typing import Any

import pytest

from test.fake_worker import LIMIT_SECONDS, VIDEOS, FakeWorker, index_of, install
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution import process_pool
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import Workers
from x3d.execution.worker import Event, Report, Task

RETURNED = Report(Event.RETURNED, "value")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    return install(monkeypatch)


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
    found = {outcome.video.index: outcome for outcome in Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS[:5])}
    assert {index: outcome.value for index, outcome in found.items() if not outcome.reason} == dict.fromkeys(
        (0, 1, 4), "value"
    )
    assert found[2] == Outcome(VIDEOS[2], reason="timed_out", text="2.mp4: not done in 30 s")
    assert found[3].reason == "crashed"
    assert sorted(set(attempts)) == [0, 1, 2, 3, 4]
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "1.mp4: the worker process died (signal SIGSEGV); retrying once",
        "2.mp4: not done in 30 s; retrying once",
    ]


def test_a_worker_that_crashed_is_replaced_while_others_are_busy(waits, monkeypatch):
    class Busy(FakeWorker):
        def submit(self, function: Callable[[Video], Any], task: Task) -> None:
            super().submit(function, task)
            if task.video.index == 0:
                self.reports.append(CRASH if task.attempt == 1 else RETURNED)

    monkeypatch.setattr(process_pool, "Worker", Busy)
    pool: Any = Workers(2, LIMIT_SECONDS)
    assert next(pool.run(index_of, VIDEOS[:2])).video.index == 0
    assert [worker.task and worker.task.video.index for worker in pool._workers] == [1, None]


def test_an_engine_that_fails_twice_ends_the_run_before_other_videos_are_tried(waits, monkeypatch, caplog):
    attempts = scripted(monkeypatch, {0: [ENGINE, ENGINE]})
    with pytest.raises(RunError, match=r"^out of memory$") as raised:
        list(Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS))
    assert isinstance(raised.value.__cause__, EngineError)
    assert attempts == [0, 0]
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (VideoError("empty", "3.mp4"), "empty", "3.mp4: the file has no bytes"),
        (ZeroDivisionError("by 0"), "internal_error", "3.mp4: ZeroDivisionError('by 0')"),
        (OSError("no errno"), "internal_error", "3.mp4: OSError('no errno')"),
    ],
)
def test_an_error_of_the_function_is_not_retried(error, reason, text, waits, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    attempts = scripted(monkeypatch, {3: [Report(Event.RAISED, error=error)]})
    [outcome] = Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS[3:4])
    assert (outcome.reason, outcome.text, outcome.value) == (reason, text, None)
    assert attempts == [3]


def test_an_error_of_the_operating_system_ends_the_run(waits, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    scripted(monkeypatch, {0: [Report(Event.RAISED, error=full)]})
    with pytest.raises(OSError, match="No space left on device"):
        list(Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS))


def test_a_package_that_a_worker_lacks_ends_the_run(waits, monkeypatch):
    scripted(monkeypatch, {0: [Report(Event.RAISED, error=ModuleNotFoundError("No module named 'cv2'", name="cv2"))]})
    with pytest.raises(ModuleNotFoundError, match="cv2"):
        list(Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS))


def test_an_internal_error_has_a_log_with_its_traceback_once(waits, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = ZeroDivisionError("by 0")
    error.add_note("Traceback of the worker")
    scripted(monkeypatch, {n: [Report(Event.RAISED, error=error)] for n in range(3)})
    list(Workers(1, LIMIT_SECONDS).run(index_of, VIDEOS[:3]))
    [log] = tmp_path.iterdir()
    assert caplog.messages == [f"ZeroDivisionError('by 0') is a bug of this program; log: {log}"]
    assert "Traceback of the worker" in log.read_text()


def test_a_run_after_an_abandoned_one_replaces_its_busy_workers_and_keeps_the_idle_ones(waits, monkeypatch):
    scripted(monkeypatch, {})
    pool: Any = Workers(2, LIMIT_SECONDS)
    outcomes = pool.run(index_of, VIDEOS[:2])
    next(outcomes)
    busy, idle = pool._workers
    busy.task = Task(VIDEOS[8], 1)
    assert {outcome.video.index for outcome in pool.run(index_of, VIDEOS[:2])} == {0, 1}
    assert (busy.kills, idle.kills) == (1, 0)
    assert idle in pool._workers
