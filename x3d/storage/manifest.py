"""The manifest of a folder: the provenance of its content, and the state of each video."""

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, parse_manifest_name
from x3d.errors import InputError, RunError
from x3d.files import read_regular
from x3d.storage.atomic import replace_file, write_all
from x3d.storage.entries import DONE, FAILED, Entry, WrittenViews, is_entry
from x3d.storage.journal import Journal, journal_path, read_events

RESUME = "run the same command to resume"
ANEW = "restore it, or start anew in another folder"

logger = logging.getLogger(__name__)

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_encode = json.JSONEncoder(sort_keys=True).encode


class Manifest:
    """A JSON file with the provenance of a folder and the state of its videos.

    A video without an entry is to do; in a folder of scores, unless it has a row. Between two saves, which write the
    whole file, changes are appended to a journal beside it, so that a killed run loses none.

    Attributes:
        provenance: as x3d.storage.provenance collects it.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any], entries: Mapping[int, Entry] | None = None) -> None:
        self.path = path
        self.provenance = dict(provenance)
        self._entries = dict(entries or {})
        self._digest = ""
        self._journal: Journal | None = None

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest with its journal.

        Raises:
            InputError: the file is damaged, no manifest, or of an earlier version of this suite; the text names it.
        """
        try:
            content = read_regular(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        digest = xxhash.xxh3_64_hexdigest(content[len(_head("")) + 16 :])
        if not content.startswith(_head(digest)):
            raise InputError(f"{path} {_describe_foreign(content)}")
        events = read_events(path, digest)
        found, changes = _parse(content), _parse(f"{{{','.join(events)}}}".encode())
        if found is None or changes is None or not isinstance(found.get("videos"), dict):
            raise InputError(f"{path} is not a manifest of this suite; {ANEW}")
        provenance = found.get("provenance")
        if not isinstance(provenance, dict):
            raise InputError(f"{path} is not a manifest of this suite; {ANEW}")
        states = {key: state for key, state in {**found["videos"], **changes}.items() if state is not None}
        _check_states(path, states, provenance)
        return cls(path, provenance, {int(key): state for key, state in states.items()})

    def record_done(self, video: Video, views: WrittenViews) -> None:
        """Record that the views of a video are written."""
        self._record(video, views.to_entry())

    def record_failed(self, video: Video, reason: str, text: str) -> None:
        """Record a video as failed, with a reason out of x3d.errors.REASONS."""
        self._record(video, {"state": FAILED, "reason": reason, "text": text})

    def _record(self, video: Video, state: Mapping[str, Any]) -> None:
        entry = {"path": video.listed, "label": video.label, **state}
        self._entries[video.index] = entry
        self._append(video.index, entry)

    def forget(self, index: int) -> None:
        """Remove a video's state, if it has one."""
        if self._entries.pop(index, None):
            self._append(index, None)

    def _append(self, index: int, entry: Entry | None) -> None:
        """Append a change to the journal, once the whole is saved."""
        if not self._digest:
            return
        if not self._journal:
            self._journal = Journal(self.path, self._digest)
        self._journal.append(_line(index, entry))

    def is_done(self, index: int) -> bool:
        """Check whether a video is done; one that failed is tried again."""
        return index in self._entries and self._entries[index]["state"] == DONE

    def entry(self, index: int) -> Entry:
        """Return the state of a video that has one."""
        return self._entries[index]

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
        """Write the whole file, atomically, and remove its journal; changes after it are appended to a new one.

        Raises:
            OSError: it cannot be written; file and journal stay as they are.
        """
        lines = ",\n".join(_line(index, entry) for index, entry in self.entries().items())
        body = f'"provenance": {_encode(self.provenance)},\n"videos": {{\n{lines}\n}}\n}}\n'.encode()
        digest = xxhash.xxh3_64_hexdigest(body)
        with replace_file(self.path) as file:
            write_all(file.fileno(), _head(digest) + body)
        if self._journal:
            self._journal.close()
        self._digest, self._journal = digest, None
        journal_path(self.path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def saved_on_exit(self) -> Iterator[None]:
        """Save on exit, also after an error.

        Raises:
            RunError: for an OSError within, or of the save at the end; the text names the file that the error names.
        """
        try:
            try:
                yield
            except BaseException:
                self._save_or_log()
                raise
            self.save()
        except OSError as error:
            raise RunError(f"{self._describe(error)}; {RESUME}") from error

    def _save_or_log(self) -> None:
        """Save after an error, or log why not: a full disk must not hide that error, which reports a removed folder."""
        try:
            self.save()
        except FileNotFoundError:
            return
        except OSError as error:
            logger.error(self._describe(error))

    def _describe(self, error: OSError) -> str:
        """Describe an error of the operating system by the file that it names, in this folder or elsewhere."""
        reason = error.strerror or str(error)
        if not error.filename:
            return reason
        is_ours = Path(error.filename).is_relative_to(self.path.parent)
        return f"{error.filename} cannot be written: {reason}" if is_ours else f"{error.filename}: {reason}"


def remove_manifest(path: Path) -> None:
    """Remove a manifest and its journal, if they exist."""
    path.unlink(missing_ok=True)
    journal_path(path).unlink(missing_ok=True)


def _head(digest: str) -> bytes:
    """Build the first line of a manifest; the digest is that of the bytes after it."""
    return f'{{"digest": "{digest}",\n'.encode()


def _line(index: int, entry: Entry | None) -> str:
    return f'"{index}": {_encode(entry)}'


def _parse(content: bytes) -> dict[str, Any] | None:
    """Parse a JSON object, None if it is something else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _describe_foreign(content: bytes) -> str:
    """Describe a file whose content is not what its digest was computed of."""
    found = _parse(content)
    if found is None:
        return f"is damaged or no manifest of this suite; {ANEW}"
    if "facts" in found or found.keys() == {"provenance", "videos"}:
        return (
            "was written by an earlier version of this suite and cannot be resumed or scored; give another folder, or "
            "remove this one and run again"
        )
    if "digest" not in found:
        return f"is not a manifest of this suite; {ANEW}"
    return f"is damaged or was edited: its digest is not that of its content; {ANEW}"


def _check_states(path: Path, states: Mapping[str, object], provenance: Mapping[str, Any]) -> None:
    """Reject states that this suite does not write.

    Raises:
        InputError: the text names file and video.
    """
    shard = parse_manifest_name(path.name) or WHOLE
    num_videos, num_views = provenance.get("num_videos"), provenance.get("views_per_video")
    for key, state in states.items():
        index = int(key) if _INDEX.fullmatch(key) else -1
        if index < 0 or (type(num_videos) is int and index >= num_videos):
            raise InputError(f"{path} records video {key!r} of a list of {num_videos}; {ANEW}")
        if not shard.owns(index):
            raise InputError(f"{path} records video {index}, which belongs to shard {shard.owner(index)}; {ANEW}")
        if not is_entry(state, num_views if type(num_views) is int else None):
            raise InputError(f"{path} records something else than a state for video {index}; {ANEW}")
