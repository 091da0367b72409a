"""The accuracy so far, while videos are scored."""

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.scoring.accuracy import Share, count_top_k


class RunningTop1:
    """Top-1 accuracy of the videos added; those without a label do not count."""

    def __init__(self) -> None:
        self._share = Share(0, 0)

    def add(self, scores: np.ndarray, labels: np.ndarray) -> None:
        """Count videos.

        Args:
            scores: (n, C) float32, aggregated over the views.
            labels: (n,) int, -1 without a label.
        """
        labelled = labels != UNLABELLED
        num_correct = count_top_k(scores[labelled], labels[labelled], 1)
        self._share = Share(
            self._share.num_correct + num_correct, self._share.num_videos + int(np.count_nonzero(labelled))
        )

    def __str__(self) -> str:
        """Format the share with its 95 % interval: `top-1 83.3 % (55.2 to 95.3)`; empty without videos."""
        if not self._share.num_videos:
            return ""
        low, high = self._share.interval
        return f"top-1 {100 * self._share.num_correct / self._share.num_videos:.1f} % ({low:.1f} to {high:.1f})"
