import numpy as np
import pytest

from test.tables import score_table
from x3d.report.views import view_summary
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.predictions import Predictions

SCORES = np.array([[0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.4, 0.6]], np.float32)
VIEWS = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0], [1, 1, 1, 1]])


def summary(labels):
    return view_summary(Predictions.of_table(score_table(SCORES, labels, view_classes=VIEWS)))


def test_videos_are_counted_by_the_views_that_agree():
    found = summary([0, 1, 0, -1])
    assert found["mean_agreement_percent"] == pytest.approx(100 * (4 + 3 + 2 + 4) / 16)
    rows = [tuple(row.values()) for row in found["agreement"]]
    assert rows == [(0, 0, 0, 0), (1, 0, 0, 0), (2, 1, 1, 1), (3, 1, 1, 0), (4, 2, 1, 1)]
    assert list(found["agreement"][0]) == ["num_agreeing", "num_videos", "num_labelled", "num_correct"]


def test_the_interval_of_single_views_is_that_of_as_many_videos():
    top1 = summary([0, 1, 0, -1])["top1"]
    assert (top1["num_correct"], top1["num_videos"]) == (4 + 1 + 2, 12)
    assert top1["percent"] == pytest.approx(100 * 7 / 12)
    assert (top1["low"], top1["high"]) == wilson_interval(2, 3)


def test_without_labels_there_is_no_top_1():
    found = summary([-1] * 4)
    assert found["top1"] is None
    assert [row["num_correct"] for row in found["agreement"]] == [None] * 5
