"""Numbers and names that follow from the annotation list: views, their files, and shards.

Video i of the list has the global views i*V to i*V + V - 1, with V views per video. A view's file is named
`<view>_<label>` and its results `<view>_<label>_<output>`, so that its identity is in its name.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

VIEW_SUFFIXES = (".npy", ".bin")

_VIEW_STEM = re.compile(r"(\d{1,12})_(-?\d{1,9})", re.ASCII)
_RESULT_NAME = re.compile(r"(\d{1,12})_(-?\d{1,9})_0\.(?:bin|npy|txt)", re.ASCII | re.IGNORECASE)
MAX_SHARDS = 999_999
_MANIFEST_NAME = re.compile(r"manifest(?:-(\d{1,6})of(\d{1,6}))?\.json", re.ASCII)

T = TypeVar("T")


def views_per_video(cfg: "CfgNode") -> int:
    """Count the views of a video: clips times crops."""
    return int(cfg.TEST.NUM_ENSEMBLE_VIEWS * cfg.TEST.NUM_SPATIAL_CROPS)


def view_stem(view: int, label: int) -> str:
    """Name the file of a view, without suffix: `61_7` for view 61 of class 7."""
    return f"{view}_{label}"


def parse_view_stem(stem: str) -> tuple[int, int] | None:
    """Parse a view's number and label from the stem of its file, None if it is another name."""
    match = _VIEW_STEM.fullmatch(stem)
    return (int(match[1]), int(match[2])) if match else None


def result_stem(path: str) -> str:
    """Name the results of a view's file as ais_bench does: by its name up to the first dot."""
    return os.path.basename(path).split(".")[0]


def parse_result_name(name: str) -> tuple[int, int] | None:
    """Parse view and label from the name of a view's first output, None if it is another name."""
    match = _RESULT_NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class Shard:
    """Every `num_shards`-th video of the list, starting at `shard_id`."""

    shard_id: int = 0
    num_shards: int = 1

    def owns(self, video: int) -> bool:
        """Check whether the video with this index belongs to the shard."""
        return self.owner(video) == self.shard_id

    def owner(self, video: int) -> int:
        """Return the number of the shard that the video with this index belongs to."""
        return video % self.num_shards

    def select(self, videos: Sequence[T]) -> list[T]:
        """Select the shard's videos from the whole list."""
        return list(videos[self.shard_id :: self.num_shards])


WHOLE = Shard()
"""The whole list as one shard."""


def parse_manifest_name(name: str) -> Shard | None:
    """Parse the shard from the name of a manifest, `manifest.json` or `manifest-0of3.json`, None if it is another."""
    match = _MANIFEST_NAME.fullmatch(name)
    if not match or (match[1] and int(match[1]) >= int(match[2])):
        return None
    return Shard(int(match[1]), int(match[2])) if match[1] else WHOLE
