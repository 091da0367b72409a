"""Progress bars, over the outcomes of a run or a few long steps, and a report of failures.

A bar is on stderr. Where that is no terminal, such as in the log of continuous integration, each update is a line: the
first, one about every 30 s at most, and the last. With X3D_LOG_LEVEL WARNING or ERROR there is no bar.
"""

import collections
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from x3d.console import log_level
from x3d.errors import MAX_LISTED_PROBLEMS, REASONS, counted, format_problems
from x3d.execution.outcome import Outcome

REFRESH_SECONDS = 1.0
LINE_SECONDS = 30.0
"""Between two updates where stderr is no terminal."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _Lines:
    """A stream on which a bar writes each of its states once, as a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""
        self.encoding = stream.encoding

    def write(self, text: str) -> None:
        """Write a line without what moves the cursor; of an unchanged or empty state nothing."""
        state = text.strip()
        if state and state != self._last:
            self._stream.write(f"{state}\n")
            self._last = state

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def _open_bar(**options: Any) -> Iterator["tqdm[Any]"]:
    """Show a bar on stderr until the block ends; on a terminal log lines go above it.

    Args:
        options: of tqdm.
    """
    on_terminal = sys.stderr.isatty()
    if not on_terminal:
        options |= {"file": _Lines(sys.stderr), "mininterval": LINE_SECONDS, "miniters": 1}
    bar = tqdm(disable=log_level() > logging.INFO, **options)
    with bar, logging_redirect_tqdm() if on_terminal else nullcontext():
        yield bar


@contextmanager
def progress_bar(total: int, num_done: int = 0, noun: str = "videos", note: str = "") -> Iterator["tqdm[Any]"]:
    """Show on stderr how many videos or views have ended, at what rate, and when the rest will.

    Args:
        num_done: those of an earlier run, which do not count for the rate.
        noun: of what is counted, plural.
        note: what the bar shows at its end.
    """
    with _open_bar(
        total=total,
        initial=num_done,
        desc=noun,
        unit=f" {noun}",
        smoothing=0.05,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]",
        postfix=note,
    ) as bar:
        yield bar


@contextmanager
def step_bar(num_steps: int, noun: str) -> Iterator["tqdm[Any]"]:
    """Show on stderr how many long steps have ended, and how long they take; on a terminal it counts the seconds.

    Args:
        noun: of the steps, plural.
    """
    bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
    ended = threading.Event()

    def refresh(bar: "tqdm[Any]") -> None:
        while not ended.wait(REFRESH_SECONDS):
            bar.refresh()

    with _open_bar(total=num_steps, desc=noun, bar_format=bar_format) as bar:
        thread = threading.Thread(target=refresh, args=(bar,), daemon=True)
        if sys.stderr.isatty():
            thread.start()
        try:
            yield bar
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()


@contextmanager
def above_bar() -> Iterator[None]:
    """Take the bar away while the block prints to stdout."""
    with tqdm.external_write_mode(file=sys.stdout):
        yield


class FailureLog:
    """Log failures as they come: of each reason the first ones, and once that there are more."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()

    def log(self, reason: str, text: str) -> None:
        """Log a failure."""
        self._counts[reason] += 1
        if self._counts[reason] <= MAX_LISTED_PROBLEMS:
            logger.warning("%s: %s", reason, text)
        elif self._counts[reason] == MAX_LISTED_PROBLEMS + 1:
            logger.warning("%s: more videos, which are counted at the end", reason)


def with_progress(
    outcomes: Iterator[Outcome[T]],
    num_videos: int,
    stop_at_first_failure: bool,
    num_done: int = 0,
    running: object = "",
) -> Iterator[Outcome[T]]:
    """Yield outcomes with a progress bar, and log failures as they come.

    Args:
        num_videos, num_done: as for progress_bar.
        stop_at_first_failure: the first failure is the last outcome.
        running: what the bar shows at its end, formatted again after each outcome.
    """
    failures = FailureLog()
    with progress_bar(num_videos, num_done, note=str(running)) as progress:
        for outcome in outcomes:
            if outcome.reason:
                failures.log(outcome.reason, outcome.text)
            yield outcome
            progress.set_postfix_str(str(running), refresh=False)
            progress.update()
            if outcome.reason and stop_at_first_failure:
                logger.error("X3D_WORKERS.ON_ERROR is raise: stopping at the first failure")
                return


def log_failures(failed: Sequence[Mapping[str, Any]]) -> None:
    """Log how many videos failed for each reason, and the first of them.

    Args:
        failed: entries of a manifest.
    """
    by_reason: dict[str, list[str]] = {}
    for entry in failed:
        by_reason.setdefault(entry["reason"], []).append(entry["text"])
    for reason, texts in sorted(by_reason.items()):
        count = counted(len(texts), "video")
        logger.error("%s failed, %s: %s\n%s", count, reason, REASONS[reason], format_problems(texts))
