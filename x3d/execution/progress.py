"""A progress bar over the outcomes of a run, and a report of its failures."""

import collections
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from x3d.errors import REASONS, counted
from x3d.execution.outcome import Outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")


@contextmanager
def progress_bar(num_videos: int, num_done: int = 0) -> Iterator["tqdm[Any]"]:
    """Show on stderr how many videos have ended, at what rate, and when the rest will; log lines go above the bar.

    Args:
        num_done: those of an earlier run, which do not count for the rate.
    """
    bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
    bar = tqdm(total=num_videos, initial=num_done, desc="videos", unit=" videos", smoothing=0.05, bar_format=bar_format)
    with bar, logging_redirect_tqdm():
        yield bar


def with_progress(
    outcomes: Iterator[Outcome[T]], num_videos: int, stop_at_first_failure: bool, num_done: int = 0
) -> Iterator[Outcome[T]]:
    """Yield outcomes with a progress bar, and log each failure as it comes.

    Args:
        num_videos, num_done: as for progress_bar.
        stop_at_first_failure: the first failure is the last outcome.
    """
    with progress_bar(num_videos, num_done) as progress:
        for outcome in outcomes:
            if outcome.reason:
                logger.warning("%s: %s", outcome.reason, outcome.text)
            yield outcome
            progress.update()
            if outcome.reason and stop_at_first_failure:
                logger.error("X3D_WORKERS.ON_ERROR is raise: stopping at the first failure")
                return


def log_failures(failed: Sequence[Mapping[str, Any]]) -> None:
    """Log how many videos failed for each reason, and each of them.

    Args:
        failed: entries of a manifest.
    """
    for reason, count in sorted(collections.Counter(entry["reason"] for entry in failed).items()):
        logger.error("%s failed, %s: %s", counted(count, "video"), reason, REASONS[reason])
    for entry in failed:
        logger.error("%s: %s", entry["reason"], entry["text"])
