"""Aggregate the scores of a video's views."""

import numpy as np

SCORE_FORMAT = 2
"""Number of the arithmetic from views to a row of scores (settings of the engines, batches, aggregation) and of the
row's layout (x3d.storage.score_rows): raised with every change, so that a folder never mixes rows of two."""

ENSEMBLE_METHODS = {"sum": np.add, "max": np.maximum}


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
