import math

import numpy as np
import pytest

from test.tables import score_table
from x3d.scoring.predictions import Predictions, best_classes, entropy, label_ranks

SCORES = np.array([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4], [0.5, 0.5, 0.0]], np.float32)


def test_of_equal_scores_the_lower_class_comes_first():
    assert best_classes(SCORES, 3).tolist() == [[1, 2, 0], [0, 2, 1], [0, 1, 2]]
    assert label_ranks(SCORES, np.array([0, 2, 0])).tolist() == [3, 2, 1]


def test_the_best_are_those_of_a_stable_sort():
    scores = np.random.default_rng(0).integers(0, 9, (50, 20)).astype(np.float32)
    given = scores.copy()
    assert best_classes(scores, 5).tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :5].tolist()
    assert (scores == given).all()


def test_entropy_is_of_the_normalised_probabilities():
    assert entropy(np.array([2, 2, 0, 0], np.float32)) == pytest.approx(math.log(2), abs=1e-9)
    assert entropy(np.full(400, 0.1, np.float32)) == pytest.approx(math.log(400))
    assert entropy(np.array([0, 1], np.float32)) == pytest.approx(0, abs=1e-9)


def test_videos_without_a_label_are_neither_correct_nor_wrong():
    found = Predictions.of_table(score_table(SCORES, [1, 1, -1]))
    assert found.ranks.tolist() == [1, 3, 0]
    assert (found.correct.tolist(), found.wrong.tolist()) == ([True, False, False], [False, True, False])
    assert found.predicted.tolist() == [1, 0, 0]
    assert found.confidences.tolist() == pytest.approx([0.7, 0.4, 0.5])
    assert found.best.shape == (3, 3)


def test_views_agree_with_the_video_even_if_the_ensemble_is_not_their_sum():
    means = np.array([[0.2, 0.5, 0.3]], np.float32)
    view_classes = np.array([[0, 1, 0, 2]])
    table = score_table([[0.9, 0.8, 0.1]], [1], view_classes=view_classes, means=means)
    found = Predictions.of_table(table)
    assert (found.predicted.tolist(), found.num_agreeing.tolist(), found.ranks.tolist()) == ([0], [2], [2])
    assert found.probabilities[0].tolist() == pytest.approx([0.2, 0.5, 0.3])
    assert found.entropies.tolist() == pytest.approx([entropy(means[0])])
