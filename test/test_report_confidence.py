import dataclasses

import numpy as np
import pytest

from demo.made_up_run import make_run
from test.tables import score_table
from x3d.report.confidence import calibrations, coverage_rows
from x3d.scoring.calibration import calibrate
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.predictions import Predictions


def test_videos_and_views_are_calibrated_apart():
    table = make_run(num_videos=300, num_classes=8, num_views=4)
    found = calibrations(Predictions.of_table(table))
    confidences, correct = table.probabilities.max(axis=1), table.scores.argmax(axis=1) == table.labels
    assert found["videos"]["ece_percent"] == calibrate(confidences, correct).ece
    assert found["videos"]["mean_confidence_percent"] == pytest.approx(100 * confidences.mean())
    assert found["videos"]["accuracy_percent"] == 100 * correct.mean()
    assert sum(row["num_videos"] for row in found["videos"]["bins"]) == 300
    assert found["views"]["accuracy_percent"] == 100 * (table.view_classes == table.labels[:, None]).mean()
    assert sum(row["num_videos"] for row in found["views"]["bins"]) == 1200


def test_views_that_repeat_their_video_make_the_interval_no_narrower():
    table = make_run(num_videos=300, num_classes=8, num_views=1)
    repeated = dataclasses.replace(
        table,
        means=table.probabilities,
        view_classes=table.scores.argmax(axis=1)[:, None].repeat(20, axis=1),
        view_probabilities=table.probabilities.max(axis=1)[:, None].repeat(20, axis=1),
    )
    found = calibrations(Predictions.of_table(repeated))
    widths = {name: row["ece_high_percent"] - row["ece_low_percent"] for name, row in found.items()}
    assert widths["views"] == pytest.approx(widths["videos"], rel=0.1)


def test_videos_without_a_label_are_left_out():
    table = score_table([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, -1, 1])
    found = calibrations(Predictions.of_table(table))
    assert found["videos"]["mean_confidence_percent"] == pytest.approx(75)
    assert found["videos"]["accuracy_percent"] == found["views"]["accuracy_percent"] == 50
    assert coverage_rows(Predictions.of_table(table))[-1]["num_videos"] == 2


def test_coverage_has_the_most_confident_first_with_intervals():
    scores = np.array([[p, 1 - p] for p in np.linspace(0.99, 0.6, 20)], np.float32)
    labels = [0] * 15 + [1] * 5
    rows = coverage_rows(Predictions.of_table(score_table(scores, labels)))
    low, high = wilson_interval(10, 10)
    expected = {"coverage_percent": 50, "num_videos": 10, "num_correct": 10, "accuracy_percent": 100}
    assert [row for row in rows if row["num_videos"] == 10] == [
        {**expected, "low": low, "high": high, "threshold": pytest.approx(scores[9, 0])}
    ]
    assert (rows[-1]["coverage_percent"], rows[-1]["accuracy_percent"]) == (100, 75)


def test_without_labels_there_is_neither():
    found = Predictions.of_table(score_table([[0.9, 0.1]], [-1]))
    assert (calibrations(found), coverage_rows(found)) == (None, [])
