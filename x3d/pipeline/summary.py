"""Counts of a run over videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunSummary:
    """Counts of a run over videos, which add up to its part of the list.

    Attributes:
        num_videos: of this shard.
        num_done: with all of their outputs written.
        failed: manifest entries of the videos that failed, with reason and text.
        manifest: the file that records all this.
        num_rotated: videos done whose rotation metadata is not applied.
        num_corrupt: videos done of which the decoder marked frames as damaged.
    """

    num_videos: int
    num_done: int
    failed: Sequence[Mapping[str, Any]]
    manifest: Path
    num_rotated: int = 0
    num_corrupt: int = 0

    @property
    def num_not_reached(self) -> int:
        """Count the videos that the run did not reach."""
        return self.num_videos - self.num_done - len(self.failed)

    @property
    def complete(self) -> bool:
        """Check whether every video is done."""
        return self.num_done == self.num_videos
