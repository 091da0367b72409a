"""Is the candidate worse than the reference by less than a margin? A paired test on the same videos.

b videos are right in the reference only (lost), c in the candidate only (gained), of n; the drop is (b - c) / n.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from x3d.scoring.intervals import normal_quantile

MARGIN_POINTS = 0.735
"""MLPerf asks a conversion for 99 % of the reference: of the 73.5 % of PySlowFast's model zoo."""
ONE_SIDED = 0.95
"""Confidence of each limit of a verdict."""
TWO_SIDED = 2 * ONE_SIDED - 1
"""Confidence of the interval of both limits."""
MAX_VIDEOS = 10**9
"""A verdict that takes more videos than these is out of reach."""
_NUM_BISECTIONS = 64


class Verdict(StrEnum):
    """Whether the drop is below the margin (PASS), above it (FAIL), or whether the videos are too few to decide."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on, in percentage points.

    Attributes:
        drop_points: top-1 of the reference minus that of the candidate.
        low_points, high_points: one-sided 95 % limits of the drop.
        num_videos_to_decide: if undecided, the smallest number of videos with a verdict if drop and share of flips
            stay as observed; None if decided, if the drop equals the margin, or above MAX_VIDEOS.
    """

    verdict: Verdict
    drop_points: float
    low_points: float
    high_points: float
    margin_points: float
    num_videos_to_decide: int | None


def tango_interval(
    num_lost: float, num_gained: float, num_videos: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute the score interval of the drop (Tango 1998, Statistics in Medicine 17, 891).

    1 lost and 7 gained of 21 is a drop of -0.286, with a 95 % interval from -0.517 to -0.026. The counts may be
    fractions of a video: shares that are carried over to another number of videos.

    Args:
        confidence: two-sided; the limits of 0.9 are one-sided limits of 0.95.
    Returns:
        Lower and upper limit, as fractions.
    Raises:
        ValueError: there are no videos, or fewer than flips.
    """
    if num_videos <= 0 or min(num_lost, num_gained) < 0 or num_lost + num_gained > num_videos * (1 + 1e-12):
        raise ValueError(f"{num_lost} lost and {num_gained} gained are not part of {num_videos} videos")
    z = normal_quantile(confidence)
    lost, gained = num_lost / num_videos, num_gained / num_videos
    return -_upper_limit(gained, lost, num_videos, z), _upper_limit(lost, gained, num_videos, z)


def _upper_limit(lost: float, gained: float, num_videos: float, z: float) -> float:
    """Find the largest drop that a score test does not reject, by bisection: the observed one it never rejects."""
    drop = low = lost - gained
    high = 1.0
    for _ in range(_NUM_BISECTIONS):
        middle = (low + high) / 2
        if (middle - drop) ** 2 * num_videos <= z * z * _variance(lost, gained, middle):
            low = middle
        else:
            high = middle
    return high


def _variance(lost: float, gained: float, drop: float) -> float:
    """Compute the variance of the drop of one video, from the shares most likely if `drop` is the true one.

    The likelihood of the share gained is highest at the positive root of 2 q^2 + linear q - product = 0.
    """
    linear = (2 - lost + gained) * drop - lost - gained
    product = gained * drop * (1 - drop)
    likeliest_gained = (math.sqrt(max(linear * linear + 8 * product, 0.0)) - linear) / 4
    return max(2 * likeliest_gained + drop * (1 - drop), 0.0)


def judge(num_lost: int, num_gained: int, num_videos: int, margin_points: float) -> Decision:
    """Decide whether the drop is below the margin, with Tango's one-sided 95 % limits.

    Raises:
        ValueError: there are no videos, or fewer than flips.
    """
    low, high = tango_interval(num_lost, num_gained, num_videos, TWO_SIDED)
    margin = margin_points / 100
    verdict = Verdict.PASS if high < margin else Verdict.FAIL if low > margin else Verdict.UNDECIDED
    num_to_decide = None
    if verdict is Verdict.UNDECIDED:
        num_to_decide = _videos_to_decide(num_lost / num_videos, num_gained / num_videos, margin)
    drop_points = 100 * (num_lost - num_gained) / num_videos
    return Decision(verdict, drop_points, 100 * low, 100 * high, margin_points, num_to_decide)


def _videos_to_decide(lost: float, gained: float, margin: float) -> int | None:
    """Find the smallest number of videos at which a limit crosses the margin, with the same shares of flips."""
    z = normal_quantile(TWO_SIDED)
    if lost - gained < margin:
        return _smallest(lambda num_videos: _upper_limit(lost, gained, num_videos, z) < margin)
    if lost - gained > margin:
        return _smallest(lambda num_videos: -_upper_limit(gained, lost, num_videos, z) > margin)
    return None


def _smallest(holds: Callable[[int], bool]) -> int | None:
    """Find the smallest number up to MAX_VIDEOS from which on a condition holds."""
    high = 1
    while not holds(high):
        if high >= MAX_VIDEOS:
            return None
        high = min(2 * high, MAX_VIDEOS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def mcnemar_p_value(num_lost: int, num_gained: int) -> float:
    """Compute the exact two-sided p-value of no difference (McNemar 1947): binomial, of the flips alone."""
    from scipy.stats import binomtest

    return float(binomtest(num_lost, num_lost + num_gained).pvalue) if num_lost + num_gained else 1.0


def smallest_passing(flip_share: float, margin_points: float, drop_points: float = 0.0) -> int | None:
    """Find the smallest number of videos that pass if the observed drop is `drop_points`.

    With no flip at all it is 366 at a margin of 0.735 points, with 3 % of flips, half of them lost, 1583.

    Args:
        flip_share: share of the videos that are right in one run only, as a fraction. Fractions of a video count:
            b = n (flip_share + drop) / 2 and c = n (flip_share - drop) / 2 are not rounded.
    Returns:
        None if the drop is not below the margin, or above MAX_VIDEOS.
    """
    drop = drop_points / 100
    if drop_points >= margin_points:
        return None
    return _videos_to_decide((flip_share + drop) / 2, (flip_share - drop) / 2, margin_points / 100)


def videos_for_power(
    flip_share: float, margin_points: float, drop_points: float = 0.0, power: float = 0.8
) -> int | None:
    """Compute how many videos pass with a probability of `power` if the true drop is `drop_points`.

    At least the smallest number that passes with the expected flips: 0.1 % of flips at 0.735 points take 392 videos,
    although the approximation is 115.

    Args:
        flip_share: share of the videos that are right in one run only, as a fraction.
    """
    passing = smallest_passing(flip_share, margin_points, drop_points)
    return passing and max(passing, approximate_videos(flip_share, margin_points, drop_points, power))


def approximate_videos(flip_share: float, margin_points: float, drop_points: float = 0.0, power: float = 0.8) -> int:
    """Compute the videos for a power from the normal distribution: variance ((1.645 + 0.842) / (margin - drop))^2."""
    drop = drop_points / 100
    quantiles = NormalDist().inv_cdf(ONE_SIDED) + NormalDist().inv_cdf(power)
    return math.ceil((flip_share - drop * drop) * (quantiles / (margin_points / 100 - drop)) ** 2)
