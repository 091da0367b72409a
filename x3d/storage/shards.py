"""The manifests of the shards of a folder: their names, what they must have in common, and how they merge."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from x3d.dataset.naming import Shard, parse_manifest_name
from x3d.errors import InputError, counted
from x3d.storage.manifest import Manifest, remove_manifest
from x3d.storage.provenance import provenance_differences

logger = logging.getLogger(__name__)


def manifest_name(shard: Shard) -> str:
    """Name the manifest of a whole folder, `manifest.json`, or of a shard, `manifest-0of3.json`."""
    return "manifest.json" if shard.num_shards == 1 else f"manifest-{shard.shard_id}of{shard.num_shards}.json"


def shard_of(path: Path) -> Shard:
    """Read the shard from a manifest's name.

    Raises:
        InputError: the name is not that of a manifest.
    """
    shard = parse_manifest_name(path.name)
    if not shard:
        raise InputError(f"{path} does not have the name of a manifest")
    return shard


def describe_run(path: Path) -> str:
    """Describe of how many shards a manifest's run is."""
    num_shards = shard_of(path).num_shards
    return f"{path} is of a run {'without shards' if num_shards == 1 else f'with {num_shards} shards'}"


def find_manifests(folder: Path) -> list[Path]:
    """List the manifests in a folder, in order of their names."""
    return sorted(folder / name for name in os.listdir(folder) if parse_manifest_name(name))


def load_shards(paths: Sequence[Path]) -> list[Manifest]:
    """Read the manifests of all shards and check that they belong together.

    Raises:
        InputError: a shard is missing, or they do not belong together; the text names the file.
    """
    num_shards = shard_of(paths[0]).num_shards
    missing = {paths[0].with_name(manifest_name(Shard(i, num_shards))) for i in range(num_shards)} - set(paths)
    if missing:
        raise InputError(f"{min(missing)} does not exist; all {num_shards} shards are needed")
    return load_some_shards(paths)


def load_some_shards(paths: Sequence[Path]) -> list[Manifest]:
    """Read the manifests of shards, of which some may be missing, and check that they belong together.

    Raises:
        InputError: they have different provenance or another shard count; the text names the file.
    """
    for path in paths:
        if shard_of(path).num_shards != shard_of(paths[0]).num_shards:
            raise InputError(f"{describe_run(path)}, {describe_run(paths[0])}; remove the one that is out of date")
    manifests = [Manifest.load(path) for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        differences = provenance_differences(manifests[0].provenance, manifest.provenance)
        if differences:
            raise InputError(f"{path} has another provenance than {paths[0]}: {'; '.join(differences)}")
    return manifests


def merge_shards(target: Path, paths: Sequence[Path]) -> None:
    """Merge the manifests of all shards into one and remove them; if they are merged already, only remove them.

    Raises:
        InputError: they do not belong together, or the target exists and does not have all of their entries.
    """
    if target.exists():
        _check_merged(target, paths)
    else:
        manifests = load_shards(paths)
        entries = {index: entry for manifest in manifests for index, entry in manifest.entries().items()}
        Manifest(target, manifests[0].provenance, entries).save()
    for path in paths:
        remove_manifest(path)
    logger.info("%s merged into %s", counted(len(paths), "shard"), target)


def _check_merged(target: Path, paths: Sequence[Path]) -> None:
    """Reject shards of which the target does not have every entry, as it has after a merge that was stopped."""
    merged = Manifest.load(target)
    for path in paths:
        shard = Manifest.load(path)
        if shard.provenance != merged.provenance or not shard.entries().items() <= merged.entries().items():
            raise InputError(f"{target} and {path} both record the same folder; remove the one that is out of date")
