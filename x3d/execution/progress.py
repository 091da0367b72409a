"""A progress bar over the outcomes of a run, and a report of its failures."""

import collections
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from x3d.errors import REASONS
from x3d.execution.outcome import Outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")


def progress_bar(num_videos: int) -> "tqdm[Any]":
    """Show on stderr how many videos are done, how many a second, and when the rest will be."""
    shown = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
    return tqdm(total=num_videos, desc="videos", unit=" videos", smoothing=0.05, bar_format=shown)


def with_progress(outcomes: Iterator[Outcome[T]], num_videos: int, on_error: str) -> Iterator[Outcome[T]]:
    """Hand outcomes on, with a progress bar and a line for each failure.

    Args:
        on_error: skip, or raise: the first failure is the last outcome.
    """
    with progress_bar(num_videos) as progress:
        for outcome in outcomes:
            if outcome.reason:
                progress.write(f"{outcome.reason}: {outcome.text}", file=progress.fp)
            yield outcome
            progress.update()
            if outcome.reason and on_error == "raise":
                logger.error("X3D_WORKERS.ON_ERROR is raise: stopping at the first failure")
                return


def log_failures(failed: Sequence[Mapping[str, Any]]) -> None:
    """Log how many videos failed for each reason, and each of them.

    Args:
        failed: entries of a manifest.
    """
    for reason, count in sorted(collections.Counter(entry["reason"] for entry in failed).items()):
        logger.error("%d videos failed, %s: %s", count, reason, REASONS[reason])
    for entry in failed:
        logger.error("%s: %s", entry["reason"], entry["text"])
