"""Compare the views found with the views expected."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from x3d.scoring.table import Failure


@dataclass(frozen=True)
class Audit:
    """Difference between the views found and the views expected.

    Attributes:
        complete: (n,) int64, the videos that have all their views.
        incomplete: (m,) int64, the videos with missing views.
        missing: int64, the views that are not found.
        problems: unexpected, duplicate or contradictory views, one text each.
    """

    complete: np.ndarray
    incomplete: np.ndarray
    missing: np.ndarray
    problems: list[str]


def audit_views(
    views: np.ndarray, labels: np.ndarray, expected: np.ndarray, expected_labels: np.ndarray, views_per_video: int
) -> Audit:
    """Compare the views found with those expected.

    Args:
        views, labels: (n,) int64, sorted by view.
        expected, expected_labels: (m,) int64, sorted, no view twice.
        views_per_video: V; every video named in `expected` needs all V.
    """
    videos = np.unique(expected // views_per_video)
    needed = (videos[:, None] * views_per_video + np.arange(views_per_video)).ravel()
    missing = np.setdiff1d(needed, views)
    incomplete = np.unique(missing // views_per_video)

    problems = [f"view {view} has more than one result" for view in np.unique(views[1:][np.diff(views) == 0])]
    known = np.isin(views, expected)
    problems += [
        f"view {view} (label {label}) is not expected"
        for view, label in zip(views[~known], labels[~known], strict=True)
    ]
    right_labels = expected_labels[np.searchsorted(expected, views[known])]
    wrong = labels[known] != right_labels
    problems += [
        f"view {view} has label {label}, its video {view // views_per_video} has label {right}"
        for view, label, right in zip(views[known][wrong], labels[known][wrong], right_labels[wrong], strict=True)
    ]
    return Audit(np.setdiff1d(videos, incomplete), incomplete, missing, problems)


def find_failures(audit: Audit, num_views: int, recorded: Mapping[int, Failure]) -> dict[int, Failure]:
    """Name the missing views of each incomplete video, by its position.

    Args:
        recorded: why videos have no views, by position.
    """
    failures: dict[int, Failure] = {}
    if not len(audit.incomplete):
        return failures
    starts = np.searchsorted(audit.missing, audit.incomplete * num_views)
    for video, missing in zip(audit.incomplete, np.split(audit.missing, starts[1:]), strict=True):
        names = " ".join(map(str, missing)) if len(missing) < num_views else f"all {num_views}"
        failure = recorded.get(int(video), Failure("", ""))
        if failure.text:
            names += f", {failure.text}"
        text = f"video {video} misses views: {names}"
        failures[int(video)] = Failure(failure.reason, text)
    return failures


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
