"""The states of videos in a manifest: what is recorded of a video that is done, and of one that failed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from x3d.errors import REASONS
from x3d.video.source import Source

DONE, FAILED = "done", "failed"

Entry = Mapping[str, Any]
"""State of a video: `{"path", "label", "state": "done"}` with the keys of WrittenViews, or
`{"path", "label", "state": "failed", "reason", "text"}`."""

_HASHES = re.compile(r"[0-9a-f]{16}(?: [0-9a-f]{16})*")


@dataclass(frozen=True)
class WrittenViews:
    """What is recorded of a video whose views are written.

    Attributes:
        view_hashes: xxh3-64 of each view's values, 16 hex digits, in order of the views.
        source: identifies the video file that they were made of.
        rotation: metadata in degrees, which is not applied.
        corrupt_frames: number of frames that the decoder marked as damaged.
    """

    view_hashes: Sequence[str]
    source: Source
    rotation: int = 0
    corrupt_frames: int = 0

    def to_entry(self) -> dict[str, Any]:
        """Build the keys of a manifest's entry."""
        source = {"size": self.source.size, "mtime_ns": self.source.mtime_ns, "hash": f"{self.source.hash:016x}"}
        return {
            "state": DONE,
            "view_hashes": list(self.view_hashes),
            "source": source,
            "rotation": self.rotation,
            "corrupt_frames": self.corrupt_frames,
        }


def source_of_entry(entry: Entry) -> Source:
    """Read the source of a video that is done."""
    source = entry["source"]
    return Source(source["size"], source["mtime_ns"], int(source["hash"], 16))


def is_entry(entry: object, num_views: int | None) -> bool:
    """Check that a value is the state of a video.

    Args:
        num_views: per video; None if it is unknown.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or type(entry.get("label")) is not int:
        return False
    if entry.get("state") == FAILED:
        return (
            isinstance(entry.get("reason"), str) and entry["reason"] in REASONS and isinstance(entry.get("text"), str)
        )
    return (
        entry.get("state") == DONE
        and _are_hashes(entry.get("view_hashes"))
        and num_views in (None, len(entry["view_hashes"]))
        and _is_source(entry.get("source"))
        and type(entry.get("rotation")) is int
        and type(entry.get("corrupt_frames")) is int
    )


def _are_hashes(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(found, str) for found in value)
        and _HASHES.fullmatch(" ".join(value)) is not None
    )


def _is_source(value: object) -> bool:
    return (
        isinstance(value, dict)
        and type(value.get("size")) is int
        and type(value.get("mtime_ns")) is int
        and isinstance(value.get("hash"), str)
        and len(value["hash"]) == 16
        and _are_hashes([value["hash"]])
    )
