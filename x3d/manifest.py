"""The record of a preprocessing run: what its folder was made from, and the state of every video."""

import fcntl
import hashlib
import json
import logging
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d import __version__
from x3d.annotations import Video, views_per_video

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

VIEW_KEYS = {
    "DATA": (
        "NUM_FRAMES SAMPLING_RATE TARGET_FPS USE_OFFSET_SAMPLING MEAN STD TRAIN_JITTER_SCALES TEST_CROP_SIZE "
        "REVERSE_INPUT_CHANNEL"
    ).split(),
    "TEST": ["NUM_ENSEMBLE_VIEWS", "NUM_SPATIAL_CROPS"],
    "X3D_PREPROCESS": ["FORMAT", "BACKEND"],
}
SAVE_EVERY_SECONDS = 2

logger = logging.getLogger(__name__)


def view_facts(cfg: "CfgNode", videos: Sequence[Video]) -> dict[str, Any]:
    """Collect what decides the views of a list of videos: configuration, list and versions."""
    config = {f"{section}.{key}": cfg[section][key] for section, keys in VIEW_KEYS.items() for key in keys}
    return {
        "config": config,
        "config_digest": digest(config),
        "list_digest": digest([[video.listed, video.label] for video in videos]),
        "num_videos": len(videos),
        "views_per_video": views_per_video(cfg),
        "versions": {
            "x3d": __version__,
            "av": version("av"),
            "opencv": version("opencv-python-headless"),
            "machine": platform.machine(),
        },
    }


def digest(values: Any) -> str:
    """Hash JSON-able values to 16 hex digits, the same on every machine."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def evaluation_facts(cfg: "CfgNode", videos: Sequence[Video], model: str, engine: str) -> dict[str, Any]:
    """Collect what decides the rows of an evaluation: that of the views, how they are joined, model and engine.

    Args:
        model: digest of the model's file.
        engine: name of the engine, a package or part of this suite.
    """
    facts = view_facts(cfg, videos)
    for key in ("X3D_PREPROCESS.FORMAT", "X3D_PREPROCESS.BACKEND"):
        del facts["config"][key]
    facts["config"]["DATA.ENSEMBLE_METHOD"] = cfg.DATA.ENSEMBLE_METHOD
    facts["config_digest"] = digest(facts["config"])
    if engine != "ais_bench":
        facts["versions"][engine] = version(engine)
    return facts | {"model_digest": model, "num_classes": cfg.MODEL.NUM_CLASSES, "engine": engine}


def facts_differ(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name what differs between two records of facts, nested ones key by key."""
    texts = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            texts += facts_differ(before, after, f"{prefix}{key}: ")
        elif before != after and not key.endswith("config_digest"):
            texts.append(f"{prefix}{key} was {before!r}, is {after!r}")
    return texts


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: it is none; the text names the file.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object so that a reader sees the old file or the new one, whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def take_lock(path: Path) -> int:
    """Take a file for this process, until what is returned is closed; it is made when it is not there.

    Returns:
        A file descriptor to append to it. On a file system without locks nothing is taken, and that is said.
    Raises:
        ValueError: another run has it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"{path} is in use by another run; wait for it, or give another folder") from None
    except OSError as error:
        logger.warning("%s cannot be locked (%s); see that no other run writes there", path, error.strerror)
    return descriptor


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

    def save(self) -> None:
        """Write the file, atomically."""
        write_json(self.path, {"facts": self.facts, "videos": {str(i): self.videos[i] for i in sorted(self.videos)}})
        self._saved = time.monotonic()

    def save_or_say(self) -> None:
        """Write the file, or log why not: a full disk must not hide the error that came first."""
        try:
            self.save()
        except OSError as error:
            logger.error("%s cannot be written: %s", self.path, error)


_NAME = re.compile(r"manifest(?:-(\d+)of(\d+))?\.json")


def manifest_name(shard_id: int, num_shards: int) -> str:
    """Name the manifest of a folder, or of one shard of it."""
    return "manifest.json" if num_shards == 1 else f"manifest-{shard_id}of{num_shards}.json"


def shard_of(path: Path) -> tuple[int, int]:
    """Read a manifest's shard from its name: its number and the number of shards."""
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ValueError(f"{path} is not named as a manifest is")
    return (int(match[1]), int(match[2])) if match[1] else (0, 1)


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
    num_shards = shard_of(paths[0])[1]
    missing = {paths[0].with_name(manifest_name(i, num_shards)) for i in range(num_shards)} - set(paths)
    if missing:
        raise ValueError(f"{min(missing)} is missing: all {num_shards} shards are needed to merge them")
    manifests = [Manifest.load(path) for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        shard_id, of = shard_of(path)
        if of != num_shards:
            raise ValueError(f"{path} is of {of} shards, {paths[0]} of {num_shards}")
        differences = facts_differ(manifests[0].facts, manifest.facts)
        if differences:
            raise ValueError(f"{path} and {paths[0]} were made from different things: {'; '.join(differences)}")
        foreign = [index for index in manifest.videos if index % num_shards != shard_id]
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
