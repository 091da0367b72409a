"""Read the score rows of an evaluation, of all its shards, into a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.errors import InputError
from x3d.scoring.outputs import SOFTMAX_KEY, Outputs, are_alike
from x3d.scoring.table import ScoreTable
from x3d.storage.atomic import is_locked
from x3d.storage.entries import Entry
from x3d.storage.evaluation_folder import check_videos, rows_path
from x3d.storage.expected_list import ExpectedList
from x3d.storage.provenance import provenance_seed
from x3d.storage.score_rows import read_score_rows
from x3d.storage.shards import find_manifests, load_shards, shard_of

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
    places = {shard_of(path).shard_id: _describe_place(rows_path(path)) for path in paths}
    parts = []
    for path in paths:
        parts.append(read_score_rows(rows_path(path), num_classes, provenance_seed(provenance)))
        check_videos(rows_path(path), parts[-1]["video"], shard_of(path), provenance["num_videos"])
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["video"])]
    failed = {index: entry for manifest in manifests for index, entry in manifest.failed().items()}
    return _table(rows, failed, provenance, folder, places, listed)


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
    missing = [key for key in ("num_classes", "num_videos") if not isinstance(provenance.get(key), int)]
    if not isinstance(config, dict) or "DATA.ENSEMBLE_METHOD" not in config:
        missing.append("config: DATA.ENSEMBLE_METHOD")
    if missing:
        raise InputError(f"{path} is damaged: its provenance has no {', '.join(missing)}; give another folder")


def _table(
    rows: np.ndarray,
    failed: Mapping[int, Entry],
    provenance: Mapping[str, Any],
    folder: str,
    places: Mapping[int, str],
    listed: ExpectedList | None,
) -> ScoreTable:
    videos, num_videos = rows["video"], provenance["num_videos"]
    problems = [
        f"video {row['video']} has scores that are not finite" for row in rows if not np.isfinite(row["scores"]).all()
    ]
    if len(np.unique(rows["source"])) > 1 and are_alike(rows["scores"]):
        problems.append(f"{folder} holds the same scores for every video: the model ignores its input; check it")
    if listed:
        problems += _list_problems(videos, rows["label"], num_videos, listed)
    labels = {index: entry["label"] for index, entry in failed.items()}
    labels |= dict(enumerate(listed.labels if listed else []))
    labels |= dict(zip(videos.tolist(), rows["label"].tolist(), strict=True))
    unlabelled = [video for video in range(num_videos) if labels.get(video) == UNLABELLED]
    incomplete = np.setdiff1d(np.arange(num_videos), [*videos, *unlabelled]).tolist()
    rows = rows[rows["label"] != UNLABELLED]
    return ScoreTable(
        folder=folder,
        scores=rows["scores"],
        labels=rows["label"],
        expected_from=listed.source if listed else folder,
        conditions=_conditions(provenance),
        incomplete=incomplete,
        missing=[_describe_missing(video, failed.get(video), places[video % len(places)]) for video in incomplete],
        problems=problems,
        unlabelled=unlabelled,
    )


def _describe_place(rows: Path) -> str:
    """Describe where a row is missing, and what to do."""
    if is_locked(rows):
        return f"{rows} yet, where x3d_evaluate.py still runs; wait until it ends"
    return f"{rows}; run x3d_evaluate.py to score it"


def _describe_missing(video: int, failure: Entry | None, place: str) -> str:
    return f"video {video}: {failure['text']}" if failure else f"video {video} has no row in {place}"


def _conditions(provenance: Mapping[str, Any]) -> dict[str, Any]:
    made_with = {**provenance["config"], "MODEL.NUM_CLASSES": provenance["num_classes"]}
    return made_with | {key: provenance.get(key) for key in CONDITIONS}


def _list_problems(videos: np.ndarray, labels: np.ndarray, num_videos: int, listed: ExpectedList) -> list[str]:
    if len(listed.labels) != num_videos:
        return [f"{listed.source} lists {len(listed.labels)} videos, the rows were made from {num_videos}"]
    return [
        f"video {video} has label {label}; {listed.source} lists it with {listed.labels[video]}"
        for video, label in zip(videos, labels, strict=True)
        if listed.labels[video] != label
    ]
