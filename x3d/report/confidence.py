"""What the probabilities of a run are worth: calibration, and accuracy of the most confident share."""

import dataclasses
from typing import Any

import numpy as np

from x3d.report.shares import share
from x3d.scoring.calibration import calibrate
from x3d.scoring.predictions import Predictions
from x3d.scoring.selective import coverage_curve


def calibrations(predictions: Predictions) -> dict[str, Any] | None:
    """Compute the calibration of videos and of single views, apart; None if no video with scores has a label."""
    table = predictions.table
    if not table.labelled.any():
        return None
    confidences, correct = predictions.confidences[table.labelled], predictions.correct[table.labelled]
    of_views = table.view_classes[table.labelled] == table.labels[table.labelled, None]
    videos = np.repeat(np.arange(len(of_views)), table.num_views)
    return {
        "videos": _calibration(confidences, correct),
        "views": _calibration(table.view_probabilities[table.labelled].ravel(), of_views.ravel(), videos),
    }


def _calibration(confidences: np.ndarray, correct: np.ndarray, groups: np.ndarray | None = None) -> dict[str, Any]:
    found = calibrate(confidences, correct, groups=groups)
    return {
        "ece_percent": found.ece,
        "null_ece_percent": found.null_ece,
        "null_high_percent": found.null_high,
        "ece_low_percent": found.ece_low,
        "ece_high_percent": found.ece_high,
        "mean_confidence_percent": 100 * float(confidences.mean(dtype=np.float64)),
        "accuracy_percent": 100 * float(correct.mean()),
        "num_correct": int(correct.sum()),
        "num_videos": len(correct),
        "bins": [dataclasses.asdict(bin_) for bin_ in found.bins],
    }


def coverage_rows(predictions: Predictions) -> list[dict[str, Any]]:
    """Compute the accuracy of the most confident videos, for growing shares of them; empty without labels."""
    labelled = predictions.table.labelled
    if not labelled.any():
        return []
    points = coverage_curve(predictions.confidences[labelled], predictions.correct[labelled])
    return [
        {
            "coverage_percent": point.coverage_percent,
            "num_videos": point.num_videos,
            "num_correct": point.num_correct,
            "accuracy_percent": point.accuracy_percent,
            **{limit: share(point.num_correct, point.num_videos)[limit] for limit in ("low", "high")},
            "threshold": point.threshold,
        }
        for point in points
    ]
