"""Confidence intervals of shares."""

from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95


def normal_quantile(confidence: float) -> float:
    """Compute how many standard errors a two-sided interval extends: 1.96 for 0.95, 1.645 for 0.9."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(num: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Compute the Wilson score interval of a share, in percent (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

    37 of 49 is 75.5 %, with a 95 % interval from 61.9 to 85.4. Of a total of 0 it is 0 to 100.
    """
    low, high = wilson_intervals(np.array([num]), np.array([total]), confidence)[0].tolist()
    return low, high


def wilson_intervals(num: np.ndarray, total: np.ndarray, confidence: float = CONFIDENCE) -> np.ndarray:
    """Compute the Wilson score intervals of many shares, as `wilson_interval` does for one.

    Args:
        num, total: (k,) int, or float: an effective number of videos.
    Returns:
        (k, 2) float64, lower and upper limits in percent.
    """
    square = normal_quantile(confidence) ** 2
    centre = num + square / 2
    half_width = np.sqrt(square * (num * (1 - num / np.maximum(total, 1)) + square / 4))
    limits = np.stack([centre - half_width, centre + half_width], axis=1)
    return np.asarray(np.clip(100 * limits / (total + square)[:, None], 0, 100))
