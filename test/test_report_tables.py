import csv
import math
from pathlib import Path

import numpy as np
import pytest

from demo.made_up_run import leave_out, make_run
from test.tables import score_table
from x3d.dataset.class_names import ClassNames
from x3d.report.classes import class_rows, confusion_rows
from x3d.report.confidence import calibrations
from x3d.report.tables import calibration_table, class_table, confusion_table, prediction_rows
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import UNKNOWN_LABEL, Failure
from x3d.storage.csv_file import write_csv

NAMES = ClassNames(["=ant", 'bee, "B"', "cat\x1b"], "")
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)


def read(rows, tmp_path: Path) -> list[dict[str, str]]:
    write_csv(tmp_path / "a.csv", rows)
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_listed_video_has_a_row_in_the_order_of_the_list(tmp_path):
    table = leave_out(make_run(num_videos=50, num_classes=8, num_views=3), [0, 7])
    names = ClassNames([f"n{number}" for number in range(8)], "")
    rows = read(prediction_rows(Predictions.of_table(table), names), tmp_path)
    assert [row["index"] for row in rows] == [str(number) for number in range(50)]
    assert [row["path"] for row in rows] == list(table.listed_paths)
    assert [row["label"] for row in rows] == [str(label) for label in table.listed_labels]
    failed = {row["index"]: (row["reason"], row["top1_class"], row["entropy"]) for row in rows if row["reason"]}
    assert failed == {"0": ("empty", "", ""), "7": ("empty", "", "")}
    assert rows[7]["text"] == table.failures[7].text
    correct = [row["rank"] == "1" for row in rows if not row["reason"]]
    assert correct == (table.scores.argmax(axis=1) == table.labels).tolist()


def test_a_row_has_the_best_classes_with_names_and_probabilities(tmp_path):
    table = score_table(SCORES, [1, -1], view_classes=np.array([[0, 0, 2], [2, 2, 2]]), means=SCORES)
    first, second = read(prediction_rows(Predictions.of_table(table), NAMES), tmp_path)
    assert first["path"] == "video 0"
    assert [first[f"top{place}_class"] for place in range(1, 6)] == ["0", "1", "2", "", ""]
    assert [first[f"top{place}_name"] for place in (1, 2, 3)] == ["'=ant", 'bee, "B"', r"cat\x1b"]
    assert [first[f"top{place}_probability"] for place in (1, 2, 3, 4)] == ["0.7", "0.2", "0.1", ""]
    assert (first["label"], first["label_name"], first["rank"], first["views_agreeing"]) == ("1", 'bee, "B"', "2", "2")
    assert float(first["margin"]) == pytest.approx(0.5)
    expected = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    assert float(first["entropy"]) == pytest.approx(expected, rel=1e-5)
    assert (second["label"], second["label_name"], second["rank"]) == ("", "", "")


def test_a_path_or_label_that_is_unknown_is_no_reason_to_leave_out_a_video(tmp_path):
    listed = np.array([0, 1, UNKNOWN_LABEL])
    failures = {2: Failure("", "video 2 misses views: all 1")}
    table = score_table(SCORES, [0, 1], listed_labels=listed, failures=failures)
    rows = read(prediction_rows(Predictions.of_table(table), NAMES), tmp_path)
    assert (rows[2]["path"], rows[2]["label"], rows[2]["text"]) == ("video 2", "", "video 2 misses views: all 1")


def test_a_path_that_begins_like_a_formula_stays_usable(tmp_path):
    table = score_table(SCORES, [0, 1], listed_paths=["-abc.mp4", "=1.mp4"])
    rows = read(prediction_rows(Predictions.of_table(table), NAMES), tmp_path)
    assert [row["path"] for row in rows] == ["./-abc.mp4", "./=1.mp4"]


def test_one_class_has_no_margin(tmp_path):
    [row] = read(prediction_rows(Predictions.of_table(score_table([[1]], [0])), NAMES), tmp_path)
    assert (row["margin"], row["top1_class"], row["top2_class"]) == ("", "0", "")


def test_classes_are_ranked_by_the_upper_limit_of_their_interval(tmp_path):
    labels = [0] * 40 + [1] * 2 + [2] * 40
    predicted = [0] * 20 + [1] * 20 + [1, 0] + [2] * 40
    scores = np.eye(4, dtype=np.float32)[predicted]
    names = ClassNames(["=ant", "bee", "cat", "dog"], "")
    rows = read(class_table(class_rows(Predictions.of_table(score_table(scores, labels)), names)), tmp_path)
    assert [row["name"] for row in rows] == ["'=ant", "bee", "cat", "dog"]
    assert [row["percent"] for row in rows] == ["50", "50", "100", ""]
    assert [row["lost_to_name"] for row in rows] == ["bee", "'=ant", "", ""]
    assert float(rows[0]["high"]) < float(rows[1]["high"])


def test_confusions_and_bins_have_a_row_each(tmp_path):
    table = make_run(num_videos=200, num_classes=3, num_views=3, signal=2)
    predictions = Predictions.of_table(table)
    pairs = confusion_rows(predictions, NAMES)
    rows = read(confusion_table(pairs), tmp_path)
    assert [(row["true"], row["predicted"], row["count"]) for row in rows] == [
        (str(pair["true"]), str(pair["predicted"]), str(pair["count"])) for pair in pairs
    ]
    assert "'=ant" in {row["true_name"] for row in rows} | {row["predicted_name"] for row in rows}
    calibration = calibrations(predictions)
    bins = read(calibration_table(calibration), tmp_path)
    assert [row["of"] for row in bins] == [of for of, found in calibration.items() for _ in found["bins"]]
    assert [sum(int(row["num_videos"]) for row in bins if row["of"] == of) for of in ("videos", "views")] == [200, 600]


def test_without_labels_there_are_no_bins(tmp_path):
    assert read(calibration_table(None), tmp_path) == []
