"""The manifest of a folder: the provenance of its content, and the state of each video."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from x3d.dataset.annotations import Video
from x3d.errors import REASONS, RunError
from x3d.storage.atomic import read_json, write_json

DONE, FAILED = "done", "failed"
SAVE_INTERVAL_SECONDS = 2
RESUME = "run the same command to resume"

logger = logging.getLogger(__name__)

Entry = Mapping[str, Any]
"""State of a video: `{"path", "label", "state": "done", "hash", ...}` or
`{"path", "label", "state": "failed", "reason", "text"}`."""


class Manifest:
    """A JSON file with the provenance of a folder and the state of its videos.

    A video without an entry is to do; in a folder of scores, unless it has a row.

    Attributes:
        provenance: as x3d.storage.provenance collects it.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any], entries: Mapping[int, Entry] | None = None) -> None:
        self.path = path
        self.provenance = dict(provenance)
        self._entries = dict(entries or {})
        self._saved_at = time.monotonic()

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest.

        Raises:
            ValueError: the file is not a manifest, or an earlier version of this suite wrote it.
        """
        content = read_json(path)
        if "facts" in content:
            raise ValueError(
                f"{path} was written by an earlier version of this suite and cannot be resumed or scored; give another "
                "folder, or remove this one and run again"
            )
        provenance, entries = content.get("provenance"), content.get("videos")
        if (
            not isinstance(provenance, dict)
            or not isinstance(entries, dict)
            or not all(map(_is_entry, entries.items()))
        ):
            raise ValueError(f"{path} is not a manifest of this suite; remove it, or give another folder")
        return cls(path, provenance, {int(index): entry for index, entry in entries.items()})

    def record_done(self, video: Video, **details: str | int) -> None:
        """Record a video as done, with the hash of its views and other details; saved every few seconds."""
        self._record(video, {"state": DONE, **details})

    def record_failed(self, video: Video, reason: str, text: str) -> None:
        """Record a video as failed, with a reason out of x3d.errors.REASONS; saved every few seconds."""
        self._record(video, {"state": FAILED, "reason": reason, "text": text})

    def _record(self, video: Video, state: Mapping[str, str | int]) -> None:
        self._entries[video.index] = {"path": video.listed, "label": video.label, **state}
        if time.monotonic() - self._saved_at > SAVE_INTERVAL_SECONDS:
            self.save()

    def forget(self, index: int) -> None:
        """Remove a video's state, if it has one."""
        self._entries.pop(index, None)

    def is_done(self, index: int) -> bool:
        """Check whether a video is done; one that failed is tried again."""
        return index in self._entries and self._entries[index]["state"] == DONE

    def done(self) -> dict[int, Entry]:
        """Return the entries of the videos that are done, by index, in order."""
        return {index: entry for index, entry in self.entries().items() if entry["state"] == DONE}

    def failed(self) -> dict[int, Entry]:
        """Return the entries of the videos that failed, by index, in order."""
        return {index: entry for index, entry in self.entries().items() if entry["state"] == FAILED}

    def entries(self) -> dict[int, Entry]:
        """Return all entries, by index, in order."""
        return dict(sorted(self._entries.items()))

    def save(self) -> None:
        """Write the file, atomically."""
        entries = {str(index): entry for index, entry in self.entries().items()}
        write_json(self.path, {"provenance": self.provenance, "videos": entries})
        self._saved_at = time.monotonic()

    @contextlib.contextmanager
    def saved_on_exit(self) -> Iterator[None]:
        """Save on exit, also after an error; if interrupted, log that the run can be resumed.

        Raises:
            RunError: for an OSError within: the folder cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise RunError(f"{self.path.parent} cannot be written: {error}; {RESUME}") from error
        except BaseException:
            logger.error("stopped; %s", RESUME)
            raise
        finally:
            self._save_or_log()

    def _save_or_log(self) -> None:
        """Save, or log why not: a full disk must not hide the error that came first."""
        try:
            self.save()
        except OSError as error:
            logger.error("%s cannot be written: %s", self.path, error)


def _is_entry(item: tuple[str, Any]) -> bool:
    index, entry = item
    if not index.isdecimal() or not isinstance(entry, dict):
        return False
    return entry.get("state") == DONE or (
        entry.get("state") == FAILED and entry.get("reason") in REASONS and isinstance(entry.get("text"), str)
    )
