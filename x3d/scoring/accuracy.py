"""From scores of views to accuracy: pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

METHODS = {"sum": np.add, "max": np.maximum}


def join_views(views: np.ndarray, method: str) -> np.ndarray:
    """Join the views of one video, as PySlowFast's TestMeter does (`slowfast/utils/meters.py`).

    Args:
        views: (V, num_classes) float32, in the order of the views, which fixes the rounding of the sum.
        method: sum, or max: the maximum starting from zero.
    Returns:
        (num_classes,) float32.
    """
    return METHODS[method].reduce(views, axis=0, initial=np.float32(0))


def count_top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> int:
    """Count the videos whose label is among the k best classes; of equal scores the lower class comes first.

    Args:
        scores: (num_videos, num_classes) float32.
        labels: (num_videos,) int.
    """
    if not len(labels):
        return 0
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    classes = np.arange(scores.shape[1])
    ahead = (scores > own) | ((scores == own) & (classes < labels[:, None]))
    return int((ahead.sum(axis=1) < k).sum())


def percent(correct: int, total: int) -> str:
    """Spell a share as PySlowFast does: float32 arithmetic, two decimals."""
    return f"{float(np.float32(correct) / np.float32(total) * np.float32(100)):.2f}"


def stats(correct: Mapping[int, int], total: int) -> dict[str, str]:
    """Make PySlowFast's final line: the percentage of videos right within the top k, for each k of `correct`."""
    return {"split": "test_final"} | {f"top{k}_acc": percent(count, total) for k, count in correct.items()}


@dataclass(frozen=True)
class Audit:
    """What was found against what was expected.

    Attributes:
        complete: (n,) int64, the expected videos that have all their views.
        incomplete: (m,) int64, the expected videos that have not.
        missing: int64, the views that are not there.
        faults: views that should not be there or contradict each other, one text each.
    """

    complete: np.ndarray
    incomplete: np.ndarray
    missing: np.ndarray
    faults: list[str]


def audit_views(
    views: np.ndarray, labels: np.ndarray, expected: np.ndarray, expected_labels: np.ndarray, views_per_video: int
) -> Audit:
    """Hold the views found against those expected.

    Args:
        views, labels: (n,) int64, sorted by view.
        expected, expected_labels: (m,) int64, sorted, no view twice.
        views_per_video: V; every video named in `expected` needs all V.
    """
    videos = np.unique(expected // views_per_video)
    needed = (videos[:, None] * views_per_video + np.arange(views_per_video)).ravel()
    missing = np.setdiff1d(needed, views)
    incomplete = np.unique(missing // views_per_video)

    faults = [f"view {view} is there more than once" for view in np.unique(views[1:][np.diff(views) == 0])]
    known = np.isin(views, expected)
    faults += [
        f"view {view} (label {label}) was not expected"
        for view, label in zip(views[~known], labels[~known], strict=True)
    ]
    said = expected_labels[np.searchsorted(expected, views[known])]
    wrong = labels[known] != said
    faults += [
        f"view {view} has label {label}, its video {view // views_per_video} has label {right}"
        for view, label, right in zip(views[known][wrong], labels[known][wrong], said[wrong], strict=True)
    ]
    faults += [f"video {video} is unlabelled (-1)" for video in np.unique(views[labels < 0] // views_per_video)]
    return Audit(np.setdiff1d(videos, incomplete), incomplete, missing, faults)


def majority_labels(views: np.ndarray, labels: np.ndarray, views_per_video: int) -> np.ndarray:
    """Give each view the label that most views of its video have.

    Args:
        views, labels: (n,) int64, sorted by view.
    Returns:
        (n,) int64.
    """
    of_view = views // views_per_video
    first = labels[np.searchsorted(of_view, of_view)]
    if (labels == first).all():
        return first
    pairs, counts = np.unique(np.stack([of_view, labels], axis=1), axis=0, return_counts=True)
    pairs = pairs[np.lexsort((counts, pairs[:, 0]))]
    videos, labels_by_count = pairs[:, 0], pairs[:, 1]
    last_of_video = np.searchsorted(videos, of_view, side="right") - 1
    return labels_by_count[last_of_video]
