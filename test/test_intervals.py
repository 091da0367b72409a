"""Wilson's interval for one share and for many, against published figures and the test that it inverts."""

import numpy as np
import pytest

from x3d.scoring.accuracy import Share
from x3d.scoring.intervals import normal_quantile, wilson_interval, wilson_intervals


@pytest.mark.parametrize(
    ("num", "total", "low", "high"),
    [(37, 49, 61.9, 85.4), (0, 10, 0.0, 27.8), (10, 10, 72.2, 100.0), (1, 2, 9.5, 90.5), (14574, 19761, 73.1, 74.4)],
)
def test_limits_are_wilsons(num, total, low, high):
    assert wilson_interval(num, total) == pytest.approx((low, high), abs=0.05)
    assert Share(num, total).interval == wilson_interval(num, total)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.999])
def test_limits_are_where_a_score_test_rejects(confidence):
    for num, total in ((37, 49), (1, 30), (7000, 19761)):
        for limit in np.array(wilson_interval(num, total, confidence)) / 100:
            standard_error = np.sqrt(limit * (1 - limit) / total)
            assert abs(num / total - limit) / standard_error == pytest.approx(normal_quantile(confidence), abs=1e-9)


def test_many_shares_at_once_have_the_limits_of_each():
    num, total = np.array([0, 3, 37, 49, 5]), np.array([49, 4, 49, 49, 10**12])
    limits = wilson_intervals(num, total)
    assert limits.shape == (5, 2)
    assert [tuple(row) for row in limits.tolist()] == [
        wilson_interval(*pair) for pair in zip(num.tolist(), total.tolist(), strict=True)
    ]
    assert wilson_intervals(np.zeros(0, int), np.zeros(0, int)).shape == (0, 2)


def test_limits_of_no_videos_exclude_nothing():
    assert wilson_interval(0, 0) == (0, 100)
    assert wilson_intervals(np.array([0, 1]), np.array([0, 2])).tolist() == [[0, 100], list(wilson_interval(1, 2))]


def test_rounding_takes_no_limit_beyond_0_and_100():
    totals = np.arange(1, 500)
    assert wilson_intervals(totals, totals)[:, 1].max() <= 100
    assert wilson_intervals(np.zeros_like(totals), totals)[:, 0].min() >= 0


def test_quantiles_are_those_of_the_normal_distribution():
    assert [round(normal_quantile(confidence), 3) for confidence in (0.9, 0.95)] == [1.645, 1.96]
