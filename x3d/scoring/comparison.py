"""Compare the scores of two runs on the same videos: what a conversion or another engine changed.

Dimensions: m compared videos, V views per video, C classes.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from x3d.errors import InputError
from x3d.scoring.noninferiority import Decision, judge, mcnemar_p_value, tango_interval
from x3d.scoring.pairing import Pairs, pair_videos
from x3d.scoring.predictions import MIN_PROBABILITY, NUM_BEST, Predictions
from x3d.scoring.table import ScoreTable

CHUNK = 1024
"""Videos whose probabilities are held as float64 at a time."""


@dataclass(frozen=True)
class PairedPredictions:
    """What a run predicts for the compared videos.

    Attributes:
        classes: (m,) int64, the best class.
        confidences: (m,) float32, the probability of it.
        correct: (m,) bool, whether it is the label.
        in_top5: (m,) bool, whether the label is among the five best classes.
    """

    classes: np.ndarray
    confidences: np.ndarray
    correct: np.ndarray
    in_top5: np.ndarray

    @classmethod
    def of_rows(cls, table: ScoreTable, rows: np.ndarray) -> "PairedPredictions":
        """Select the predictions of the compared videos of a table."""
        found = Predictions.of_table(table)
        in_top5 = (found.ranks > 0) & (found.ranks <= NUM_BEST)
        return cls(found.predicted[rows], found.confidences[rows], found.correct[rows], in_top5[rows])


@dataclass(frozen=True)
class ViewChanges:
    """The best classes of the views, view by view: of all compared views, and of those with a label."""

    num_views: int
    num_agreeing: int
    num_labelled: int
    num_lost: int
    num_gained: int


@dataclass(frozen=True)
class ClassChange:
    """The videos of a class that changed between right and wrong; the limits are Tango's, of the drop in points."""

    label: int
    num_videos: int
    num_lost: int
    num_gained: int
    low_points: float
    high_points: float

    @property
    def drop_points(self) -> float:
        """By how much the candidate's accuracy is lower."""
        return 100 * (self.num_lost - self.num_gained) / self.num_videos


@dataclass(frozen=True)
class Comparison:
    """Two runs on the videos that both scored.

    Attributes:
        common: whether what only one run has was left out.
        labels: (m,) int64, -1 without a label.
        max_difference, mean_difference: of the probabilities, absolute.
        divergences: (m,) float64, Kullback-Leibler, of the candidate from the reference.
        decision: on the videos with a label; None without any.
        views: None if the runs have other numbers of views.
    """

    reference: ScoreTable
    candidate: ScoreTable
    common: bool
    pairs: Pairs
    labels: np.ndarray
    of_reference: PairedPredictions
    of_candidate: PairedPredictions
    max_difference: float
    mean_difference: float
    divergences: np.ndarray
    decision: Decision | None
    views: ViewChanges | None

    @property
    def num_videos(self) -> int:
        """Compared videos."""
        return len(self.labels)

    @property
    def num_labelled(self) -> int:
        """Compared videos with a label."""
        return int((self.labels >= 0).sum())

    @property
    def lost(self) -> np.ndarray:
        """Which videos are right in the reference only: (m,) bool."""
        return np.asarray(self.of_reference.correct & ~self.of_candidate.correct)

    @property
    def gained(self) -> np.ndarray:
        """Which videos are right in the candidate only: (m,) bool."""
        return np.asarray(self.of_candidate.correct & ~self.of_reference.correct)

    @property
    def changed(self) -> np.ndarray:
        """Which videos have two best classes: (m,) bool."""
        return np.asarray(self.of_reference.classes != self.of_candidate.classes)

    @property
    def mcnemar_p(self) -> float:
        """Exact two-sided p-value of as many lost and gained videos."""
        return mcnemar_p_value(int(self.lost.sum()), int(self.gained.sum()))

    def path(self, number: int) -> str:
        """Name a compared video by the path that a run knows, or by its number in the reference's list."""
        ours = int(self.reference.videos[self.pairs.reference[number]])
        theirs = int(self.candidate.videos[self.pairs.candidate[number]])
        places = ((self.reference.listed_paths, ours), (self.candidate.listed_paths, theirs))
        known = [paths[position] for paths, position in places if paths and paths[position]]
        return known[0] if known else self.reference.path(ours)

    def changed_classes(self) -> Sequence[ClassChange]:
        """List the classes with a video that changed, those that lost most first."""
        num_videos, num_lost, num_gained = (
            np.bincount(self.labels[chosen], minlength=self.reference.num_classes).tolist()
            for chosen in (self.labels >= 0, self.lost, self.gained)
        )
        limits = functools.cache(tango_interval)  # many classes have the same counts
        changes = []
        for label in np.unique(self.labels[self.lost | self.gained]).tolist():
            counts = num_lost[label], num_gained[label], num_videos[label]
            low, high = limits(*counts)
            changes.append(ClassChange(label, counts[2], *counts[:2], 100 * low, 100 * high))
        return sorted(changes, key=lambda change: (change.num_gained - change.num_lost, -change.num_lost))


def compare_tables(
    reference: ScoreTable, candidate: ScoreTable, margin_points: float, common: bool = False
) -> Comparison:
    """Compare two runs video by video; those without a label take part in all but the accuracy.

    Args:
        margin_points: the loss of top-1 that is accepted, in points.
        common: compare what both runs have, as pair_videos does.
    Raises:
        InputError: the margin is not above 0 and below 100, or the runs cannot be paired.
    """
    if not 0 < margin_points < 100:
        raise InputError(f"--margin {margin_points:g} is no loss in points; give a number above 0 and below 100")
    pairs = pair_videos(reference, candidate, common)
    labels = reference.labels[pairs.reference].astype(np.int64)
    ours = PairedPredictions.of_rows(reference, pairs.reference)
    theirs = PairedPredictions.of_rows(candidate, pairs.candidate)
    num_lost, num_gained = int((ours.correct & ~theirs.correct).sum()), int((theirs.correct & ~ours.correct).sum())
    num_labelled = int((labels >= 0).sum())
    return Comparison(
        reference,
        candidate,
        common,
        pairs,
        labels,
        ours,
        theirs,
        *_compare_probabilities(reference, candidate, pairs),
        decision=judge(num_lost, num_gained, num_labelled, margin_points) if num_labelled else None,
        views=_compare_views(reference, candidate, pairs, labels),
    )


def _compare_probabilities(
    reference: ScoreTable, candidate: ScoreTable, pairs: Pairs
) -> tuple[float, float, np.ndarray]:
    """Compute largest and mean absolute difference, and the divergence of each video."""
    largest, total = 0.0, 0.0
    divergences = np.empty(len(pairs.reference))
    for start in range(0, len(divergences), CHUNK):
        part = slice(start, start + CHUNK)
        ours = reference.probabilities[pairs.reference[part]].astype(np.float64)
        theirs = candidate.probabilities[pairs.candidate[part]].astype(np.float64)
        differences = np.abs(ours - theirs)
        largest, total = max(largest, float(differences.max())), total + float(differences.sum())
        divergences[part] = kl_divergences(ours, theirs)
    return largest, total / (len(divergences) * reference.num_classes), divergences


def kl_divergences(reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Compute the Kullback-Leibler divergence of each row from that of the reference, with natural logarithms.

    Args:
        reference, candidate: (n, C) float64; divided by the sum of their row and clipped at MIN_PROBABILITY.
    Returns:
        (n,) float64.
    """
    p, q = (np.maximum(rows / rows.sum(axis=1, keepdims=True), MIN_PROBABILITY) for rows in (reference, candidate))
    divergences: np.ndarray = (p * np.log(p / q)).sum(axis=1)
    return divergences


def _compare_views(
    reference: ScoreTable, candidate: ScoreTable, pairs: Pairs, labels: np.ndarray
) -> ViewChanges | None:
    if reference.num_views != candidate.num_views:
        return None
    ours, theirs = reference.view_classes[pairs.reference], candidate.view_classes[pairs.candidate]
    was_right, is_right = ours == labels[:, None], theirs == labels[:, None]
    return ViewChanges(
        num_views=ours.size,
        num_agreeing=int((ours == theirs).sum()),
        num_labelled=int((labels >= 0).sum()) * reference.num_views,
        num_lost=int((was_right & ~is_right).sum()),
        num_gained=int((is_right & ~was_right).sum()),
    )
