"""The tables of classes and of confusions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from x3d.scoring.intervals import wilson_intervals
from x3d.scoring.predictions import NUM_BEST, Predictions

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames


def class_rows(predictions: Predictions, names: "ClassNames") -> list[dict[str, Any]]:
    """Make a row of each class, in their order: its accuracy with the interval, and the class it loses most to."""
    counts = predictions.confusions(predictions.table.labelled)
    labels, ranks = predictions.table.labels, predictions.ranks
    num_videos, num_correct = counts.sum(axis=1), counts.diagonal()
    num_top5 = np.bincount(labels[(ranks > 0) & (ranks <= NUM_BEST)], minlength=len(counts))
    num_predicted = np.bincount(predictions.predicted, minlength=len(counts))
    intervals = wilson_intervals(num_correct, np.maximum(num_videos, 1))
    rows = []
    for number, total in enumerate(num_videos.tolist()):
        low, high = intervals[number].tolist()
        rows.append(
            {
                "class": number,
                "name": names.name(number),
                "num_videos": total,
                "num_correct": int(num_correct[number]),
                "percent": 100 * int(num_correct[number]) / total if total else None,
                "low": low if total else None,
                "high": high if total else None,
                "num_top5": int(num_top5[number]),
                "num_predicted": int(num_predicted[number]),
                "lost_to": _lost_to(counts[number], number, names),
            }
        )
    return rows


def _lost_to(counts: np.ndarray, number: int, names: "ClassNames") -> dict[str, Any] | None:
    others = counts.copy()
    others[number] = 0
    most = int(others.argmax())
    return {"class": most, "name": names.name(most), "count": int(others[most])} if others[most] else None


def confusion_rows(predictions: Predictions, names: "ClassNames") -> list[dict[str, Any]]:
    """Make a row of each pair of confused classes, the most frequent first, with the count of the other direction.

    The direction with the higher count names the row: `true` is the label, `predicted` the class it is confused with.
    """
    counts = predictions.confusions(predictions.table.labelled)
    num_videos = counts.sum(axis=1)
    smaller, larger = np.nonzero(np.triu(counts + counts.T, k=1))
    swapped = counts[larger, smaller] > counts[smaller, larger]
    true, predicted = np.where(swapped, larger, smaller), np.where(swapped, smaller, larger)
    order = np.lexsort((predicted, true, -counts[predicted, true], -counts[true, predicted]))
    return [
        {
            "true": t,
            "true_name": names.name(t),
            "predicted": p,
            "predicted_name": names.name(p),
            "count": int(counts[t, p]),
            "reverse_count": int(counts[p, t]),
            "num_true": int(num_videos[t]),
            "num_reverse": int(num_videos[p]),
        }
        for t, p in zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    ]
