"""What becomes of a video in a run: a value, or a reason why there is none."""

import collections
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from x3d.dataset.annotations import Video
from x3d.video.reader import REASONS

logger = logging.getLogger(__name__)

ALL_REASONS = {
    **REASONS,
    "crashed": "the worker process died, twice",
    "timed_out": "it took longer than X3D_PREPROCESS.TIMEOUT, twice",
    "internal_error": "an error of this program, not of the video",
}
TRIES = 2

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of one video: a value, or a reason code out of ALL_REASONS and a text."""

    video: Video
    value: T | None = None
    reason: str = ""
    text: str = ""

    def failure(self) -> dict[str, Any]:
        """Make the manifest's entry of a video that failed."""
        return {
            "path": self.video.listed,
            "label": self.video.label,
            "state": "failed",
            "reason": self.reason,
            "text": self.text,
        }


def progress_bar(num_videos: int) -> "tqdm[Any]":
    """Show on stderr how many videos are done, how many a second, and when the rest will be."""
    shown = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
    return tqdm(total=num_videos, desc="videos", unit=" videos", smoothing=0.05, bar_format=shown)


def follow(outcomes: Iterator[Outcome[T]], num_videos: int, on_error: str) -> Iterator[Outcome[T]]:
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
                logger.error("X3D_PREPROCESS.ON_ERROR is raise: stopping at the first failure")
                return


def log_failures(failed: Sequence[Mapping[str, Any]]) -> None:
    """Log how many videos failed for each reason, and each of them.

    Args:
        failed: entries of a manifest.
    """
    for reason, count in sorted(collections.Counter(entry["reason"] for entry in failed).items()):
        logger.error("%d videos failed, %s: %s", count, reason, ALL_REASONS[reason])
    for entry in failed:
        logger.error("%s: %s", entry["reason"], entry["text"])
