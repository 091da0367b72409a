"""Read the score rows of an evaluation, of all its shards, into a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from x3d.errors import InputError, counted
from x3d.scoring.aggregate import SCORE_FORMAT
from x3d.scoring.outputs import SOFTMAX_KEY, Outputs, are_alike
from x3d.scoring.table import UNKNOWN_LABEL, Failure, ScoreTable
from x3d.storage.atomic import is_locked
from x3d.storage.entries import Entry
from x3d.storage.evaluation_folder import check_videos, rows_path
from x3d.storage.expected_list import ExpectedList
from x3d.storage.list_copy import read_list_copy
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_seed
from x3d.storage.score_rows import has_means, read_score_rows, row_type_of
from x3d.storage.shards import find_manifests, load_shards, shard_of

CONDITIONS = (
    "engine",
    "device",
    "precision",
    "batch_size",
    "model_digest",
    "list_digest",
    "view_format",
    "score_format",
    "versions",
)
"""Keys of the provenance that the conditions of an accuracy repeat."""


def read_rows(
    folder: str,
    num_classes: int,
    ensemble_method: str,
    listed: ExpectedList | None = None,
    outputs: Outputs = Outputs.SOFTMAX,
) -> ScoreTable:
    """Read the rows of all shards of a folder.

    Args:
        listed: None: the labels in the rows count.
        outputs: what the model returned.
    Raises:
        InputError: a shard is missing, duplicated or has another provenance, or the rows were made with other settings;
            the text names the file.
    """
    paths = find_manifests(Path(folder))
    if not paths:
        raise InputError(
            f"{folder} holds rows without manifest.json, so of unknown origin; restore it, or give another folder"
        )
    manifests = load_shards(paths)
    provenance = manifests[0].provenance
    _check_complete(paths[0], provenance)
    _check_keys(folder, provenance, num_classes, ensemble_method, outputs)
    if listed:
        listed.check_digest(provenance.get("list_digest"), str(paths[0]))
    parts = []
    for path in paths:
        parts.append(read_score_rows(rows_path(path), row_type_of(provenance), provenance_seed(provenance)))
        check_videos(rows_path(path), parts[-1]["video"], shard_of(path), provenance["num_videos"])
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["video"])]
    known = listed or read_list_copy(Path(folder), provenance.get("list_digest"))
    return _table(rows, manifests, provenance, folder, known)


def _check_keys(
    folder: str, provenance: Mapping[str, Any], num_classes: int, ensemble_method: str, outputs: Outputs
) -> None:
    """Reject keys that contradict those that the rows were made with."""
    made_with = provenance["config"]["DATA.ENSEMBLE_METHOD"]
    if made_with != ensemble_method:
        raise InputError(f"{folder} holds views aggregated by {made_with}: set DATA.ENSEMBLE_METHOD {made_with}")
    if provenance["num_classes"] != num_classes:
        made_for = provenance["num_classes"]
        raise InputError(f"{folder} holds scores of {made_for} classes: set MODEL.NUM_CLASSES {made_for}")
    is_softmax = bool(provenance["config"].get(SOFTMAX_KEY))
    if is_softmax != (outputs is Outputs.LOGITS):
        done = "after" if is_softmax else "without"
        raise InputError(f"{folder} holds scores aggregated {done} a softmax: set {SOFTMAX_KEY} {is_softmax}")


def _check_complete(path: Path, provenance: Mapping[str, Any]) -> None:
    """Reject a provenance without the keys that scoring reads."""
    config = provenance.get("config")
    needed = ("num_classes", "num_videos", "views_per_video")
    missing = [key for key in needed if not isinstance(provenance.get(key), int)]
    if not isinstance(config, dict) or "DATA.ENSEMBLE_METHOD" not in config:
        missing.append("config: DATA.ENSEMBLE_METHOD")
    if missing:
        raise InputError(f"{path} is damaged: its provenance has no {', '.join(missing)}; give another folder")
    if provenance.get("score_format") != SCORE_FORMAT:
        raise InputError(
            f"{path} records rows of format {provenance.get('score_format')}, this version reads {SCORE_FORMAT}; run "
            "x3d_evaluate.py again with another X3D_EVALUATE.OUTPUT_PATH"
        )


def _table(
    rows: np.ndarray,
    manifests: Sequence[Manifest],
    provenance: Mapping[str, Any],
    folder: str,
    listed: ExpectedList | None,
) -> ScoreTable:
    scores = np.ascontiguousarray(rows["scores"])
    videos = rows["video"][~np.isfinite(scores).all(axis=1)]
    problems = [f"video {video} has scores that are not finite" for video in videos]
    if len(np.unique(rows["source"])) > 1 and are_alike(scores):
        problems.append(f"{folder} holds the same scores for every video: the model ignores its input; check it")
    if listed:
        problems += _list_problems(rows["video"], rows["label"], provenance["num_videos"], listed)
    failed = {index: entry for manifest in manifests for index, entry in manifest.failed().items()}
    return ScoreTable(
        folder=folder,
        videos=rows["video"].copy(),
        labels=rows["label"].copy(),
        scores=scores,
        view_classes=rows["view_classes"].copy(),
        view_probabilities=rows["view_probabilities"].copy(),
        listed_labels=_listed_labels(rows, failed, provenance["num_videos"], listed),
        expected_from=listed.source if listed else folder,
        listed_paths=listed.paths if listed else (),
        failures=_find_failures(rows["video"], failed, manifests, provenance["num_videos"]),
        means=rows["means"].copy() if has_means(rows.dtype) else None,
        sources=rows["source"].copy(),
        conditions=_conditions(provenance),
        problems=problems,
    )


def _describe_place(rows: Path) -> str:
    """Describe where a row is missing, and what to do."""
    if is_locked(rows):
        return f"{rows} yet, where x3d_evaluate.py still runs; wait until it ends"
    return f"{rows}; run x3d_evaluate.py to score it"


def _listed_labels(
    rows: np.ndarray, failed: Mapping[int, Entry], num_videos: int, listed: ExpectedList | None
) -> np.ndarray:
    """Collect the label of every listed video: (N,) int64, UNKNOWN_LABEL if nothing records it."""
    labels = np.full(num_videos, UNKNOWN_LABEL)
    for index, entry in failed.items():
        labels[index] = entry["label"]
    if listed and len(listed.labels) == num_videos:
        labels[:] = listed.labels
    labels[rows["video"]] = rows["label"]
    return labels


def _find_failures(
    videos: np.ndarray, failed: Mapping[int, Entry], manifests: Sequence[Manifest], num_videos: int
) -> dict[int, Failure]:
    """Find out why listed videos have no row."""
    places = {shard_of(manifest.path).shard_id: _describe_place(rows_path(manifest.path)) for manifest in manifests}
    failures = {}
    for video in np.setdiff1d(np.arange(num_videos), videos).tolist():
        entry = failed.get(video)
        reason = entry["reason"] if entry else ""
        text = entry["text"] if entry else f"has no row in {places[video % len(places)]}"
        failures[video] = Failure(reason, f"video {video}{':' if entry else ''} {text}")
    return failures


def _conditions(provenance: Mapping[str, Any]) -> dict[str, Any]:
    made_with = {**provenance["config"], "MODEL.NUM_CLASSES": provenance["num_classes"]}
    return made_with | {key: provenance.get(key) for key in CONDITIONS}


def _list_problems(videos: np.ndarray, labels: np.ndarray, num_videos: int, listed: ExpectedList) -> list[str]:
    if len(listed.labels) != num_videos:
        return [f"{listed.source} lists {counted(len(listed.labels), 'video')}, the rows were made from {num_videos}"]
    return [
        f"video {video} has label {label}; {listed.source} lists it with {listed.labels[video]}"
        for video, label in zip(videos, labels, strict=True)
        if listed.labels[video] != label
    ]
