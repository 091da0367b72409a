"""A stand-in for the worker processes: it runs functions in this process."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import VideoError
from x3d.execution.outcome import Outcome


class LocalRunner:
    """Runs a function on each video here, and records what it was opened with and given.

    Attributes:
        replacement: runs instead of the function.
        in_reverse: yield the outcomes from the last video to the first.
        opened_with: settings, requirements (a function), and resources, as open_runner takes them.
        prepare: what a worker would call first; `prepared` calls it here.
        num_prepared: numbers of videos that `prepared` was called with.
        function: the last one given.
        seen: indices of the videos, for each run.
    """

    def __init__(self, replacement: Callable[[Video], Any] | None = None, in_reverse: bool = False) -> None:
        self.replacement = replacement
        self.in_reverse = in_reverse
        self.opened_with: tuple[Any, ...] = ()
        self.prepare: Any = None
        self.num_prepared: list[int] = []
        self.function: Any = None
        self.seen: list[list[int]] = []

    def use_in(self, module: str, monkeypatch: pytest.MonkeyPatch) -> "LocalRunner":
        """Let a module of x3d.pipeline open this runner."""

        def open_runner(settings: Any, requirements: Any, resources: Any = None, prepare: Any = None) -> LocalRunner:
            self.opened_with, self.prepare = (settings, requirements, resources), prepare
            return self

        monkeypatch.setattr(f"x3d.pipeline.{module}.open_runner", open_runner)
        return self

    def prepared(self, num_videos: int) -> Any:
        self.num_prepared.append(num_videos)
        return self.prepare()

    def run(self, function: Callable[[Video], Any], videos: Sequence[Video]) -> Iterator[Outcome[Any]]:
        self.function = function
        self.seen.append([video.index for video in videos])
        for video in reversed(videos) if self.in_reverse else videos:
            try:
                yield Outcome(video, (self.replacement or function)(video))
            except VideoError as error:
                yield Outcome(video, None, error.reason, str(error))

    def __enter__(self) -> "LocalRunner":
        return self

    def __exit__(self, *error: object) -> None:
        pass
