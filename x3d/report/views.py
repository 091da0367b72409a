"""How the views of a video agree, and what one view alone would score."""

from typing import Any

import numpy as np

from x3d.report.shares import share
from x3d.scoring.predictions import Predictions


def view_summary(predictions: Predictions) -> dict[str, Any]:
    """Count the videos by the number of views that agree, and compute the top-1 of single views."""
    table = predictions.table
    num_groups = table.num_views + 1
    videos, labelled, correct = (
        np.bincount(predictions.num_agreeing[chosen], minlength=num_groups).tolist()
        for chosen in (slice(None), table.labelled, predictions.correct)
    )
    has_labels = bool(table.labelled.any())
    return {
        "top1": _top1_of_views(predictions) if has_labels else None,
        "mean_agreement_percent": 100 * float(predictions.num_agreeing.mean()) / table.num_views,
        "agreement": [
            {
                "num_agreeing": number,
                "num_videos": videos[number],
                "num_labelled": labelled[number],
                "num_correct": correct[number] if has_labels else None,
            }
            for number in range(num_groups)
        ],
    }


def _top1_of_views(predictions: Predictions) -> dict[str, Any]:
    """Compute the top-1 over views, with the interval of as many videos: views of one video are not independent."""
    table = predictions.table
    correct = table.view_classes[table.labelled] == table.labels[table.labelled, None]
    as_videos = share(round(float(correct.mean(axis=1).sum())), len(correct))
    return {**share(int(correct.sum()), correct.size), "low": as_videos["low"], "high": as_videos["high"]}
