import dataclasses

import numpy as np
import pytest

from demo.made_up_run import make_run
from test.tables import score_table
from x3d.dataset.class_names import ClassNames
from x3d.errors import REASONS
from x3d.report.videos import confident_errors, disagreeing, failure_rows
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import Failure

NAMES = ClassNames(["ant", "bee", "cat"], "")
SCORES = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.15, 0.75], [0.6, 0.4, 0]], np.float32)


def test_failures_are_counted_by_reason_with_examples():
    failures = {n: Failure("empty", f"{n}.mp4 has no bytes") for n in range(1, 26)}
    failures |= {26: Failure("", "video 26 misses views: 3"), 27: Failure("damaged", "27.mp4 is damaged")}
    table = score_table(SCORES[:1], [0], failures=failures)
    rows = failure_rows(table)
    assert [(row["reason"], row["num_videos"]) for row in rows] == [("empty", 25), ("incomplete", 1), ("damaged", 1)]
    assert [row["meaning"] for row in rows[::2]] == [REASONS["empty"], REASONS["damaged"]]
    assert rows[0]["examples"] == [f"{n}.mp4 has no bytes" for n in range(1, 21)]
    assert rows[1]["examples"] == ["video 26 misses views: 3"]


def test_confident_errors_are_the_wrong_videos_by_probability():
    table = score_table(SCORES, [1, 0, 0, -1], listed_paths=["a.mp4", "b.mp4", "", "d.mp4"])
    rows = confident_errors(Predictions.of_table(table), NAMES)
    assert rows[0] == {
        "path": "a.mp4",
        "label": 1,
        "label_name": "bee",
        "predicted": 0,
        "predicted_name": "ant",
        "probability": pytest.approx(0.9),
        "num_agreeing": 1,
        "rank": 2,
    }
    assert [(row["path"], row["rank"]) for row in rows] == [("a.mp4", 2), ("video 2", 3)]


def test_videos_whose_views_disagree_are_listed_with_and_without_label():
    views = np.array([[0, 0, 1], [0, 0, 0], [0, 1, 2], [0, 1, 1]])
    table = score_table(SCORES, [0, 0, 2, -1], view_classes=views)
    rows = disagreeing(Predictions.of_table(table), NAMES)
    assert [(row["path"], row["num_agreeing"]) for row in rows] == [("video 3", 1), ("video 2", 1), ("video 0", 2)]
    assert (rows[0]["label"], rows[0]["label_name"]) == (None, None)


def test_the_lists_are_short():
    table = make_run(num_videos=1000, num_classes=3, num_views=5, signal=1)
    predictions = Predictions.of_table(table)
    errors = confident_errors(predictions, NAMES)
    probabilities = [row["probability"] for row in errors]
    assert (len(errors), len(disagreeing(predictions, NAMES))) == (100, 50)
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] == predictions.confidences[predictions.wrong].max()


def test_a_video_is_found_by_its_position_in_the_list():
    table = score_table(SCORES[:1], [1], {1: "missing"}, listed_paths=["failed.mp4", "wrong.mp4"])
    moved = dataclasses.replace(table, videos=np.array([1]))
    assert [row["path"] for row in confident_errors(Predictions.of_table(moved), NAMES)] == ["wrong.mp4"]
