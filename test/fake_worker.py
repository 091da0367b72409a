"""Workers that are no processes, to test the pool without any."""

from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from x3d.dataset.annotations import Video
from x3d.execution import process_pool
from x3d.execution.worker import Event, Report, Task

VIDEOS = [Video(number, "", f"{number}.mp4", 0) for number in range(9)]
LIMIT_SECONDS = 30


class FakeWorker:
    """A worker whose reports are set by the test; one without reports is silent."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.connection = self
        self.task: Task | None = None
        self.is_preparing = False
        self.prepared_with: list[Callable[[], Any]] = []
        self.reports: deque[Report] = deque()
        self.has_worked = False
        self.left = float("inf")
        self.kills = 0

    def submit(self, function: Callable[[Video], Any], task: Task) -> None:
        assert function is index_of
        assert self.task is None
        assert not self.is_preparing
        self.task = task

    def prepare(self, function: Callable[[], Any]) -> None:
        self.is_preparing = True
        self.prepared_with.append(function)

    def receive(self) -> Report:
        self.is_preparing = False
        return self.reports.popleft()

    def seconds_left(self, timeout_seconds: float) -> float:
        assert timeout_seconds == LIMIT_SECONDS
        return self.left

    def expire(self) -> Report:
        return Report(Event.TIMED_OUT)

    def kill(self) -> None:
        self.kills += 1


def index_of(video: Video) -> int:
    return video.index


def install(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the workers; return how long the pool waits each time, in seconds."""
    seconds: list[float] = []

    def wait(workers: Iterable[FakeWorker], limit: float) -> list[FakeWorker]:
        seconds.append(limit)
        assert len(seconds) < 500, "the pool waits for what never comes"
        return [worker for worker in workers if worker.reports]

    monkeypatch.setattr(process_pool, "Worker", FakeWorker)
    monkeypatch.setattr(process_pool, "connection", SimpleNamespace(wait=wait))
    return seconds
