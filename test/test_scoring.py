import json

import numpy as np
import pytest
import torch

from test.helpers import read_golden
from x3d.scoring.accuracy import audit_views, count_top_k, join_views, majority_labels, percent, stats

GOLDEN = read_golden("slowfast_meter.json")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['videos']} by {case['ensemble']}")
def test_the_line_is_pyslowfasts(case):
    random = np.random.RandomState(GOLDEN["seed"])
    labels = random.randint(0, 400, case["videos"])
    logits = random.standard_normal((case["videos"] * 30, 400))
    logits[np.arange(len(logits)), np.repeat(labels, 30)] += case["margin"]
    scores = torch.softmax(torch.from_numpy(logits), dim=1).numpy().astype(np.float32)
    joined = np.stack([join_views(views, case["ensemble"]) for views in scores.reshape(-1, 30, 400)])
    correct = {k: count_top_k(joined, labels, k) for k in (1, 5)}
    assert json.dumps(stats(correct, len(labels))) == json.dumps(case["stats"])


def test_sums_are_taken_view_after_view_in_float32():
    views = np.random.RandomState(0).standard_normal((30, 5)).astype(np.float32)
    expected = np.zeros(5, dtype=np.float32)
    for view in views:
        expected += view
    assert join_views(views, "sum").tobytes() == expected.tobytes()


def test_the_maximum_starts_from_zero():
    assert join_views(np.array([[-1, 2], [-3, 1]], dtype=np.float32), "max").tolist() == [0, 2]


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
            assert percent(correct, total) == f"{reference:.2f}"


def audit(views, labels, num_videos=2, video_labels=(3, 4), num_views=2):
    expected = np.arange(num_videos * num_views)
    return audit_views(np.array(views), np.array(labels), expected, np.repeat(video_labels, num_views), num_views)


def test_a_whole_set_has_no_faults():
    found = audit([0, 1, 2, 3], [3, 3, 4, 4])
    assert (found.complete.tolist(), found.missing.tolist(), found.faults) == ([0, 1], [], [])


@pytest.mark.parametrize(
    ("views", "labels", "fault"),
    [
        ([0, 1, 2, 2, 3], [3, 3, 4, 4, 4], "view 2 is there more than once"),
        ([0, 1, 2, 3, 4], [3, 3, 4, 4, 4], "view 4 (label 4) was not expected"),
        ([0, 1, 2, 3], [3, 3, 4, 5], "view 3 has label 5, its video 1 has label 4"),
        ([0, 1, 2, 3], [-1, -1, 4, 4], "video 0 is unlabelled (-1)"),
    ],
)
def test_each_fault_names_its_view(views, labels, fault):
    assert fault in audit(views, labels).faults


def test_missing_views_leave_the_complete_videos():
    found = audit([0, 1, 3], [3, 3, 4])
    assert (found.complete.tolist(), found.incomplete.tolist(), found.missing.tolist()) == ([0], [1], [2])


def test_the_majority_decides_a_videos_label():
    views = np.array([0, 1, 2, 3, 4, 5])
    assert majority_labels(views, np.array([7, 9, 7, 1, 1, 0]), 3).tolist() == [7, 7, 7, 1, 1, 1]
