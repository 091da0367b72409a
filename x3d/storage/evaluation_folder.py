"""A folder of x3d_evaluate.py: for each shard a manifest, which says what it was made from, and a journal of rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.naming import Shard
from x3d.scoring.table import ScoreTable
from x3d.storage.manifest import Manifest, check_shards, find_manifests, manifest_name, shard_of
from x3d.storage.provenance import facts_differ
from x3d.storage.score_rows import Journal, read_journal

JOURNAL_SUFFIX = ".rows"
EVALUATED_WITH = ("engine", "device", "batch_size", "model_digest", "list_digest", "versions")
"""Facts that the conditions of an accuracy repeat."""


def journal_path(manifest: Path) -> Path:
    """Name the journal that goes with a manifest."""
    return manifest.with_suffix(JOURNAL_SUFFIX)


def is_eval_folder(folder: str) -> bool:
    """Tell whether x3d_evaluate.py wrote a folder."""
    root = Path(folder)
    return bool(folder) and root.is_dir() and any(journal_path(path).exists() for path in find_manifests(root))


def open_shard(folder: str, shard: Shard, facts: Mapping[str, Any], num_classes: int) -> tuple[Manifest, Journal]:
    """Make a shard of a folder ready: new, or as an earlier run of the same facts left it.

    Raises:
        ValueError: the folder was made from something else, holds another sharding, or is in use.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        return _open_shard(Path(folder), shard, facts, num_classes)
    except OSError as error:
        raise ValueError(f"X3D_EVALUATE.OUTPUT_PATH {folder}: {error.strerror}") from error


def _open_shard(root: Path, shard: Shard, facts: Mapping[str, Any], num_classes: int) -> tuple[Manifest, Journal]:
    own = root / manifest_name(shard)
    manifest = Manifest(own, facts, {})
    for path in find_manifests(root):
        if shard_of(path).num_shards != shard.num_shards:
            raise ValueError(f"{path} is of another sharding than --num_shards {shard.num_shards}; give another folder")
        found = Manifest.load(path)
        differences = facts_differ(found.facts, facts)
        if differences:
            raise ValueError(
                f"{path} was made from something else: {'; '.join(differences)}. Give another X3D_EVALUATE.OUTPUT_PATH"
            )
        manifest = found if path == own else manifest
    rows = journal_path(own)
    if not own.exists() and rows.exists() and rows.stat().st_size:
        raise ValueError(f"{rows} holds rows without {own.name}, so of unknown origin; give another folder")
    journal = Journal(rows, num_classes)
    for index in journal.done.tolist():
        manifest.videos.pop(index, None)
    try:
        manifest.save()
    except BaseException:
        journal.close()
        raise
    return manifest, journal


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
    manifests = check_shards(paths)
    facts = manifests[0].facts
    if facts["config"]["DATA.ENSEMBLE_METHOD"] != ensemble_method:
        made = facts["config"]["DATA.ENSEMBLE_METHOD"]
        raise ValueError(f"{folder} holds views joined by {made}: set DATA.ENSEMBLE_METHOD {made}")
    if facts["num_classes"] != num_classes:
        raise ValueError(f"{folder} holds {facts['num_classes']} classes: set MODEL.NUM_CLASSES {facts['num_classes']}")
    journals = [read_journal(journal_path(path), num_classes) for path in paths]
    for path, journal in zip(paths, journals, strict=True):
        shard = shard_of(path)
        foreign = [video for video in journal["video"].tolist() if not shard.owns(video)]
        if foreign:
            raise ValueError(
                f"{journal_path(path)} holds video {foreign[0]}, which is shard {foreign[0] % shard.num_shards}'s"
            )
    rows = np.concatenate(journals)
    rows = rows[np.argsort(rows["video"], kind="stable")]
    failed = {index: entry for manifest in manifests for index, entry in manifest.videos.items()}
    return _table(rows, failed, facts, folder, labels, annotations)


def _table(
    rows: np.ndarray,
    failed: Mapping[int, Mapping[str, Any]],
    facts: Mapping[str, Any],
    folder: str,
    listed_labels: Sequence[int] | None,
    annotations: str,
) -> ScoreTable:
    videos, labels, num_videos = rows["video"], rows["label"], facts["num_videos"]
    incomplete = np.setdiff1d(np.arange(num_videos), videos).tolist()
    missing = [f"video {video}: {failed.get(video, {}).get('text', 'not evaluated')}" for video in incomplete]
    faults = [f"video {video} is unlabelled (-1)" for video in videos[labels < 0]]
    faults += [f"video {video} is not of the {num_videos} listed" for video in videos[videos >= num_videos]]
    faults += [
        f"video {row['video']} has scores that are not finite" for row in rows if not np.isfinite(row["scores"]).all()
    ]
    source = folder
    if listed_labels is not None:
        source = annotations
        faults += _list_faults(videos, labels, num_videos, listed_labels, source)
    conditions = {**facts["config"], "MODEL.NUM_CLASSES": facts["num_classes"]}
    conditions |= {key: facts.get(key) for key in EVALUATED_WITH}
    return ScoreTable(folder, rows["scores"], labels, source, conditions, incomplete, missing, faults)


def _list_faults(
    videos: np.ndarray, labels: np.ndarray, num_videos: int, listed: Sequence[int], source: str
) -> list[str]:
    if len(listed) != num_videos:
        return [f"{source} lists {len(listed)} videos, the rows were made from {num_videos}"]
    return [
        f"video {video} has label {label}; {source} says {listed[video]}"
        for video, label in zip(videos, labels, strict=True)
        if video < num_videos and listed[video] != label
    ]
