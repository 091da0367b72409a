import numpy as np
import pytest

from test.tables import score_table
from x3d.dataset.class_names import ClassNames
from x3d.report.classes import class_rows, confusion_rows
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.predictions import Predictions

NAMES = ClassNames(["ant", "bee", "cat", "dog", "eel", "fox", "gnu"], "")
LABELS = [0, 0, 0, 0, 1, 1, 2, -1]
PREDICTED = [0, 1, 1, 2, 0, 1, 2, 3]


def predictions() -> Predictions:
    scores = np.eye(7, dtype=np.float32)[PREDICTED] + np.linspace(0.1, 0, 7, dtype=np.float32)
    return Predictions.of_table(score_table(scores, LABELS))


def test_a_class_has_its_accuracy_its_interval_and_the_class_it_loses_most_to():
    rows = class_rows(predictions(), NAMES)
    assert [row["class"] for row in rows] == list(range(7))
    low, high = wilson_interval(1, 4)
    assert rows[0] == {
        "class": 0,
        "name": "ant",
        "num_videos": 4,
        "num_correct": 1,
        "percent": 25,
        "low": pytest.approx(low),
        "high": pytest.approx(high),
        "num_top5": 4,
        "num_predicted": 2,
        "lost_to": {"class": 1, "name": "bee", "count": 2},
    }
    assert (rows[2]["percent"], rows[2]["lost_to"]) == (100, None)


def test_a_class_without_videos_has_no_accuracy():
    row = class_rows(predictions(), NAMES)[3]
    assert (row["num_videos"], row["percent"], row["low"], row["high"], row["lost_to"]) == (0, None, None, None, None)
    assert row["num_predicted"] == 1, "the unlabelled video"


def test_the_top_5_of_a_class_leave_out_the_sixth():
    scores = np.tile(np.arange(7, dtype=np.float32)[::-1], (2, 1))
    rows = class_rows(Predictions.of_table(score_table(scores, [4, 5])), NAMES)
    assert [row["num_top5"] for row in rows] == [0, 0, 0, 0, 1, 0, 0]


def test_a_pair_is_one_row_in_its_more_frequent_direction():
    rows = confusion_rows(predictions(), NAMES)
    assert rows == [
        {
            "true": 0,
            "true_name": "ant",
            "predicted": 1,
            "predicted_name": "bee",
            "count": 2,
            "reverse_count": 1,
            "num_true": 4,
            "num_reverse": 2,
        },
        {
            "true": 0,
            "true_name": "ant",
            "predicted": 2,
            "predicted_name": "cat",
            "count": 1,
            "reverse_count": 0,
            "num_true": 4,
            "num_reverse": 1,
        },
    ]


def test_the_higher_class_may_be_the_label_of_a_pair():
    scores = np.eye(7, dtype=np.float32)[[2, 2, 5]]
    [row] = confusion_rows(Predictions.of_table(score_table(scores, [5, 5, 2])), NAMES)
    assert (row["true"], row["predicted"], row["count"], row["reverse_count"]) == (5, 2, 2, 1)


def test_all_errors_are_in_the_confusions():
    random = np.random.default_rng(0)
    scores, labels = random.random((300, 7), np.float32), random.integers(7, size=300)
    rows = confusion_rows(Predictions.of_table(score_table(scores, labels)), NAMES)
    num_wrong = int((scores.argmax(axis=1) != labels).sum())
    assert sum(row["count"] + row["reverse_count"] for row in rows) == num_wrong
    counts = [row["count"] for row in rows]
    assert counts == sorted(counts, reverse=True)
