"""Find classes whose labels look wrong: too many of their videos are recognised, without doubt, as one other class."""

import math
from dataclasses import dataclass

import numpy as np

from x3d.scoring.predictions import Predictions

NEARLY_ALL = 0.8
"""Share of a video's views that must agree."""
USUAL_QUANTILE = 0.25
"""A video is recognised without doubt if its probability is above this quantile of the correct videos'."""
MIN_VIDEOS = 3
MIN_CLASSES = 3
"""Two classes leave no other class to compare with."""
SIGNIFICANCE = 0.001
"""Of all classes together, after Bonferroni."""


@dataclass(frozen=True)
class SuspiciousPair:
    """Videos of a class that are recognised as another one.

    Attributes:
        label, predicted: the two classes.
        num_label: labelled videos of `label`.
        num_confused: of these, videos recognised as `predicted`.
        num_certain: of these, certain errors, as certain_errors finds them.
        num_reverse: videos of `predicted` that are recognised as `label`.
        num_predicted: labelled videos of `predicted`.
    """

    label: int
    predicted: int
    num_label: int
    num_confused: int
    num_certain: int
    num_reverse: int
    num_predicted: int


def min_agreeing(num_views: int) -> int:
    """Compute how many of a video's views are nearly all: 24 of 30."""
    return math.ceil(NEARLY_ALL * num_views)


def certain_errors(predictions: Predictions) -> np.ndarray:
    """Find wrong videos that look like correct ones of their predicted class: (n,) bool.

    They are as probable, nearly all their views agree, and their label is not even the second best class. A wrong label
    looks like that. An error of the network is mostly less probable, and its label, a similar class, is second best.
    """
    correct = predictions.confidences[predictions.correct]
    if not len(correct):
        return np.zeros(len(predictions.ranks), bool)
    usual = predictions.confidences >= np.quantile(correct, USUAL_QUANTILE)
    agreed = predictions.num_agreeing >= min_agreeing(predictions.table.num_views)
    return np.asarray((predictions.ranks > 2) & usual & agreed)


def find_suspicious_pairs(predictions: Predictions) -> list[SuspiciousPair]:
    """Find the pairs of classes whose labels look wrong, the one with the most certain errors first.

    The certain errors of a class for one other class are compared with the certain errors of the other classes for any
    class, by Fisher's exact test (one-sided). That is cautious: networks confuse similar classes more than others. They
    must also be more than half of the certain errors for that other class, which the network may prefer to all.
    """
    every = predictions.confusions(predictions.table.labelled)
    certain = predictions.confusions(certain_errors(predictions))
    pairs = [
        SuspiciousPair(
            label=label,
            predicted=predicted,
            num_label=int(every[label].sum()),
            num_confused=int(every[label, predicted]),
            num_certain=int(certain[label, predicted]),
            num_reverse=int(every[predicted, label]),
            num_predicted=int(every[predicted].sum()),
        )
        for label, predicted in np.argwhere(certain >= MIN_VIDEOS).tolist()
        if _is_suspicious(label, predicted, certain, every.sum(axis=1))
    ]
    return sorted(pairs, key=lambda pair: -pair.num_certain)


def _is_suspicious(label: int, predicted: int, certain: np.ndarray, num_videos: np.ndarray) -> bool:
    """Check one direction of a pair of classes, that with more certain errors.

    Args:
        certain: (C, C) int, certain errors by label and predicted class.
        num_videos: (C,) int, of each label.
    """
    from scipy.stats import hypergeom

    number, reverse = int(certain[label, predicted]), int(certain[predicted, label])
    num_classes = int((num_videos > 0).sum())
    if num_classes < MIN_CLASSES or (number, predicted) < (reverse, label) or 2 * number <= certain[:, predicted].sum():
        return False
    elsewhere = int(certain.sum() - certain[label].sum()) - reverse
    chance = hypergeom.sf(number - 1, int(num_videos.sum()), elsewhere + number, int(num_videos[label]))
    return bool(chance < SIGNIFICANCE / num_classes)
