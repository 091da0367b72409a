"""Do confidences match accuracies? Expected calibration error over bins of equally many videos (Nixon 2019).

The error of n videos, each with a confidence and right (1) or wrong (0), is the sum over the bins of
|sum of (confidence - right)| / n. Even a perfectly calibrated run has a positive one: 2.5 % with 2,000 videos and 15
bins, 11.6 % with 100. So it means something only beside its null level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from x3d.scoring.intervals import wilson_intervals

NUM_BINS = 15
NUM_REPLICATES = 200


@dataclass(frozen=True)
class Bin:
    """Videos of similar confidence, in percent.

    Attributes:
        low, high: lowest and highest confidence.
        confidence: mean confidence.
        accuracy_low, accuracy_high: 95 % Wilson interval of the accuracy; of groups, that of an effective number.
    """

    low: float
    high: float
    num_videos: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error (ECE) of a run, its null level and its interval, in percent.

    Attributes:
        null_ece, null_high: mean and 95 % quantile of the ECE if the confidences are right: if each video is right with
            the probability that its confidence is, and the members of a group are right together as far as they can.
        ece_low, ece_high: 95 % bootstrap interval over the videos or groups.
        bins: by increasing confidence.
    """

    ece: float
    null_ece: float
    null_high: float
    ece_low: float
    ece_high: float
    bins: Sequence[Bin]


def calibrate(
    confidences: np.ndarray,
    correct: np.ndarray,
    num_bins: int = NUM_BINS,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Calibration:
    """Compute the calibration error of a run, its null level and its interval.

    The interval is the basic one, 2 ECE - quantile (Davison and Hinkley 1997, 5.2), widened to contain the ECE: the
    replicates' errors are higher than the ECE by about as much as that is higher than the true error, and the usual
    percentile interval would add this once more. Whether the error is more than chance is shown by the null level.

    Args:
        confidences: (n,) float, probabilities of the predicted classes.
        correct: (n,) bool.
        groups: (n,) int, numbers from 0, such as the video of each view, whose members are not independent: bootstrap
            and null level draw whole groups, and the limits of the bins count groups. None: each video is its own.
    Raises:
        ValueError: there are no videos.
    """
    if not len(confidences):
        raise ValueError("no video has a confidence, so there is no calibration")
    order = np.argsort(confidences, kind="stable")
    sorted_confidences, hits = confidences[order].astype(np.float64).clip(0, 1), correct[order].astype(np.float64)
    starts = split_bins(sorted_confidences, num_bins)
    of_group = np.arange(len(order)) if groups is None else groups[order]
    random = np.random.default_rng(seed)
    null = _simulate_null(sorted_confidences, starts, of_group, random)
    ece = _error(sorted_confidences - hits, starts)
    replicates = _bootstrap(sorted_confidences - hits, starts, of_group, random)
    high, low = 2 * ece - np.quantile(replicates, (0.025, 0.975))
    return Calibration(
        ece=100 * ece,
        null_ece=100 * float(null.mean()),
        null_high=100 * float(np.quantile(null, 0.95)),
        ece_low=100 * min(max(float(low), 0.0), ece),
        ece_high=100 * max(float(high), ece),
        bins=_describe_bins(sorted_confidences, hits, starts, of_group),
    )


def split_bins(confidences: np.ndarray, num_bins: int) -> np.ndarray:
    """Split sorted confidences into bins of equally many videos, but equal confidences into no two bins.

    Args:
        confidences: (n,) float, increasing.
    Returns:
        (at most num_bins,) int, where each bin starts; the first is 0.
    """
    equal_mass = np.arange(num_bins) * len(confidences) // num_bins
    return np.unique(np.searchsorted(confidences, confidences[equal_mass]))


def _error(gaps: np.ndarray, starts: np.ndarray) -> float:
    """Compute the error from confidence - right of each video, in the order of the bins."""
    return float(np.abs(np.add.reduceat(gaps, starts)).sum() / len(gaps))


def _simulate_null(
    confidences: np.ndarray, starts: np.ndarray, groups: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Compute the errors of NUM_REPLICATES runs whose videos are right as often as their confidences are."""
    num_groups = int(groups.max()) + 1
    return np.array(
        [_error(confidences - (random.random(num_groups)[groups] < confidences), starts) for _ in range(NUM_REPLICATES)]
    )


def _bootstrap(gaps: np.ndarray, starts: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Compute the errors of NUM_REPLICATES samples of the groups, with replacement, in the same bins."""
    sums = _sum_groups(gaps, starts, groups)
    num_groups = len(sums)
    errors = []
    for _ in range(NUM_REPLICATES):
        weights = np.bincount(random.integers(num_groups, size=num_groups), minlength=num_groups)
        errors.append(np.abs(weights @ sums).sum() / len(gaps))
    return np.array(errors)


def _sum_groups(values: np.ndarray, starts: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Add the values of each group in each bin: (number of groups, number of bins) float64."""
    num_groups, num_bins = int(groups.max()) + 1, len(starts)
    bins = np.repeat(np.arange(num_bins), np.diff([*starts, len(values)]))
    return np.bincount(groups * num_bins + bins, values, num_groups * num_bins).reshape(num_groups, num_bins)


def _describe_bins(confidences: np.ndarray, hits: np.ndarray, starts: np.ndarray, groups: np.ndarray) -> list[Bin]:
    ends = np.array([*starts[1:], len(hits)])
    sizes = ends - starts
    num_correct = np.add.reduceat(hits, starts)
    effective = _effective_sizes(starts, groups)
    columns = (
        100 * confidences[starts],
        100 * confidences[ends - 1],
        sizes,
        100 * np.add.reduceat(confidences, starts) / sizes,
        100 * num_correct / sizes,
        *wilson_intervals(num_correct * (effective / sizes), effective).T,
    )
    return [Bin(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _effective_sizes(starts: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Count how many independent videos each bin is worth if the members of a group are right together.

    It is size^2 / sum of (members of a group in the bin)^2 (Kish 1965, Survey Sampling): 600 views of 20 videos, 30 of
    each, are worth 20.
    """
    members = _sum_groups(np.ones(len(groups)), starts, groups)
    return np.asarray(members.sum(axis=0) ** 2 / (members**2).sum(axis=0))
