"""Coverage against accuracy, by hand-computed cases, ties included."""

import numpy as np
import pytest

from x3d.scoring.selective import CoveragePoint, coverage_curve


def test_points_by_hand():
    confidences = np.array([0.5, 0.9, 0.7, 0.8])
    correct = np.array([False, True, False, True])
    assert coverage_curve(confidences, correct, shares=(25, 50, 75, 100)) == [
        CoveragePoint(25, 1, 1, 100, 0.9),
        CoveragePoint(50, 2, 2, 100, 0.8),
        CoveragePoint(75, 3, 2, pytest.approx(200 / 3), 0.7),
        CoveragePoint(100, 4, 2, 50, 0.5),
    ]


def test_equal_confidences_are_in_or_out_together():
    confidences = np.array([0.5, 0.9, 0.9, 0.9])
    correct = np.array([True, True, False, True])
    assert coverage_curve(confidences, correct, shares=(25, 50, 75, 100)) == [
        CoveragePoint(75, 3, 2, pytest.approx(200 / 3), 0.9),
        CoveragePoint(100, 4, 3, 75, 0.5),
    ]
    assert coverage_curve(np.ones(40), np.arange(40) < 10) == [CoveragePoint(100, 40, 10, 25, 1)]


def test_the_order_of_the_videos_has_no_influence():
    random = np.random.default_rng(0)
    confidences, correct = random.random(500).round(1), random.random(500) < 0.7
    order = random.permutation(500)
    assert coverage_curve(confidences, correct) == coverage_curve(confidences[order], correct[order])


def test_a_whole_set_has_a_point_for_each_share_and_ends_with_the_accuracy():
    random = np.random.default_rng(0)
    confidences = random.random(19761)
    correct = random.random(19761) < confidences
    points = coverage_curve(confidences, correct)
    assert [round(point.coverage_percent, 1) for point in points] == list(range(5, 101, 5))
    assert points[-1].num_videos == 19761
    assert points[-1].accuracy_percent == pytest.approx(100 * correct.mean())
    assert points[0].accuracy_percent > 95 > 60 > points[-1].accuracy_percent
    for point in points:
        assert point.num_correct == correct[confidences >= point.threshold].sum()


def test_a_set_of_few_videos_has_a_point_for_each_of_them():
    points = coverage_curve(np.array([0.2, 0.1, 0.3]), np.array([True, False, True]))
    assert [point.num_videos for point in points] == [1, 2, 3]
    assert [point.num_correct for point in points] == [1, 2, 2]


def test_a_share_that_is_no_whole_number_of_videos_is_reached():
    [point] = coverage_curve(np.array([0.2, 0.1, 0.3]), np.array([True, False, True]), shares=(50,))
    assert (point.num_videos, point.coverage_percent) == (2, pytest.approx(200 / 3))


def test_no_video_has_no_point():
    assert coverage_curve(np.zeros(0), np.zeros(0, bool)) == []
