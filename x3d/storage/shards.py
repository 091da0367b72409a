"""The manifests of the shards of a folder: their names, what they must have in common, and how they merge."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from x3d.dataset.naming import WHOLE, Shard
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_differences

_NAME = re.compile(r"manifest(?:-(\d+)of(\d+))?\.json")


def manifest_name(shard: Shard) -> str:
    """Name the manifest of a whole folder, `manifest.json`, or of a shard, `manifest-0of3.json`."""
    return "manifest.json" if shard.num_shards == 1 else f"manifest-{shard.shard_id}of{shard.num_shards}.json"


def shard_of(path: Path) -> Shard:
    """Read the shard from a manifest's name.

    Raises:
        ValueError: the name is not that of a manifest.
    """
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ValueError(f"{path} does not have the name of a manifest")
    return Shard(int(match[1]), int(match[2])) if match[1] else WHOLE


def find_manifests(folder: Path) -> list[Path]:
    """List the manifests in a folder, in order of their names."""
    return sorted(folder / name for name in os.listdir(folder) if _NAME.fullmatch(name))


def load_shards(paths: Sequence[Path]) -> list[Manifest]:
    """Read the manifests of all shards and check that they belong together.

    Raises:
        ValueError: a shard is missing, the shards have different provenance or another shard count, or one records a
            video of another; the text names the file.
    """
    num_shards = shard_of(paths[0]).num_shards
    missing = {paths[0].with_name(manifest_name(Shard(i, num_shards))) for i in range(num_shards)} - set(paths)
    if missing:
        raise ValueError(f"{min(missing)} does not exist; all {num_shards} shards are needed")
    manifests = [Manifest.load(path) for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        shard = shard_of(path)
        if shard.num_shards != num_shards:
            raise ValueError(f"{path} is one of {shard.num_shards} shards, {paths[0]} one of {num_shards}")
        differences = provenance_differences(manifests[0].provenance, manifest.provenance)
        if differences:
            raise ValueError(f"{path} has another provenance than {paths[0]}: {'; '.join(differences)}")
        foreign = [index for index in manifest.entries() if not shard.owns(index)]
        if foreign:
            raise ValueError(f"{path} records video {foreign[0]}, which belongs to shard {shard.owner(foreign[0])}")
    return manifests


def merge_shards(target: Path, paths: Sequence[Path]) -> None:
    """Merge the manifests of all shards into one and remove them.

    Raises:
        ValueError: they do not belong together, or the target exists already.
    """
    if target.exists():
        raise ValueError(f"{target} and {paths[0]} both record the same folder; remove the one that is out of date")
    manifests = load_shards(paths)
    entries = {index: entry for manifest in manifests for index, entry in manifest.entries().items()}
    Manifest(target, manifests[0].provenance, entries).save()
    for path in paths:
        path.unlink()
