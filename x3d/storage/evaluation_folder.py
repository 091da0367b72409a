"""A folder of score rows: for each shard a manifest, which records provenance and failures, and a file of rows."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.annotations import Video
from x3d.dataset.naming import Shard, parse_manifest_name
from x3d.errors import InputError, counted, one_line
from x3d.storage.atomic import remove_leftovers
from x3d.storage.list_copy import LIST_NAME, write_list_copy
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_differences, provenance_seed
from x3d.storage.score_rows import ScoreRows, row_type_of, source_of_row
from x3d.storage.shards import describe_run, find_manifests, manifest_name, shard_of
from x3d.video.source import find_changed

ROWS_SUFFIX = ".rows"


def rows_path(manifest: Path) -> Path:
    """Name the file of rows that goes with a manifest."""
    return manifest.with_suffix(ROWS_SUFFIX)


def count_rows(folder: str, shard: Shard, dtype: np.dtype) -> int:
    """Count the rows of a shard by the size of their file, before they are read and checked."""
    try:
        return os.path.getsize(rows_path(Path(folder) / manifest_name(shard))) // dtype.itemsize
    except OSError:
        return 0


def is_eval_folder(folder: str) -> bool:
    """Check whether an evaluation wrote a folder.

    Raises:
        InputError: a manifest in it is damaged.
    """
    root = Path(folder)
    if not folder or not root.is_dir():
        return False
    has_rows = any(name.endswith(ROWS_SUFFIX) and _is_own(name) for name in os.listdir(root))
    return has_rows or any("score_format" in Manifest.load(path).provenance for path in find_manifests(root))


def _is_own(name: str) -> bool:
    """Check for the name of the list, of a manifest or of its rows."""
    return name == LIST_NAME or parse_manifest_name(re.sub(rf"{re.escape(ROWS_SUFFIX)}$", ".json", name)) is not None


def open_shard(
    folder: str, shard: Shard, provenance: Mapping[str, Any], videos: Sequence[Video]
) -> tuple[Manifest, ScoreRows]:
    """Open a shard of a folder, new or to be resumed; the caller closes the rows, which hold the lock.

    Args:
        videos: the whole list.
    Raises:
        InputError: the folder holds foreign files or rows of unknown origin, has another provenance or shard count, or
            is in use.
    """
    root = Path(folder)
    path = root / manifest_name(shard)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_names(root)
        _check_manifests(find_manifests(root), shard, provenance)
        if not path.exists():
            _check_blank(path)
        rows = ScoreRows(rows_path(path), row_type_of(provenance), provenance_seed(provenance))
        try:
            remove_leftovers(path)
            remove_leftovers(rows.path)
            earlier = [Manifest.load(found).provenance.get("list_digest", "") for found in find_manifests(root)]
            write_list_copy(root, videos, earlier)
            manifest = _load_or_start(path, provenance)
            scored = rows.rows["video"]
            check_videos(rows_path(path), scored, shard, provenance["num_videos"])
            for index in scored.tolist():
                manifest.forget(index)
            manifest.save()
            _check_manifests(find_manifests(root), shard, provenance)  # again: another may have started meanwhile
        except BaseException:
            rows.close()
            raise
    except OSError as error:
        raise InputError(f"X3D_EVALUATE.OUTPUT_PATH {error.filename or folder}: {error.strerror}") from error
    return manifest, rows


def _check_names(root: Path) -> None:
    """Reject a folder with anything but the files of an evaluation; hidden files are passed over."""
    for name in sorted(os.listdir(root)):
        if not name.startswith(".") and not _is_own(name):
            raise InputError(
                f"X3D_EVALUATE.OUTPUT_PATH {root} holds {one_line(name)}, which is no file of an evaluation; "
                "give another folder"
            )


def drop_changed(rows: ScoreRows, videos: Iterable[Video]) -> None:
    """Remove the rows of videos whose files have another content than when they were scored, and report them.

    Rows of videos whose files do not exist stand.

    Raises:
        OSError: the rows cannot be written.
    """
    listed = {video.index: video for video in videos}
    changed = find_changed((listed[int(row["video"])], source_of_row(row)) for row in rows.rows)
    if changed:
        rows.drop(changed)


def _check_manifests(paths: Sequence[Path], shard: Shard, provenance: Mapping[str, Any]) -> None:
    """Reject manifests with another shard count, or with rows and another provenance."""
    for path in paths:
        if shard_of(path).num_shards != shard.num_shards:
            raise InputError(
                f"{describe_run(path)}, --num_shards is {shard.num_shards}; give another X3D_EVALUATE.OUTPUT_PATH"
            )
        differences = provenance_differences(Manifest.load(path).provenance, provenance)
        if differences and not _is_blank(path):
            raise InputError(
                f"{path} has another provenance: {'; '.join(differences)}. Give another X3D_EVALUATE.OUTPUT_PATH"
            )


def _is_blank(manifest: Path) -> bool:
    """Check whether an evaluation was started and has no rows, so that another may take its place."""
    rows = rows_path(manifest)
    return rows.exists() and not rows.stat().st_size


def _check_blank(path: Path) -> None:
    """Reject rows without a manifest."""
    rows = rows_path(path)
    if rows.exists() and rows.stat().st_size:
        raise InputError(
            f"{rows} holds rows without {path.name}, so of unknown origin; give another X3D_EVALUATE.OUTPUT_PATH"
        )


def _load_or_start(path: Path, provenance: Mapping[str, Any]) -> Manifest:
    """Load the manifest of a locked shard, or make one; a shard without rows may have had another provenance."""
    if path.exists():
        manifest = Manifest.load(path)
        if not provenance_differences(manifest.provenance, provenance):
            return manifest
        _check_blank(path)
    return Manifest(path, provenance)


def check_videos(path: Path, videos: np.ndarray, shard: Shard, num_videos: int) -> None:
    """Reject rows of videos that are not in the list or belong to another shard."""
    for video in videos.tolist():
        if not 0 <= video < num_videos:
            raise InputError(
                f"{path} holds video {video}, the list has {counted(num_videos, 'video')}; remove the file, or "
                "give another folder"
            )
        if not shard.owns(video):
            raise InputError(f"{path} holds video {video}, which belongs to shard {shard.owner(video)}")
