"""Whether a conversion returns the scores of the original is judged by its best classes and probabilities."""

import numpy as np
import pytest

from x3d.scoring.agreement import Thresholds, find_outputs, judge_outputs
from x3d.scoring.outputs import Outputs

DEFAULT = Thresholds()
ROW = [0.6, 0.3, 0.1]
OTHER = [0.3, 0.6, 0.1]


def rows(*of_views: list[float]) -> np.ndarray:
    return np.array(of_views, np.float32)


def judge(num_agreeing: int, num_views: int, thresholds: Thresholds = DEFAULT):
    candidate = rows(*[ROW] * num_agreeing, *[OTHER] * (num_views - num_agreeing))
    return judge_outputs(rows(*[ROW] * num_views), candidate, Outputs.SOFTMAX, thresholds)


@pytest.mark.parametrize(
    ("num_agreeing", "num_views", "verdict"),
    [
        (200, 200, "PASS"),
        (198, 200, "UNDECIDED"),  # enough agree, and the probabilities of the others differ by 0.3
        (196, 200, "UNDECIDED"),  # upper limit 99.22 %
        (195, 200, "FAIL"),  # 98.93 %
        (19, 20, "UNDECIDED"),
        (18, 20, "FAIL"),
        (0, 20, "FAIL"),
    ],
)
def test_the_verdict_by_the_views_that_agree(num_agreeing, num_views, verdict):
    agreement = judge(num_agreeing, num_views)
    assert agreement.verdict == verdict, agreement.interval
    assert (agreement.num_views, agreement.num_agreeing) == (num_views, num_agreeing)


def test_thresholds_decide():
    assert judge(198, 200, Thresholds(99, 0.4)).verdict == "PASS"
    assert judge(197, 200, Thresholds(99, 0.4)).verdict == "UNDECIDED"
    assert judge(198, 200, Thresholds(100, 0.4)).verdict == "FAIL"
    assert judge(193, 200, Thresholds(95, 0.4)).verdict == "PASS"


@pytest.mark.parametrize("num_views", [*range(20, 25), *range(324, 339)])
def test_all_views_that_agree_are_a_hundred_percent(num_views):
    assert judge(num_views, num_views, Thresholds(100)).verdict == "PASS"
    assert judge(num_views - 1, num_views, Thresholds(100, 0.4)).verdict == "FAIL"


@pytest.mark.parametrize(("shift", "verdict"), [(0.0199, "PASS"), (0.021, "UNDECIDED"), (-0.021, "UNDECIDED")])
def test_the_largest_difference_of_a_probability_and_its_view(shift, verdict):
    candidate = rows(*[ROW] * 7, [0.6 + shift, 0.3 - shift, 0.1], *[ROW] * 12)
    agreement = judge_outputs(rows(*[ROW] * 20), candidate, Outputs.SOFTMAX, DEFAULT)
    assert agreement.verdict == verdict
    assert agreement.max_difference == pytest.approx(abs(shift), abs=1e-6)
    assert agreement.worst_view == 7


def test_logits_are_compared_as_probabilities():
    logits = np.log(rows(*[ROW] * 20))
    agreement = judge_outputs(logits, logits + np.float32(5), Outputs.LOGITS, DEFAULT)
    assert agreement.verdict == "PASS"
    assert agreement.max_difference == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("bad", "defect"),
    [
        ([np.nan, 0.3, 0.7], "not finite"),
        ([np.inf, 0, 0], "not finite"),
        ([2, -3, 1.5], "not probabilities"),
        ([0.2] * 3, "the same score for every class"),
    ],
)
def test_an_output_that_is_no_score_fails_and_is_not_compared(bad, defect):
    candidate = rows(*[ROW] * 150, bad, *[ROW] * 49)
    agreement = judge_outputs(rows(*[ROW] * 200), candidate, Outputs.SOFTMAX, DEFAULT)
    assert (agreement.verdict, agreement.num_unusable, agreement.num_agreeing) == ("FAIL", 1, 199)
    assert defect in agreement.defect
    assert agreement.max_difference == 0


def test_no_output_is_a_score():
    agreement = judge_outputs(rows(*[ROW] * 20), rows(*[[np.nan] * 3] * 20), Outputs.SOFTMAX, DEFAULT)
    assert (agreement.verdict, agreement.num_agreeing) == ("FAIL", 0)
    assert (agreement.max_difference, agreement.worst_view) == (None, None)


@pytest.mark.parametrize(
    ("row", "outputs"),
    [
        (ROW, Outputs.SOFTMAX),
        ([0.9, 0.8, 0.1], Outputs.SIGMOID),
        ([-1.0, 5, 2], Outputs.LOGITS),
        ([np.nan, 5, 2], None),
    ],
)
def test_what_a_model_returns_is_found(row, outputs):
    assert find_outputs(rows(row, row[::-1])) is outputs
