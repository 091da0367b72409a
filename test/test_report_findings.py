import dataclasses
from typing import Any

import numpy as np
import pytest

from demo.made_up_run import leave_out, make_run
from test.tables import score_table
from test.test_label_check import relabel
from x3d.dataset.class_names import ClassNames
from x3d.pipeline.compare import comparison_to_dict
from x3d.report.document import build_report
from x3d.report.findings import checked_without_finding
from x3d.scoring import measure_accuracy
from x3d.scoring.comparison import compare_tables
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import Failure, ScoreTable


def findings(table: ScoreTable) -> dict[str, list[str]]:
    """Return the texts by kind, in order."""
    names = ClassNames([f"n{number}" for number in range(table.num_classes)], "")
    accuracy = measure_accuracy(table, allow_missing=True) if table.labelled.any() else None
    found: dict[str, list[str]] = {}
    for finding in build_report(Predictions.of_table(table), accuracy, names)["findings"]:
        found.setdefault(finding["kind"], []).append(finding["text"])
    return found


def predicted(labels: Any, classes: Any, num_classes: int = 4, **changes: Any) -> ScoreTable:
    """Make a run with certain predictions, a small share of each probability for the other classes."""
    scores = np.linspace(0.01, 0.02, num_classes, dtype=np.float32) + np.zeros((len(labels), 1), np.float32)
    scores[np.arange(len(labels)), classes] = 0.94
    return score_table(scores, labels, **changes)


def test_wrong_labels_are_reported_with_both_names_and_the_number_of_videos():
    labels = np.repeat(np.arange(4), 50)
    classes = labels.copy()
    classes[:15] = 2
    assert findings(predicted(labels, classes))["labels"] == [
        '15 of 50 videos listed as "n0" are recognised as "n2", 15 of them as confidently as correct videos: '
        "check their labels."
    ]


def test_several_views_and_the_other_direction_are_part_of_the_sentence():
    labels = np.repeat(np.arange(4), 50)
    classes = labels.copy()
    classes[:15], classes[100:110] = 2, 0
    views = classes[:, None].repeat(10, axis=1)
    [text] = findings(predicted(labels, classes, view_classes=views, means=predicted(labels, classes).scores))["labels"]
    assert text == (
        '15 of 50 videos listed as "n0" are recognised as "n2", 15 of them as confidently as correct videos and by '
        "at least 8 of 10 views; the other way round it is 10 of 50: check their labels."
    )


def test_the_planted_fault_comes_first_and_a_clean_run_has_none():
    clean = make_run(num_videos=2000, num_classes=20, num_views=10)
    assert "labels" not in findings(clean)
    found = findings(relabel(clean, {3: 11})[0])
    assert next(iter(found)) == "labels"
    assert '"n3"' in found["labels"][0]
    assert '"n11"' in found["labels"][0]


def test_failed_videos_are_counted_by_their_most_frequent_reasons():
    reasons = ["empty"] * 3 + ["damaged"] * 2 + ["", "missing", "truncated"]
    failures = {4 + n: Failure(reason, "text") for n, reason in enumerate(reasons)}
    table = predicted(np.arange(4), np.arange(4), listed_labels=np.zeros(12, int), failures=failures)
    assert findings(table)["failures"] == [
        "8 of 12 listed videos have no scores: 3 empty (the file has no bytes), 2 damaged (parts of the file cannot be "
        "decoded), 1 incomplete (not scored yet, or views are missing, and nothing records why), 2 for other reasons."
    ]
    one = leave_out(make_run(num_videos=1200, num_classes=4, num_views=2), [3])
    assert findings(one)["failures"] == ["1 of 1,200 listed videos has no scores: 1 empty (the file has no bytes)."]


def test_a_class_far_below_the_rest_is_named():
    labels = np.repeat(np.arange(4), 50)
    classes = labels.copy()
    classes[:30] = np.arange(30) % 3 + 1
    scores = predicted(labels, classes).scores
    scores[:30] = 0.24 + 0.04 * np.eye(4, dtype=np.float32)[classes[:30]]
    found = findings(score_table(scores, labels))
    assert found["class"] == [
        '"n0" is clearly the class with the lowest accuracy: 20 of 50 videos correct (40.0 %, 95 % interval 27.6 to '
        '53.8); 10 are recognised as "n1".'
    ]


def test_equal_classes_have_no_lowest():
    for seed in range(20):
        assert "class" not in findings(make_run(num_videos=800, num_classes=8, num_views=2, seed=seed, signal=3.5))


@pytest.mark.parametrize(("share_correct", "text"), [(0.5, "too high"), (1.0, "too low")])
def test_miscalibration_is_reported_with_its_direction(share_correct, text):
    labels = np.tile(np.arange(4), 100)
    classes = np.where(np.arange(400) % 20 < 20 * share_correct, labels, (labels + 1) % 4)
    table = predicted(labels, classes)
    scores = 0.1 + 0.6 * np.eye(4, dtype=np.float32)[classes]
    [sentence] = findings(dataclasses.replace(table, scores=scores))["calibration"]
    assert text in sentence
    assert f"the mean is 70.0 %, and {100 * share_correct:.1f} % of the videos are correct" in sentence


def test_errors_of_both_signs_have_no_direction():
    labels = np.tile(np.arange(4), 100)
    confident = np.arange(400) < 200
    classes = np.where(np.arange(400) % 10 < 7, labels, (labels + 1) % 4)
    scores = np.where(confident, 0.91, 0.49)[:, None] * np.eye(4, dtype=np.float32)[classes] + np.float32(0.02)
    [sentence] = findings(score_table(scores.astype(np.float32), labels))["calibration"]
    assert sentence.startswith(
        "The probabilities are too high for some videos and too low for others: the mean is 72.0"
    )


def test_means_of_several_views_are_too_low_by_construction():
    assert "calibration" not in findings(make_run(num_videos=2000, num_classes=20, num_views=10))


def test_a_calibrated_run_has_no_finding():
    random = np.random.default_rng(0)
    confidences = random.uniform(0.5, 1, 2000).astype(np.float32)
    labels = (random.random(2000) > confidences).astype(int)
    assert findings(score_table(np.stack([confidences, 1 - confidences], axis=1), labels)) == {}


def test_views_that_disagree_in_many_videos_are_a_finding():
    labels = np.zeros(20, int)
    views = np.zeros((20, 3), int)
    views[:3, 1:] = [1, 2]
    scores = np.tile(np.array([0.9, 0.05, 0.05], np.float32), (20, 1))
    table = score_table(scores, labels, view_classes=views, means=scores)
    assert findings(table)["views"] == [
        "In 3 of 20 videos fewer than half of the 3 views agree with the video's class; 3 of them are correct."
    ]
    without = dataclasses.replace(table, labels=labels - 1, listed_labels=labels - 1)
    [text] = findings(without)["views"]
    assert text == "In 3 of 20 videos fewer than half of the 3 views agree with the video's class."
    views[0] = 0
    assert "views" not in findings(table)


NAMES = ClassNames(["air drumming", "bee keeping", "hurling (sport)", "zumba"], "names.txt")


def listed_in(folders: list[str], labels: list[int]) -> list[str]:
    """Report the findings about folders of a run in which every video is right."""
    paths = [f"val/{folder}/{number}.mp4" for number, folder in enumerate(folders)]
    table = predicted(labels, labels, listed_paths=paths)
    found = build_report(Predictions.of_table(table), measure_accuracy(table), NAMES)["findings"]
    return [finding["text"] for finding in found if finding["kind"] == "folders"]


def test_videos_in_the_folder_of_another_class_are_counted_by_pair():
    folders = ["air_drumming"] * 6 + ["bee keeping"] * 6 + ["hurling_-sport-"] * 6
    labels = [0] * 6 + [1] * 3 + [2] * 2 + [3] + [2] * 6
    assert listed_in(folders, labels) == [
        '2 videos listed as "hurling (sport)" lie in the folder of "bee keeping", such as val/bee keeping/9.mp4: '
        "check the list.",
        '1 video listed as "zumba" lies in the folder of "bee keeping", such as val/bee keeping/11.mp4: '
        "check the list.",
    ]
    assert listed_in(folders, [0] * 6 + [1] * 6 + [2] * 6) == []
    more = listed_in(folders, [0, 1, 2, 3, 0, 0] + [1] * 6 + [2] * 6)
    assert more[2] == "1 video more is listed with another class than their folder's."


def test_folders_that_name_no_class_are_no_conflict():
    assert listed_in(["air drumming"] * 3 + ["part one"] * 4, [1] * 7) == []


def compared(lost: int, num_videos: int = 45) -> dict[str, list[str]]:
    """Report the findings of a run in which the reference was right in `lost` more videos of class 0."""
    labels = np.repeat(np.arange(4), num_videos)
    classes = labels.copy()
    classes[:lost] = 2
    names = ClassNames([f"n{number}" for number in range(4)], "")
    candidate = predicted(labels, classes)
    comparison = comparison_to_dict(compare_tables(predicted(labels, labels), candidate, 0.735), names)
    found: dict[str, list[str]] = {}
    for finding in build_report(Predictions.of_table(candidate), measure_accuracy(candidate), names, comparison)[
        "findings"
    ]:
        found.setdefault(finding["kind"], []).append(finding["text"])
    return found


def test_a_class_that_the_candidate_lost_is_no_matter_of_labels():
    found = compared(lost=11)
    [text] = found["class_lost"]
    assert text.startswith('"n0" lost 11 of 45 videos and gained 0 against the reference: a drop of 24.4 points, 95 %')
    assert "labels" not in found
    assert "class_lost" not in compared(lost=4)


def checked(report: dict[str, Any], *kinds: str, **changes: Any) -> list[str]:
    """List what is checked without a finding if there are findings of these kinds."""
    return checked_without_finding({**report, "findings": [{"kind": kind} for kind in kinds], **changes})


def test_what_is_checked_without_a_finding_is_listed():
    report: dict[str, Any] = {"run": {"num_labelled": 100}, "comparison": {"decision": {"verdict": "PASS"}}}
    everything = ["class order", "lost classes", "labels", "calibration", "failed or missing videos"]
    assert checked(report, "comparison", "views") == everything
    assert checked(report, "class_order") == ["lost classes", "calibration", "failed or missing videos"]
    assert checked(report, "class_lost") == ["class order", "calibration", "failed or missing videos"]
    assert checked(report, "folders", "calibration") == ["class order", "lost classes", "failed or missing videos"]
    assert checked(report, "failures") == everything[:-1]


def test_what_cannot_be_checked_is_not_listed():
    report: dict[str, Any] = {"run": {"num_labelled": 99}, "comparison": None}
    assert checked(report) == ["labels", "calibration", "failed or missing videos"]
    report = {"run": {"num_labelled": 0}, "comparison": {"decision": None}}
    assert checked(report) == ["failed or missing videos"]
