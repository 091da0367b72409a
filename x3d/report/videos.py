"""The lists of single videos: failed ones, confident errors, and those whose views disagree."""

from typing import TYPE_CHECKING, Any

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.errors import REASONS
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import ScoreTable

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

MAX_ERRORS = 100
MAX_DISAGREEING = 50
MAX_EXAMPLES = 20


def failure_rows(table: ScoreTable) -> list[dict[str, Any]]:
    """Count the listed videos without scores by reason, the most frequent first, with examples."""
    texts: dict[str, list[str]] = {}
    for failure in table.failures.values():
        texts.setdefault(failure.reason, []).append(failure.text)
    return [
        {
            "reason": reason or "incomplete",
            "meaning": REASONS.get(reason, "not scored yet, or views are missing, and nothing records why"),
            "num_videos": len(found),
            "examples": found[:MAX_EXAMPLES],
        }
        for reason, found in sorted(texts.items(), key=lambda item: -len(item[1]))
    ]


def confident_errors(predictions: Predictions, names: "ClassNames") -> list[dict[str, Any]]:
    """List the wrong videos whose predicted class has the highest probability, the highest first."""
    wrong = np.flatnonzero(predictions.wrong)
    order = wrong[np.argsort(-predictions.confidences[wrong], kind="stable")][:MAX_ERRORS]
    return [{**_describe(predictions, row, names), "rank": int(predictions.ranks[row])} for row in order.tolist()]


def disagreeing(predictions: Predictions, names: "ClassNames") -> list[dict[str, Any]]:
    """List the videos whose views agree least with the video's best class, and of those the least confident first."""
    order = np.lexsort((predictions.confidences, predictions.num_agreeing))
    differs = order[predictions.num_agreeing[order] < predictions.table.num_views]
    return [_describe(predictions, row, names) for row in differs[:MAX_DISAGREEING].tolist()]


def _describe(predictions: Predictions, row: int, names: "ClassNames") -> dict[str, Any]:
    table = predictions.table
    label, predicted = int(table.labels[row]), int(predictions.predicted[row])
    return {
        "path": table.path(int(table.videos[row])),
        "label": label if label != UNLABELLED else None,
        "label_name": names.name(label) if label != UNLABELLED else None,
        "predicted": predicted,
        "predicted_name": names.name(predicted),
        "probability": float(predictions.confidences[row]),
        "num_agreeing": int(predictions.num_agreeing[row]),
    }
