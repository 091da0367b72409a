"""Find classes whose labels look wrong: too many of their videos are recognised, without doubt, as one other class."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from x3d.scoring.predictions import Predictions

NEARLY_ALL = 0.8
"""Share of a video's views that must agree."""
USUAL_QUANTILE = 0.25
"""A video is recognised without doubt if its probability is above this quantile of the correct videos'."""
MIN_VIDEOS = 3
SIGNIFICANCE = 0.001
"""Of all classes together, after Bonferroni."""


@dataclass(frozen=True)
class SuspiciousPair:
    """Videos of a class that are recognised as another one.

    Attributes:
        label, predicted: the two classes.
        num_label: labelled videos of `label`.
        num_confused: of these, videos recognised as `predicted`.
        num_certain: of these, videos recognised without doubt and by nearly all their views.
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
    """Find wrong videos that look like correct ones: probable, and nearly all views agree: (n,) bool.

    A wrong label looks like that; an error of the network is mostly less probable.
    """
    correct = predictions.confidences[predictions.correct]
    if not len(correct):
        return np.zeros(len(predictions.ranks), bool)
    usual = predictions.confidences >= np.quantile(correct, USUAL_QUANTILE)
    agreed = predictions.num_agreeing >= min_agreeing(predictions.table.num_views)
    return np.asarray(predictions.wrong & usual & agreed)


def find_suspicious_pairs(predictions: Predictions) -> list[SuspiciousPair]:
    """Find the pairs of classes whose labels look wrong, the one with the most certain errors first.

    The certain errors of a class for one other class are compared with the certain errors of the other classes for any
    class, by Fisher's exact test (one-sided). That is cautious: networks confuse similar classes more than others.
    """
    table = predictions.table
    num_videos = np.bincount(table.labels[table.labelled], minlength=table.num_classes)
    limit = SIGNIFICANCE / max(1, int((num_videos > 0).sum()))
    confused = _count(predictions, predictions.wrong)
    certain = _count(predictions, certain_errors(predictions))
    of_class = np.bincount([label for label, _ in certain], list(certain.values()), minlength=table.num_classes)
    found = []
    for (label, predicted), number in certain.items():
        pair, swapped = (label, predicted), (predicted, label)
        reverse = certain.get(swapped, 0)
        if number < MIN_VIDEOS or (number, swapped) < (reverse, pair):
            continue
        elsewhere = int(of_class.sum() - of_class[label]) - reverse
        chance = stats.hypergeom.sf(number - 1, int(num_videos.sum()), elsewhere + number, int(num_videos[label]))
        if chance < limit:
            counts = (int(num_videos[label]), confused[pair], number, confused.get(swapped, 0))
            found.append(SuspiciousPair(*pair, *counts, int(num_videos[predicted])))
    return sorted(found, key=lambda pair: -pair.num_certain)


def _count(predictions: Predictions, chosen: np.ndarray) -> dict[tuple[int, int], int]:
    """Count the chosen videos by label and predicted class."""
    pairs = np.stack([predictions.table.labels[chosen], predictions.predicted[chosen]], axis=1)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    return dict(zip(map(tuple, unique.tolist()), counts.tolist(), strict=True))
