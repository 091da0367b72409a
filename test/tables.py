"""Make score tables and scores of videos for tests."""

from typing import Any

import numpy as np

from x3d.scoring.aggregate import best_of_views
from x3d.scoring.table import Failure, ScoreTable
from x3d.storage.score_rows import VideoScores
from x3d.video.source import Source


def score_table(scores: Any, labels: Any, missing: dict[int, str] | None = None, **changes: Any) -> ScoreTable:
    """Make the table of a run with one view per video.

    Args:
        missing: of videos with a label and without scores, by position after those with scores.
    """
    rows = np.asarray(scores, dtype=np.float32)
    given = np.asarray(labels, dtype=np.int64)
    failures = {video: Failure("", text) for video, text in (missing or {}).items()}
    view_classes, view_probabilities = best_of_views(rows)
    values: dict[str, Any] = {
        "folder": "eval",
        "videos": np.arange(len(given)),
        "labels": given,
        "scores": rows,
        "view_classes": view_classes[:, None],
        "view_probabilities": view_probabilities[:, None],
        "listed_labels": np.concatenate([given, np.zeros(len(failures), np.int64)]),
        "expected_from": "test.csv",
        "failures": failures,
    }
    return ScoreTable(**values | changes)


def video_scores(scores: Any, source: Source, rotation: int = 0, corrupt_frames: int = 0) -> VideoScores:
    """Make the scores of a video with one view."""
    rows = np.asarray(scores, dtype=np.float32)[None]
    view_classes, view_probabilities = best_of_views(rows)
    return VideoScores(rows[0], view_classes, view_probabilities, source, None, rotation, corrupt_frames)
