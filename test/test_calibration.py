"""Calibration error, its null level and its interval, by hand-computed cases and simulations."""

import tracemalloc

import numpy as np
import pytest

from x3d.scoring.calibration import calibrate, split_bins
from x3d.scoring.intervals import wilson_interval, wilson_intervals


def simulate(num_videos: int, seed: int, power: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw confidences, and videos that are right with a probability of confidence ** power."""
    random = np.random.default_rng(seed)
    confidences = random.beta(2.5, 0.9, num_videos)
    return confidences, random.random(num_videos) < confidences**power


def test_the_error_of_two_bins_by_hand():
    found = calibrate(np.array([0.9, 0.2, 0.8, 0.4]), np.array([True, False, False, True]), num_bins=2)
    low, high = found.bins
    assert found.ece == pytest.approx(100 * (abs(0.6 - 1) + abs(1.7 - 1)) / 4)
    assert (low.num_videos, high.num_videos) == (2, 2)
    assert (low.low, low.high, low.confidence, low.accuracy) == pytest.approx((20, 40, 30, 50))
    assert (high.low, high.high, high.confidence, high.accuracy) == pytest.approx((80, 90, 85, 50))
    assert (low.accuracy_low, low.accuracy_high) == pytest.approx(wilson_interval(1, 2))


@pytest.mark.parametrize(("num_videos", "level"), [(100, 11.6), (400, 5.6), (2000, 2.5), (19761, 0.8)])
def test_the_null_level_is_the_published_one(num_videos, level):
    found = [calibrate(*simulate(num_videos, seed), seed=seed) for seed in range(5)]
    assert np.mean([run.null_ece for run in found]) == pytest.approx(level, abs=0.3)
    assert all(run.null_ece < run.null_high < 2 * run.null_ece for run in found)


@pytest.mark.parametrize("num_videos", [100, 400, 2000])
def test_the_error_of_a_calibrated_run_is_its_null_level_and_rarely_above_its_quantile(num_videos):
    found = [calibrate(*simulate(num_videos, seed), seed=seed) for seed in range(100)]
    assert np.mean([run.ece for run in found]) == pytest.approx(np.mean([run.null_ece for run in found]), rel=0.1)
    assert sum(run.ece > run.null_high for run in found) <= 11


def test_overconfidence_is_above_the_null_level_and_in_the_interval():
    true = 100 * np.mean([(c - c**1.5).mean() for c, _ in [simulate(10**6, 0)]])
    found = [calibrate(*simulate(2000, seed, 1.5), seed=seed) for seed in range(50)]
    assert all(run.ece > run.null_high for run in found)
    assert sum(run.ece_low <= true <= run.ece_high for run in found) >= 42
    assert all(run.ece_low <= run.ece <= run.ece_high for run in found)
    assert np.mean([run.ece_high - run.ece_low for run in found]) < 5


def test_the_interval_contains_the_error_of_a_calibrated_run_and_no_negative_one():
    for seed in range(50):
        run = calibrate(*simulate(100, seed), seed=seed)
        assert 0 <= run.ece_low <= run.ece <= run.ece_high


def test_bins_have_equally_many_videos():
    assert np.diff([*split_bins(np.linspace(0, 1, 100), 15), 100]).tolist() == [6, 7, 7] * 5
    assert split_bins(np.linspace(0, 1, 7), 15).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_equal_confidences_are_in_one_bin():
    assert split_bins(np.array([0.1, 0.5, 0.5, 0.5, 0.5, 0.9]), 3).tolist() == [0, 1]
    assert split_bins(np.ones(50), 15).tolist() == [0]
    found = calibrate(np.full(50, 0.7), np.arange(50) < 30)
    assert len(found.bins) == 1
    assert found.ece == pytest.approx(10)


def test_the_order_of_the_videos_has_no_influence():
    confidences, correct = simulate(300, 0)
    confidences = confidences.round(1)
    order = np.random.default_rng(1).permutation(300)
    first, second = calibrate(confidences, correct), calibrate(confidences[order], correct[order])
    assert (first.ece, first.null_ece, first.null_high) == pytest.approx(
        (second.ece, second.null_ece, second.null_high)
    )
    assert [bin.accuracy for bin in first.bins] == pytest.approx([bin.accuracy for bin in second.bins])


@pytest.mark.parametrize("num_videos", [1, 2, 14, 15, 16])
def test_few_videos_are_bins_of_their_own(num_videos):
    confidences, correct = simulate(num_videos, 3)
    found = calibrate(confidences, correct)
    assert len(found.bins) == min(num_videos, 15)
    assert sum(bin.num_videos for bin in found.bins) == num_videos
    assert np.isfinite([found.ece, found.null_ece, found.null_high, found.ece_low, found.ece_high]).all()


def test_certain_and_right_has_no_error():
    found = calibrate(np.ones(40, np.float32), np.ones(40, bool))
    assert (found.ece, found.null_ece, found.null_high, found.ece_low, found.ece_high) == (0, 0, 0, 0, 0)


def test_no_video_has_no_calibration():
    with pytest.raises(ValueError, match="no video has a confidence"):
        calibrate(np.zeros(0), np.zeros(0, bool))


def test_the_seed_decides_the_simulations():
    confidences, correct = simulate(200, 0)
    assert calibrate(confidences, correct) == calibrate(confidences, correct)
    assert calibrate(confidences, correct).null_ece != calibrate(confidences, correct, seed=1).null_ece


def test_a_whole_validation_set_takes_little_memory():
    confidences, correct = simulate(19761, 0)
    tracemalloc.start()
    calibrate(confidences.astype(np.float32), correct)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_views_that_repeat_their_video_are_worth_one_video():
    confidences, correct = simulate(300, 0)
    views = [values.repeat(20) for values in (confidences, correct, np.arange(300))]
    of_videos, of_views = calibrate(confidences, correct), calibrate(*views[:2], groups=views[2])
    as_independent = calibrate(*views[:2])
    assert of_views.null_ece == pytest.approx(of_videos.null_ece, rel=0.1)
    assert of_views.null_high > 3 * as_independent.null_high
    for view, video in zip(of_views.bins, of_videos.bins, strict=True):
        assert (view.accuracy_low, view.accuracy_high) == pytest.approx((video.accuracy_low, video.accuracy_high))


def test_a_calibrated_run_whose_views_are_right_together_is_rarely_above_its_null_level():
    num_videos, num_views, above = 300, 10, 0
    groups = np.arange(num_videos).repeat(num_views)
    for seed in range(60):
        random = np.random.default_rng(seed)
        spread = random.normal(0, 0.05, (num_videos, num_views))
        confidences = (random.beta(2.5, 0.9, num_videos)[:, None] + spread).clip(0, 1).ravel()
        correct = random.random(num_videos)[groups] < confidences
        found = calibrate(confidences, correct, groups=groups)
        above += found.ece > found.null_high
    assert above <= 8


def test_the_limits_of_a_bin_count_its_unequal_groups():
    confidences, correct = np.full(6, 0.5), np.array([True, True, True, True, False, False])
    (found,) = calibrate(confidences, correct, groups=np.array([0, 0, 0, 0, 1, 2])).bins
    effective = 6**2 / (4**2 + 1 + 1)
    expected = wilson_intervals(np.array([4 / 6 * effective]), np.array([effective]))[0]
    assert (found.accuracy_low, found.accuracy_high) == pytest.approx(expected)
    assert found.num_videos == 6
