"""Find classes that the candidate of a comparison lost, which a verdict over all classes may hide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from x3d.scoring.comparison import ClassChange, Comparison

MIN_LOST = 5
"""Videos lost more than gained: among 400 classes, a few flips would come together by chance."""


@dataclass(frozen=True)
class Exchange:
    """Two classes of which the candidate predicts most videos as the other one; the first has the lower number."""

    classes: tuple[int, int]
    num_confused: tuple[int, int]
    num_videos: tuple[int, int]


@dataclass(frozen=True)
class LostClass:
    """A class whose drop is clearly above the margin, and the exchange that explains it, if one does."""

    change: ClassChange
    exchange: Exchange | None


def find_lost_classes(comparison: Comparison) -> Sequence[LostClass]:
    """List the classes whose lower limit of the drop is above the margin, those that lost most first; none unlabelled.

    The drop is at least of MIN_LOST videos.
    """
    decision = comparison.decision
    if not decision:
        return []
    lost = [
        change
        for change in comparison.changed_classes()
        if change.num_lost - change.num_gained >= MIN_LOST and change.low_points > decision.margin_points
    ]
    return [LostClass(change, find_exchange(comparison, change.label)) for change in lost]


def find_exchange(comparison: Comparison, label: int) -> Exchange | None:
    """Find the class that the candidate exchanges with another: it predicts most videos of each as the other."""
    of_label = comparison.of_candidate.classes[comparison.labels == label]
    other = int(np.bincount(of_label).argmax())
    of_other = comparison.of_candidate.classes[comparison.labels == other]
    confused = int((of_label == other).sum()), int((of_other == label).sum())
    if other == label or 2 * confused[0] <= len(of_label) or 2 * confused[1] <= len(of_other):
        return None
    found = sorted(zip((label, other), confused, (len(of_label), len(of_other)), strict=True))
    (first, *counts), (second, *others) = found
    return Exchange((first, second), (counts[0], others[0]), (counts[1], others[1]))
