"""Write a folder of results for the tests."""

from pathlib import Path

import numpy as np

LABELS = [3, 5, 0]


def write_results(folder: Path, labels: list[int], num_views: int = 4, num_classes: int = 9) -> np.ndarray:
    """Write seeded probabilities of each view; video 0 is wrong, the others are right by far.

    Returns:
        (videos, views, classes) float32.
    """
    folder.mkdir()
    random = np.random.RandomState(0)
    logits = random.standard_normal((len(labels), num_views, num_classes))
    logits[range(1, len(labels)), :, labels[1:]] += 9
    logits[0, :, labels[0]] -= 9
    scores = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    for video, label in enumerate(labels):
        for view in range(num_views):
            scores[video, view].astype(np.float32).tofile(folder / f"{video * num_views + view}_{label}_0.bin")
    return scores.astype(np.float32)
