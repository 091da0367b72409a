"""A folder of score rows: for each shard a manifest, which records provenance and failures, and a file of rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.naming import Shard
from x3d.scoring.table import ScoreTable
from x3d.storage.entries import Entry
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_differences
from x3d.storage.score_rows import ScoreRows, read_score_rows
from x3d.storage.shards import find_manifests, load_shards, manifest_name, shard_of

ROWS_SUFFIX = ".rows"
CONDITIONS = (
    "engine",
    "device",
    "batch_size",
    "model_digest",
    "list_digest",
    "view_format",
    "score_format",
    "versions",
)
"""Keys of the provenance that the conditions of an accuracy repeat."""


def rows_path(manifest: Path) -> Path:
    """Name the file of rows that goes with a manifest."""
    return manifest.with_suffix(ROWS_SUFFIX)


def is_eval_folder(folder: str) -> bool:
    """Check whether an evaluation wrote a folder."""
    root = Path(folder)
    return bool(folder) and root.is_dir() and any(rows_path(path).exists() for path in find_manifests(root))


def open_shard(
    folder: str, shard: Shard, provenance: Mapping[str, Any], num_classes: int
) -> tuple[Manifest, ScoreRows]:
    """Open a shard of a folder, new or to be resumed; the caller closes the rows, which hold the lock.

    Raises:
        ValueError: the folder has another provenance or shard count, holds rows of unknown origin, or is in use.
    """
    root = Path(folder)
    path = root / manifest_name(shard)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_manifests(find_manifests(root), shard, provenance)
        manifest = Manifest.load(path) if path.exists() else _start(path, provenance)
        rows = ScoreRows(rows_path(path), num_classes)
        try:
            _check_videos(rows_path(path), rows.done, shard, provenance["num_videos"])
            for index in rows.done.tolist():
                manifest.forget(index)
            manifest.save()
        except BaseException:
            rows.close()
            raise
    except OSError as error:
        raise ValueError(f"X3D_EVALUATE.OUTPUT_PATH {folder}: {error.strerror}") from error
    return manifest, rows


def _check_manifests(paths: Sequence[Path], shard: Shard, provenance: Mapping[str, Any]) -> None:
    """Reject manifests with another shard count or provenance."""
    for path in paths:
        if shard_of(path).num_shards != shard.num_shards:
            raise ValueError(
                f"{path} is one of {shard_of(path).num_shards} shards, --num_shards is {shard.num_shards}; "
                "give another X3D_EVALUATE.OUTPUT_PATH"
            )
        differences = provenance_differences(Manifest.load(path).provenance, provenance)
        if differences:
            raise ValueError(
                f"{path} has another provenance: {'; '.join(differences)}. Give another X3D_EVALUATE.OUTPUT_PATH"
            )


def _start(path: Path, provenance: Mapping[str, Any]) -> Manifest:
    """Make a manifest for a shard without rows."""
    rows = rows_path(path)
    if rows.exists() and rows.stat().st_size:
        raise ValueError(
            f"{rows} holds rows without {path.name}, so of unknown origin; give another X3D_EVALUATE.OUTPUT_PATH"
        )
    return Manifest(path, provenance)


def _check_videos(path: Path, videos: np.ndarray, shard: Shard, num_videos: int) -> None:
    """Reject rows of videos that are not in the list or belong to another shard."""
    for video in videos.tolist():
        if not 0 <= video < num_videos:
            raise ValueError(
                f"{path} holds video {video}, the list has {num_videos} videos; remove the file, or give another folder"
            )
        if not shard.owns(video):
            raise ValueError(f"{path} holds video {video}, which belongs to shard {shard.owner(video)}")


def read_rows(
    folder: str,
    num_classes: int,
    ensemble_method: str,
    labels: Sequence[int] | None = None,
    annotations: str = "",
) -> ScoreTable:
    """Read the rows of all shards of a folder.

    Args:
        labels: of the listed videos; None: those in the rows count.
        annotations: path of the list that `labels` come from.
    Raises:
        ValueError: a shard is missing, duplicated or has another provenance, or the rows were made with other settings;
            the text names the file.
    """
    paths = find_manifests(Path(folder))
    manifests = load_shards(paths)
    provenance = manifests[0].provenance
    _check_complete(paths[0], provenance)
    made_with = provenance["config"]["DATA.ENSEMBLE_METHOD"]
    if made_with != ensemble_method:
        raise ValueError(f"{folder} holds views aggregated by {made_with}: set DATA.ENSEMBLE_METHOD {made_with}")
    if provenance["num_classes"] != num_classes:
        made_for = provenance["num_classes"]
        raise ValueError(f"{folder} holds scores of {made_for} classes: set MODEL.NUM_CLASSES {made_for}")
    parts = []
    for path in paths:
        parts.append(read_score_rows(rows_path(path), num_classes))
        _check_videos(rows_path(path), parts[-1]["video"], shard_of(path), provenance["num_videos"])
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["video"])]
    failed = {index: entry for manifest in manifests for index, entry in manifest.failed().items()}
    return _table(rows, failed, provenance, folder, labels, annotations)


def _check_complete(path: Path, provenance: Mapping[str, Any]) -> None:
    """Reject a provenance without the keys that scoring reads."""
    config = provenance.get("config")
    missing = [key for key in ("num_classes", "num_videos") if not isinstance(provenance.get(key), int)]
    if not isinstance(config, dict) or "DATA.ENSEMBLE_METHOD" not in config:
        missing.append("config: DATA.ENSEMBLE_METHOD")
    if missing:
        raise ValueError(f"{path} is damaged: its provenance has no {', '.join(missing)}; give another folder")


def _table(
    rows: np.ndarray,
    failed: Mapping[int, Entry],
    provenance: Mapping[str, Any],
    folder: str,
    listed_labels: Sequence[int] | None,
    annotations: str,
) -> ScoreTable:
    videos, labels, num_videos = rows["video"], rows["label"], provenance["num_videos"]
    incomplete = np.setdiff1d(np.arange(num_videos), videos).tolist()
    missing = [f"video {video}: {failed.get(video, {}).get('text', 'not evaluated')}" for video in incomplete]
    problems = [f"video {video} is unlabelled (-1)" for video in videos[labels < 0]]
    problems += [
        f"video {row['video']} has scores that are not finite" for row in rows if not np.isfinite(row["scores"]).all()
    ]
    if listed_labels is not None:
        problems += _list_problems(videos, labels, num_videos, listed_labels, annotations)
    conditions = {**provenance["config"], "MODEL.NUM_CLASSES": provenance["num_classes"]}
    conditions |= {key: provenance.get(key) for key in CONDITIONS}
    return ScoreTable(folder, rows["scores"], labels, annotations or folder, conditions, incomplete, missing, problems)


def _list_problems(
    videos: np.ndarray, labels: np.ndarray, num_videos: int, listed: Sequence[int], source: str
) -> list[str]:
    if len(listed) != num_videos:
        return [f"{source} lists {len(listed)} videos, the rows were made from {num_videos}"]
    return [
        f"video {video} has label {label}; {source} lists it with {listed[video]}"
        for video, label in zip(videos, labels, strict=True)
        if listed[video] != label
    ]
