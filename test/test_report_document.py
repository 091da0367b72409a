import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from demo.made_up_run import degrade, leave_out, make_run
from test.tables import score_table
from x3d import __version__, report
from x3d.dataset.class_names import ClassNames
from x3d.pipeline.compare import comparison_to_dict
from x3d.report.document import build_report, flatten
from x3d.scoring import measure_accuracy
from x3d.scoring.comparison import compare_tables
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import ScoreTable

SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TEXTS = [f"name {number}" for number in range(8)]
NAMES = ClassNames(TEXTS, "names.txt")


def small_run(seed: int = 0) -> ScoreTable:
    return make_run(num_videos=200, num_classes=8, num_views=3, seed=seed)


def without_labels(table: ScoreTable, videos: Any) -> ScoreTable:
    labels = table.listed_labels.copy()
    labels[videos] = -1
    return dataclasses.replace(table, labels=labels[table.videos], listed_labels=labels)


def build(table: ScoreTable, comparison: dict[str, Any] | None = None) -> dict[str, Any]:
    """Build a report and check it against the schema."""
    accuracy = measure_accuracy(table, True, TEXTS) if table.labelled.any() else None
    names = ClassNames(TEXTS[: table.num_classes], NAMES.source)
    document = build_report(Predictions.of_table(table), accuracy, names, comparison)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    VALIDATOR.validate(document)
    return document


def test_the_schema_is_one_and_describes_every_key():
    VALIDATOR.check_schema(SCHEMA)

    def check(node: Any, place: str) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                assert node["additionalProperties"] is False, place
                assert sorted(node["required"]) == sorted(node["properties"]), place
                for name, described in node["properties"].items():
                    assert described.get("description"), f"{place}.{name}"
            for name, child in node.items():
                check(child, f"{place}.{name}")

    check(SCHEMA, "report")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "'more' was unexpected"),
        ({"schema": 2}, "1 was expected"),
        ({"views": {}}, "'top1' is a required property"),
        ({"classes": [{"class": "3"}]}, "'3' is not of type 'integer'"),
    ],
)
def test_the_schema_rejects_another_layout(change, message):
    errors = [error.message for error in VALIDATOR.iter_errors(build(small_run()) | change)]
    assert any(message in error for error in errors), errors


def test_a_report_has_the_score_with_both_denominators_and_their_intervals():
    table = leave_out(small_run(), [3, 50])
    document = build(table)
    right = int((table.scores.argmax(axis=1) == table.labels).sum())
    top1 = document["accuracy"]["top1"]
    for name, total in (("scored", 198), ("listed", 200)):
        low, high = wilson_interval(right, total)
        expected = {"num_correct": right, "num_videos": total, "percent": 100 * right / total, "low": low, "high": high}
        assert top1[name] == expected
    assert document["accuracy"]["line"] == dict(measure_accuracy(table, allow_missing=True).line)
    assert document["run"] == {
        "folder": "made_up",
        "expected_from": "made_up/test.csv",
        "num_listed": 200,
        "num_scored": 198,
        "num_labelled": 198,
        "num_unlabelled": 0,
        "num_failed": 2,
        "num_views": 3,
        "num_classes": 8,
        "class_names": "names.txt",
    }
    assert (document["schema"], document["suite"]) == (1, __version__)


def test_without_a_label_there_is_no_accuracy():
    document = build(without_labels(small_run(), slice(None)))
    assert (document["accuracy"], document["calibration"], document["views"]["top1"]) == (None, None, None)
    assert document["confusions"] == document["coverage"] == document["confident_errors"] == []
    assert {row["num_correct"] for row in document["views"]["agreement"]} == {None}
    assert {row["percent"] for row in document["classes"]} == {None}
    assert sum(row["num_predicted"] for row in document["classes"]) == 200
    assert (document["run"]["num_labelled"], document["run"]["num_unlabelled"]) == (0, 200)


def test_unlabelled_and_failed_videos_among_labelled_ones_are_counted_apart():
    table = leave_out(without_labels(small_run(), np.arange(0, 200, 4)), [0, 1, 2])
    document = build(table)
    run = document["run"]
    assert (run["num_scored"], run["num_labelled"], run["num_unlabelled"], run["num_failed"]) == (197, 148, 49, 3)
    shares = document["accuracy"]["top1"]
    assert (shares["scored"]["num_videos"], shares["listed"]["num_videos"]) == (148, 150)
    assert sum(row["num_videos"] for row in document["classes"]) == 148
    assert sum(row["num_predicted"] for row in document["classes"]) == 197
    assert document["coverage"][-1]["num_videos"] == 148
    assert sum(row["num_videos"] for row in document["views"]["agreement"]) == 197
    assert sum(row["num_labelled"] for row in document["views"]["agreement"]) == 148


@pytest.mark.parametrize("label", [0, 1, -1])
def test_one_video_of_two_classes_with_one_view(label):
    document = build(score_table([[0.3, 0.7]], [label]))
    assert document["views"]["mean_agreement_percent"] == 100
    assert document["findings"] == []
    assert len(document["classes"]) == 2


def test_a_report_is_the_same_each_time():
    assert build(small_run()) == build(small_run())


def test_a_list_in_another_order_is_a_warning_and_the_first_finding():
    table = make_run(num_videos=600, num_classes=8, num_views=3)
    shifted = (table.labels + 1) % 8
    document = build(dataclasses.replace(table, labels=shifted, listed_labels=shifted))
    [warning] = document["warnings"]
    assert "order" in warning
    assert document["findings"][0] == {"kind": "class_order", "text": warning, "anchor": "confusions"}


def test_a_comparison_is_part_of_the_report():
    table = small_run()
    comparison = comparison_to_dict(compare_tables(table, degrade(table, 0.5), 0.735), NAMES)
    document = build(degrade(table, 0.5), comparison)
    assert document["comparison"] == comparison
    text = comparison["decision"]["text"]
    assert {"kind": "comparison", "text": text, "anchor": "comparison"} in document["findings"]


def test_conditions_are_flat_texts():
    values = {"engine": "openvino", "config": {"A.B": 4, "C": [1, "x"]}, "none": None, "empty": {}}
    assert flatten(values) == {"engine": "openvino", "config.A.B": "4", "config.C": '[1, "x"]', "none": "null"}
