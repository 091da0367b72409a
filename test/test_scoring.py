import json

import numpy as np
import pytest
import torch
import xxhash

from test.helpers import read_golden
from test.tables import score_table
from x3d import scoring
from x3d.errors import ScoringError
from x3d.scoring import (
    ScoreTable,
    Share,
    aggregate_views,
    audit_views,
    count_top_k,
    final_line,
    majority_labels,
    measure_accuracy,
)
from x3d.scoring.aggregate import SCORE_FORMAT, best_of_views, mean_of_views

GOLDEN = read_golden("slowfast_meter.json")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['videos']} by {case['ensemble']}")
def test_the_line_is_pyslowfasts(case):
    random = np.random.RandomState(GOLDEN["seed"])
    labels = random.randint(0, 400, case["videos"])
    logits = random.standard_normal((case["videos"] * 30, 400))
    logits[np.arange(len(logits)), np.repeat(labels, 30)] += case["margin"]
    scores = torch.softmax(torch.from_numpy(logits), dim=1).numpy().astype(np.float32)
    joined = np.stack([aggregate_views(views, case["ensemble"]) for views in scores.reshape(-1, 30, 400)])
    correct = {k: count_top_k(joined, labels, k) for k in (1, 5)}
    assert json.dumps(final_line(correct, len(labels))) == json.dumps(case["stats"])


def test_sums_are_taken_view_after_view_in_float32():
    views = np.random.RandomState(0).standard_normal((30, 5)).astype(np.float32)
    expected = np.zeros(5, dtype=np.float32)
    for view in views:
        expected += view
    assert aggregate_views(views, "sum").tobytes() == expected.tobytes()


def test_the_maximum_starts_from_zero():
    assert aggregate_views(np.array([[-1, 2], [-3, 1]], dtype=np.float32), "max").tolist() == [0, 2]


def test_each_view_has_its_best_class_of_equal_ones_the_lowest():
    views = np.array([[0.2, 0.4, 0.4], [0.6, 0.3, 0.1]], dtype=np.float32)
    classes, probabilities = best_of_views(views)
    assert (classes.tolist(), classes.dtype) == ([1, 0], np.int32)
    np.testing.assert_array_equal(probabilities, views.max(axis=1))
    np.testing.assert_array_equal(mean_of_views(views), (views[0] + views[1]) / np.float32(2))


@pytest.mark.parametrize(
    ("scores", "label", "best"),
    [([0.1, 0.7, 0.2], 1, 1), ([0.1, 0.7, 0.2], 0, 3), ([0.5, 0.5, 0.5], 0, 1), ([0.5, 0.5, 0.5], 2, 3)],
)
def test_ranks_with_ties(scores, label, best):
    hits = [count_top_k(np.array([scores], dtype=np.float32), np.array([label]), k) for k in (1, 2, 3)]
    assert hits == [int(k >= best) for k in (1, 2, 3)]


def test_percentages_are_rounded_as_torch_rounds_them():
    for total in (*range(1, 200), 19404, 19761, 19796, 19881):
        for correct in {0, 1, total // 3, total // 2, total - 1, total}:
            reference = torch.tensor(correct).float().sum() / total * 100.0
            assert Share(correct, total).percent == f"{reference:.2f}"


def test_the_package_offers_what_it_names():
    assert sorted(name for name in scoring.__all__ if not hasattr(scoring, name)) == []
    assert {"Accuracy", "ScoreTable", "Share", "aggregate_views", "measure_accuracy"} <= set(scoring.__all__)


def audit(views, labels, num_videos=2, video_labels=(3, 4), num_views=2):
    expected = np.arange(num_videos * num_views)
    return audit_views(np.array(views), np.array(labels), expected, np.repeat(video_labels, num_views), num_views)


def test_a_whole_set_has_no_problems():
    found = audit([0, 1, 2, 3], [3, 3, 4, 4])
    assert (found.complete.tolist(), found.missing.tolist(), found.problems) == ([0, 1], [], [])


@pytest.mark.parametrize(
    ("views", "labels", "problem"),
    [
        ([0, 1, 2, 2, 3], [3, 3, 4, 4, 4], "view 2 has more than one result"),
        ([0, 1, 2, 3, 4], [3, 3, 4, 4, 4], "view 4 (label 4) is not expected"),
        ([0, 1, 2, 3], [3, 3, 4, 5], "view 3 has label 5, its video 1 has label 4"),
        ([0, 1, 2, 3], [3, 3, 4, -1], "view 3 has label -1, its video 1 has label 4"),
    ],
)
def test_each_problem_names_its_view(views, labels, problem):
    assert problem in audit(views, labels).problems


def test_unlabelled_videos_are_complete_or_not_as_others():
    found = audit([0, 1, 2], [-1, -1, 4], video_labels=(-1, 4))
    assert (found.complete.tolist(), found.incomplete.tolist()) == ([0], [1])
    assert (found.missing.tolist(), found.problems) == ([3], [])


def test_missing_views_leave_the_complete_videos():
    found = audit([0, 1, 3], [3, 3, 4])
    assert (found.complete.tolist(), found.incomplete.tolist(), found.missing.tolist()) == ([0], [1], [2])


def test_the_majority_decides_a_videos_label():
    views = np.array([0, 1, 2, 3, 4, 5])
    assert majority_labels(views, np.array([7, 9, 7, 1, 1, 0]), 3).tolist() == [7, 7, 7, 1, 1, 1]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(37, 49, 61.9, 85.4), (0, 10, 0.0, 27.8), (10, 10, 72.2, 100.0), (1, 2, 9.5, 90.5), (14574, 19761, 73.1, 74.4)],
)
def test_intervals_are_wilsons(correct, total, low, high):
    assert Share(correct, total).interval == pytest.approx((low, high), abs=0.05)


def test_rounding_takes_no_interval_beyond_0_and_100():
    for total in range(1, 500):
        assert Share(total, total).interval[1] <= 100
        assert Share(0, total).interval[0] >= 0


def test_the_interval_holds_the_bounds_at_which_a_score_test_rejects():
    low, high = Share(37, 49).interval
    for bound in (low / 100, high / 100):
        assert abs(37 / 49 - bound) / (bound * (1 - bound) / 49) ** 0.5 == pytest.approx(1.959964, abs=1e-6)


def table(num_videos: int = 4, **more) -> ScoreTable:
    """Video v is labelled v and scored right, but for the last, whose label comes second."""
    scores = np.eye(num_videos, 9, dtype=np.float32)
    scores[-1, :2] = 2, 0
    return score_table(scores, range(num_videos), conditions={"engine": "openvino"}, **more)


def test_an_accuracy_counts_the_videos_scored_and_those_listed():
    accuracy = measure_accuracy(table(missing={4: "video 4: empty"}), allow_missing=True)
    assert (accuracy.num_correct, accuracy.num_scored, accuracy.num_listed) == ({1: 3, 5: 4}, 4, 5)
    assert (accuracy.of_scored(1).percent, accuracy.of_listed(1).percent) == ("75.00", "60.00")
    assert accuracy.line == {"split": "test_final", "top1_acc": "75.00", "top5_acc": "100.00"}
    assert not accuracy.complete
    assert accuracy.to_dict() == {
        "split": "test_final",
        "top1_acc": "75.00",
        "top5_acc": "100.00",
        "correct": {"top1": 3, "top5": 4},
        "interval": {"top1_acc": list(Share(3, 4).interval), "top5_acc": list(Share(4, 4).interval)},
        "videos_scored": 4,
        "videos_listed": 5,
        "videos_unlabelled": 0,
        "of_listed": {"top1_acc": "60.00", "top5_acc": "80.00"},
        "incomplete_videos": [4],
        "missing": ["video 4: empty"],
        "expected_from": "test.csv",
        "warnings": [],
        "conditions": {"engine": "openvino"},
    }


def test_a_complete_table_is_scored_without_allowing_anything():
    accuracy = measure_accuracy(table())
    assert (accuracy.complete, accuracy.num_listed) == (True, 4)


def test_the_reference_line_replaces_our_own():
    assert measure_accuracy(table(reference_line={"split": "theirs"})).line == {"split": "theirs"}


@pytest.mark.parametrize(
    ("more", "allow_missing", "text"),
    [
        (
            {"missing": {4: "video 4: empty"}},
            False,
            r"eval is not scored, 1 problem \(.* True scores the complete videos\):\nvideo 4: empty$",
        ),
        ({"problems": ["a"], "missing": {4: "b"}}, False, r"eval is not scored, 2 problems:\na\nb$"),
        ({"problems": ["a"], "missing": {4: "b"}}, True, r"eval is not scored, 1 problem:\na$"),
    ],
)
def test_a_table_with_problems_is_not_scored(more, allow_missing, text):
    with pytest.raises(ScoringError, match=text):
        measure_accuracy(table(**more), allow_missing)


def test_no_complete_video_is_not_scored():
    empty = score_table(np.zeros((0, 9)), [], {0: "video 0: empty"})
    with pytest.raises(ScoringError, match="no video has all its views"):
        measure_accuracy(empty, allow_missing=True)


def test_unlabelled_videos_are_counted_apart():
    accuracy = measure_accuracy(
        table(missing={4: "video 4: empty"}, listed_labels=np.array([0, 1, 2, 3, 0, -1, -1])), allow_missing=True
    )
    assert (accuracy.num_scored, accuracy.num_listed, accuracy.num_unlabelled) == (4, 5, 2)
    assert accuracy.to_dict()["videos_unlabelled"] == 2
    scored = score_table(np.eye(4, 9), [0, -1, 2, 4])
    assert measure_accuracy(scored).complete
    assert (measure_accuracy(scored).num_correct[1], measure_accuracy(scored).num_scored) == (2, 3)


def test_videos_without_any_label_are_not_scored():
    for table in (
        score_table(np.zeros((0, 9)), [], listed_labels=np.array([-1, -1])),
        score_table(np.eye(2), [-1, -1]),
    ):
        with pytest.raises(ScoringError, match="eval is not scored: no video has a label, all are listed with -1"):
            measure_accuracy(table)


def test_of_no_video_none_is_right():
    assert count_top_k(np.zeros((0, 9), np.float32), np.zeros(0, np.int64), 1) == 0


DIGESTS = {3: ("16f181bfbd1a7ebc", "bd55aad9c2001694")}


def test_another_arithmetic_needs_another_score_format():
    """A changed digest is a changed row of scores: raise SCORE_FORMAT and add the new digests under its number."""
    views = np.random.RandomState(0).rand(30, 400).astype(np.float32)
    found = tuple(xxhash.xxh3_64_hexdigest(aggregate_views(views, method).tobytes()) for method in ("sum", "max"))
    assert found == DIGESTS[SCORE_FORMAT]
