"""Aggregate the scores of a video's views."""

import numpy as np

SCORE_FORMAT = 3
"""Number of the arithmetic from views to a row of scores (settings of the engines, batches, aggregation) and of the
row's layout (x3d.storage.score_rows): raised with every change, so that a folder never mixes rows of two."""

SUM = "sum"
ENSEMBLE_METHODS = {SUM: np.add, "max": np.maximum}


def aggregate_views(views: np.ndarray, method: str) -> np.ndarray:
    """Aggregate the views of one video, as PySlowFast's TestMeter does (`slowfast/utils/meters.py`).

    Args:
        views: (V, num_classes) float32, in the order of the views, which fixes the rounding of the sum.
        method: sum, or max: the maximum starting from zero.
    Returns:
        (num_classes,) float32.
    """
    scores: np.ndarray = ENSEMBLE_METHODS[method].reduce(views, axis=0, initial=np.float32(0))
    return scores


def best_of_views(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the best class of each view, of equal ones the lowest, and its probability.

    Args:
        views: (V, num_classes) float32.
    Returns:
        (V,) int32 and (V,) float32.
    """
    return views.argmax(axis=1).astype(np.int32), views.max(axis=1)


def mean_of_views(views: np.ndarray) -> np.ndarray:
    """Compute the mean of the views' probabilities: (num_classes,) float32 of (V, num_classes) float32."""
    return aggregate_views(views, SUM) / np.float32(len(views))
