"""Tango's limits, the verdict, and the numbers of videos, against published figures and an independent solution."""

import math
from bisect import bisect_left

import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from x3d.scoring.noninferiority import (
    MAX_VIDEOS,
    Verdict,
    approximate_videos,
    judge,
    mcnemar_p_value,
    smallest_passing,
    tango_interval,
    videos_for_power,
)

Z90, Z95 = 1.6448536269514722, 1.959963984540054
MLPERF = 0.735
TABLE = {
    0.0: (0.0, 0.0, 366, 268, 3679),
    0.001: (0.022, 0.037, 392, 282, 6952),
    0.005: (0.050, 0.083, 511, 344, 25566),
    0.01: (0.071, 0.117, 692, 434, 50346),
    0.03: (0.123, 0.203, 1583, 889, 150331),
    0.08: (0.201, 0.331, 4035, 2193, 400683),
}
"""Share of flips -> paired standard error and half-width of 19,761 videos, in points; smallest number of videos that
pass at 0.735, 1 and 0.0735 points."""
POWER = {0.001: 392, 0.005: 573, 0.01: 1145, 0.03: 3434, 0.08: 9156}


def score(lost: float, gained: float, num: float, drop: float) -> float:
    """Compute Tango's statistic from the likelihood itself: the share gained that maximises it, by search."""

    def cost(q: float) -> float:
        cells = ((lost, q + drop), (gained, q), (num - lost - gained, 1 - 2 * q - drop))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)

    low, high = max(0.0, -drop), (1 - drop) / 2
    q = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (lost - gained - num * drop) / math.sqrt(num * (2 * q + drop - drop * drop))


def test_limits_are_the_published_ones():
    low, high = tango_interval(1, 7, 21)
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize(
    ("lost", "gained", "num"), [(1, 7, 21), (12, 2, 50), (5, 5, 400), (3, 0, 40), (150, 148, 19761), (20, 15, 36)]
)
def test_limits_are_where_the_score_test_rejects(lost, gained, num):
    low, high = tango_interval(lost, gained, num)
    assert low < (lost - gained) / num < high
    assert score(lost, gained, num, low) == pytest.approx(Z95, abs=2e-4)
    assert score(lost, gained, num, high) == pytest.approx(-Z95, abs=2e-4)


def test_without_a_flip_the_limits_are_known():
    for num in (1, 2, 365, 366, 19761, 10**9, 10**12):
        limit = Z90**2 / (num + Z90**2)
        assert tango_interval(0, 0, num, 0.9) == pytest.approx((-limit, limit), rel=1e-9, abs=1e-17)


def test_every_count_of_few_videos_has_ordered_symmetric_limits():
    for num in (1, 2, 3, 7, 20):
        for lost in range(num + 1):
            for gained in range(num + 1 - lost):
                low, high = tango_interval(lost, gained, num)
                drop = (lost - gained) / num
                assert -1 <= low <= drop <= high <= 1
                assert drop == 1 or high > drop
                assert drop == -1 or low < drop
                assert tango_interval(gained, lost, num) == (-high, -low)
                wide_low, wide_high = tango_interval(lost, gained, num, 0.99)
                assert wide_low <= low <= high <= wide_high


def test_all_videos_lost_is_a_drop_of_one_and_none_gained_reaches_no_further():
    low, high = tango_interval(10, 0, 10)
    assert high == 1
    assert low == pytest.approx(1 - 2 * Z95**2 / (10 + Z95**2), abs=1e-9)


def test_limits_narrow_with_the_square_root_of_many_videos():
    low, high = tango_interval(1e9 * 0.02, 1e9 * 0.01, 1e9, 0.9)
    assert high - 0.01 == pytest.approx(Z90 * math.sqrt((0.03 - 0.0001) / 1e9), rel=1e-3)
    assert 0.01 - low == pytest.approx(high - 0.01, rel=1e-3)


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (-1, 2, 5), (3, 3, 5)])
def test_impossible_counts_are_rejected(counts):
    with pytest.raises(ValueError, match=f"{counts[0]} lost and {counts[1]} gained are not part of {counts[2]} videos"):
        tango_interval(*counts)
    with pytest.raises(ValueError, match="are not part of"):
        judge(*counts, MLPERF)


@pytest.mark.parametrize("flip_share", TABLE)
def test_the_table_of_numbers_of_videos(flip_share):
    standard_error, half_width, *passing = TABLE[flip_share]
    assert 100 * math.sqrt(flip_share / 19761) == pytest.approx(standard_error, abs=0.0005)
    assert Z90 * 100 * math.sqrt(flip_share / 19761) == pytest.approx(half_width, abs=0.0006)
    assert [smallest_passing(flip_share, margin) for margin in (MLPERF, 1, 0.0735)] == passing
    if flip_share:
        assert videos_for_power(flip_share, MLPERF) == POWER[flip_share]
        half = 19761 * flip_share / 2
        high = judge(half, half, 19761, MLPERF).high_points
        assert high == pytest.approx(half_width, abs=0.003), "Tango's limit is close to the normal half-width"


def test_the_power_formula_alone_can_be_below_what_passes_at_all():
    assert approximate_videos(0.001, MLPERF) == 115
    assert videos_for_power(0.001, MLPERF) == 392
    assert videos_for_power(0.0, MLPERF) == 366


def test_a_drop_takes_more_videos():
    assert approximate_videos(0.01, 1.0, 0.5) == math.ceil((0.01 - 0.005**2) * (2.4864749 / 0.005) ** 2)
    assert videos_for_power(0.01, MLPERF, 0.3) > videos_for_power(0.01, MLPERF, 0.0)
    assert smallest_passing(0.02, MLPERF, 0.4) > smallest_passing(0.02, MLPERF)
    assert smallest_passing(0.02, MLPERF, MLPERF) is None
    assert videos_for_power(0.02, MLPERF, 2.0) is None


def test_a_run_against_itself_passes_from_the_floor_on():
    assert judge(0, 0, 365, MLPERF).verdict is Verdict.UNDECIDED
    assert judge(0, 0, 365, MLPERF).num_videos_to_decide == 366
    assert judge(0, 0, 366, MLPERF).verdict is Verdict.PASS
    assert judge(0, 0, 366, MLPERF).num_videos_to_decide is None


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((100, 90, 19761), "PASS"),
        ((600, 400, 19761), "FAIL"),
        ((300, 150, 19761), "UNDECIDED"),
        ((0, 300, 19761), "PASS"),
        ((32, 0, 32), "FAIL"),
        ((0, 0, 32), "UNDECIDED"),
    ],
)
def test_verdicts(counts, verdict):
    decision = judge(*counts, MLPERF)
    assert decision.verdict == verdict
    low, high = tango_interval(*counts, 0.9)
    assert (decision.low_points, decision.high_points) == (100 * low, 100 * high)
    assert decision.drop_points == 100 * (counts[0] - counts[1]) / counts[2]
    assert decision.margin_points == MLPERF
    assert (decision.num_videos_to_decide is None) == (verdict != "UNDECIDED")


@pytest.mark.parametrize(("lost", "gained", "num"), [(0, 0, 32), (2, 1, 100), (9, 9, 400), (20, 10, 1000), (1, 4, 60)])
def test_so_many_videos_decide_and_one_less_does_not(lost, gained, num):
    decision = judge(lost, gained, num, MLPERF)
    needed = decision.num_videos_to_decide
    assert needed > num

    def verdict(number: int) -> Verdict:
        return judge(lost / num * number, gained / num * number, number, MLPERF).verdict

    assert verdict(needed - 1) is Verdict.UNDECIDED
    assert verdict(needed) is (Verdict.PASS if decision.drop_points < MLPERF else Verdict.FAIL)


def test_a_limit_at_the_margin_does_not_decide():
    high = tango_interval(12, 6, 2000, 0.9)[1]
    assert 100 * high / 100 == high
    assert judge(12, 6, 2000, 100 * high).verdict is Verdict.UNDECIDED
    low = tango_interval(60, 20, 2000, 0.9)[0]
    assert 100 * low / 100 == low
    assert judge(60, 20, 2000, 100 * low).verdict is Verdict.UNDECIDED


def test_no_number_of_videos_decides_a_drop_at_the_margin():
    assert judge(147, 0, 20000, MLPERF).num_videos_to_decide is None
    assert judge(16, 6, 2000, 0.5).num_videos_to_decide is None
    close = judge(147, 0, 20000, MLPERF + 1e-4)
    assert close.verdict is Verdict.UNDECIDED
    assert close.num_videos_to_decide is None, f"more than {MAX_VIDEOS}"


def exact_error_rates(num: int, flip_share: float, margin: float) -> tuple[float, float]:
    """Sum the probabilities of all pairs of runs that pass, and of those that fail, if the true drop is the margin."""
    passing, failing = 0.0, 0.0
    for flips in range(*binom.ppf([1e-9, 1 - 1e-9], num, flip_share).astype(int)):

        def limits(lost: int, flips: int = flips) -> tuple[float, float]:
            return tango_interval(lost, flips - lost, num, 0.9)

        lost = binom(flips, (1 + margin / flip_share) / 2)
        num_passing = bisect_left(range(flips + 1), True, key=lambda lost: limits(lost)[1] >= margin)
        first_failing = bisect_left(range(flips + 1), True, key=lambda lost: limits(lost)[0] > margin)
        probability = binom.pmf(flips, num, flip_share)
        passing += probability * lost.cdf(num_passing - 1)
        failing += probability * lost.sf(first_failing - 1)
    return passing, failing


@pytest.mark.parametrize(("num", "flip_share"), [(2000, 0.01), (2000, 0.02), (2000, 0.08), (19761, 0.01)])
def test_drops_at_the_margin_are_decided_wrongly_as_rarely_as_they_may(num, flip_share):
    passing, failing = exact_error_rates(num, flip_share, MLPERF / 100)
    assert 0.04 < passing < 0.051
    assert 0.0495 < failing < 0.0575


def test_mcnemars_p_value_is_the_exact_binomial_one():
    assert mcnemar_p_value(0, 0) == 1
    assert mcnemar_p_value(5, 5) == 1
    assert mcnemar_p_value(1, 7) == pytest.approx(2 * binom.cdf(1, 8, 0.5)) == pytest.approx(0.0703125)
    assert mcnemar_p_value(7, 1) == mcnemar_p_value(1, 7)
    assert mcnemar_p_value(0, 1000) < 1e-200
