"""Selective accuracy: how accurate are the videos that a run is most confident of?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARES = tuple(range(5, 101, 5))


@dataclass(frozen=True)
class CoveragePoint:
    """The most confident videos.

    Attributes:
        coverage_percent: their share of all videos.
        threshold: the lowest confidence among them, on the scale of the confidences.
    """

    coverage_percent: float
    num_videos: int
    num_correct: int
    accuracy_percent: float
    threshold: float


def coverage_curve(
    confidences: np.ndarray, correct: np.ndarray, shares: Sequence[float] = SHARES
) -> list[CoveragePoint]:
    """Compute the accuracy of the most confident videos, for several shares of all videos.

    Videos with equal confidences are in or out together, so that their order in the list has no influence: a point has
    the smallest such set that reaches its share. Shares with the same set make one point.

    Args:
        confidences: (n,) float.
        correct: (n,) bool.
        shares: of the videos, in percent, increasing.
    Returns:
        By increasing coverage; no point if there are no videos.
    """
    order = np.argsort(-confidences, kind="stable")
    ranked, num_correct = confidences[order], np.cumsum(correct[order])
    num_videos = len(ranked)
    at_least = [max(int(np.ceil(share * num_videos / 100)), 1) for share in shares] if num_videos else []
    sizes = sorted({int(np.searchsorted(-ranked, -ranked[size - 1], side="right")) for size in at_least})
    return [
        CoveragePoint(
            coverage_percent=100 * size / num_videos,
            num_videos=size,
            num_correct=int(num_correct[size - 1]),
            accuracy_percent=100 * int(num_correct[size - 1]) / size,
            threshold=float(ranked[size - 1]),
        )
        for size in sizes
    ]
