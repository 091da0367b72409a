"""What a run predicts for each video: its best classes, the rank of its label, how many views agree.

Dimensions as in x3d.scoring.table: n videos with scores, V views per video, C classes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from x3d.scoring.table import ScoreTable

NUM_BEST = 5
MIN_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Predictions:
    """The predictions of the videos with scores; K is 5, or C if there are fewer classes.

    Attributes:
        table: what they were made from.
        best: (n, K) int64, the best classes by score, the best first, of equal ones the lower class first.
        probabilities: (n, K) float32, the mean probability of each of them.
        ranks: (n,) int64, the rank of the label from 1, and 0 without a label.
        num_agreeing: (n,) int64, the views whose best class is the video's.
    """

    table: ScoreTable
    best: np.ndarray
    probabilities: np.ndarray
    ranks: np.ndarray
    num_agreeing: np.ndarray

    @classmethod
    def of_table(cls, table: ScoreTable) -> "Predictions":
        """Rank the classes of each video."""
        best = best_classes(table.scores, NUM_BEST)
        ranks = np.zeros(len(table.labels), np.int64)
        ranks[table.labelled] = label_ranks(table.scores[table.labelled], table.labels[table.labelled])
        return cls(
            table=table,
            best=best,
            probabilities=np.take_along_axis(table.probabilities, best, axis=1),
            ranks=ranks,
            num_agreeing=(table.view_classes == best[:, :1]).sum(axis=1),
        )

    @property
    def predicted(self) -> np.ndarray:
        """The best class of each video: (n,) int64."""
        return np.asarray(self.best[:, 0])

    @property
    def confidences(self) -> np.ndarray:
        """The probability of the best class of each video: (n,) float32."""
        return np.asarray(self.probabilities[:, 0])

    @property
    def correct(self) -> np.ndarray:
        """Whether the best class is the label: (n,) bool, False without a label."""
        return np.asarray(self.ranks == 1)

    @property
    def wrong(self) -> np.ndarray:
        """Whether the best class is another one than the label: (n,) bool, False without a label."""
        return np.asarray(self.ranks > 1)

    @cached_property
    def entropies(self) -> np.ndarray:
        """The entropy of each video's normalised probabilities, in nats: (n,) float64."""
        return np.array([entropy(row) for row in self.table.probabilities])

    def confusions(self, chosen: np.ndarray) -> np.ndarray:
        """Count chosen videos by label and predicted class: (C, C) int64.

        Args:
            chosen: (n,) bool, among the labelled videos.
        """
        num_classes = self.table.num_classes
        pairs = self.table.labels[chosen] * num_classes + self.predicted[chosen]
        return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def best_classes(scores: np.ndarray, num_best: int) -> np.ndarray:
    """Rank the best classes; of equal scores the lower class comes first.

    Args:
        scores: (n, C) float32, finite.
    Returns:
        (n, min(num_best, C)) int64.
    """
    rest = scores.copy()
    best = np.empty((len(rest), min(num_best, rest.shape[1])), np.int64)
    for column in best.T:
        column[:] = rest.argmax(axis=1)
        np.put_along_axis(rest, column[:, None], -np.inf, axis=1)
    return best


def label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count from 1 at which place of the classes each label is; of equal scores the lower class comes first.

    Args:
        scores: (n, C) float32.
        labels: (n,) int64, from 0.
    Returns:
        (n,) int64.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < labels[:, None]))
    return np.asarray(ahead.sum(axis=1) + 1)


def entropy(probabilities: np.ndarray) -> float:
    """Compute the entropy of probabilities after normalisation, in nats.

    Args:
        probabilities: (C,) float32; their sum is above 0.
    """
    shares = np.maximum(probabilities / probabilities.sum(dtype=np.float64), MIN_PROBABILITY)
    return float(-(shares * np.log(shares)).sum())
