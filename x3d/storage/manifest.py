"""The record of a run: what its folder was made from, and the state of every video."""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from x3d.dataset.naming import WHOLE, Shard
from x3d.errors import RunError
from x3d.storage.atomic import read_json, write_json
from x3d.storage.provenance import facts_differ

GOES_ON = "the same command goes on from here"
SAVE_EVERY_SECONDS = 2

logger = logging.getLogger(__name__)


class Manifest:
    """The file that says what a folder was made from and how far it is.

    Attributes:
        facts: what the views were made from.
        videos: by index, `{"state": "done", "hash": ...}` or `{"state": "failed", "reason": ..., "text": ...}`.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], videos: Mapping[int, dict[str, Any]]) -> None:
        self.path = path
        self.facts = dict(facts)
        self.videos = dict(videos)
        self._saved = time.monotonic()

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest.

        Raises:
            ValueError: it is no manifest.
        """
        content = read_json(path)
        if not isinstance(content.get("facts"), dict) or not isinstance(content.get("videos"), dict):
            raise ValueError(f"{path} is not a manifest of this suite")
        return cls(path, content["facts"], {int(index): entry for index, entry in content["videos"].items()})

    def record(self, index: int, entry: dict[str, Any]) -> None:
        """Note a video's state; the file follows every few seconds."""
        self.videos[index] = entry
        if time.monotonic() - self._saved > SAVE_EVERY_SECONDS:
            self.save()

    def is_done(self, index: int) -> bool:
        """Tell whether a video's views are there; one that failed is tried again."""
        return self.videos.get(index, {}).get("state") == "done"

    def save(self) -> None:
        """Write the file, atomically."""
        write_json(self.path, {"facts": self.facts, "videos": {str(i): self.videos[i] for i in sorted(self.videos)}})
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Write the file however the work within ends; of work that is cut short, say that it can go on.

        Raises:
            RunError: from an OSError within: the folder cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise RunError(f"{self.path.parent} cannot be written: {error}; {GOES_ON}") from error
        except BaseException:
            logger.error("stopped; %s", GOES_ON)
            raise
        finally:
            self._save_or_say()

    def _save_or_say(self) -> None:
        """Write the file, or log why not: a full disk must not hide the error that came first."""
        try:
            self.save()
        except OSError as error:
            logger.error("%s cannot be written: %s", self.path, error)


_NAME = re.compile(r"manifest(?:-(\d+)of(\d+))?\.json")


def manifest_name(shard: Shard) -> str:
    """Name the manifest of a folder, or of one shard of it."""
    return "manifest.json" if shard.num_shards == 1 else f"manifest-{shard.shard_id}of{shard.num_shards}.json"


def shard_of(path: Path) -> Shard:
    """Read a manifest's shard from its name: its number and how many there are."""
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ValueError(f"{path} is not named as a manifest is")
    return Shard(int(match[1]), int(match[2])) if match[1] else WHOLE


def find_manifests(folder: Path) -> list[Path]:
    """List the manifests in a folder."""
    names = (name for name in os.listdir(folder) if name.startswith("manifest"))
    return sorted(folder / name for name in names if _NAME.fullmatch(name))


def check_shards(paths: Sequence[Path]) -> list[Manifest]:
    """Read the manifests of all shards and see that they go together.

    Raises:
        ValueError: a shard is missing or doubled, the shards were made from different things, or one vouches for a
            video that is not its own; the text names file and video.
    """
    num_shards = shard_of(paths[0]).num_shards
    missing = {paths[0].with_name(manifest_name(Shard(i, num_shards))) for i in range(num_shards)} - set(paths)
    if missing:
        raise ValueError(f"{min(missing)} is missing: all {num_shards} shards are needed to merge them")
    manifests = [Manifest.load(path) for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        shard = shard_of(path)
        if shard.num_shards != num_shards:
            raise ValueError(f"{path} is of {shard.num_shards} shards, {paths[0]} of {num_shards}")
        differences = facts_differ(manifests[0].facts, manifest.facts)
        if differences:
            raise ValueError(f"{path} and {paths[0]} were made from different things: {'; '.join(differences)}")
        foreign = [index for index in manifest.videos if not shard.owns(index)]
        if foreign:
            raise ValueError(f"{path} vouches for video {foreign[0]}, which is shard {foreign[0] % num_shards}'s")
    return manifests


def merge_shards(target: Path, paths: Sequence[Path]) -> Manifest:
    """Join the manifests of all shards into one, and remove them.

    Raises:
        ValueError: they do not go together, or the joined one is there already.
    """
    if target.exists():
        raise ValueError(f"{target} and {paths[0]} vouch for the same folder; remove the one that is stale")
    manifests = check_shards(paths)
    merged = Manifest(target, manifests[0].facts, {})
    for manifest in manifests:
        merged.videos |= manifest.videos
    merged.save()
    for path in paths:
        path.unlink()
    return merged
