"""Predictions in csv and JSON files."""

import csv
import json
from pathlib import Path

import pytest

from x3d import __version__
from x3d.errors import InputError
from x3d.pipeline.prediction_files import COLUMNS, check_output, write_predictions
from x3d.pipeline.video_predictor import ClassScore, Prediction, Segment

FOUND = [
    Prediction(
        "=a.mp4",
        [
            Segment(0.0, 4.0, 6, [ClassScore(3, "@yoga\n", 0.5, 4), ClassScore(0, "tai chi", 0.25, 2)]),
            Segment(4.0, 6.1, 3, [ClassScore(1, "dancing", 1.0, 3)]),
        ],
        ["8 frames per second"],
    ),
    Prediction("b.mp4", reason="empty", text="b.mp4: the file has no bytes"),
]


def test_a_csv_has_a_row_per_class_of_each_segment_and_no_formula(tmp_path):
    path = tmp_path / "out.csv"
    check_output(path)
    write_predictions(path, FOUND)
    header, *rows = csv.reader(path.read_text().splitlines())
    assert tuple(header) == COLUMNS
    assert rows == [
        ["./=a.mp4", "0", "4", "1", "3", r"'@yoga\n", "0.5", "4", "6"],
        ["./=a.mp4", "0", "4", "2", "0", "tai chi", "0.25", "2", "6"],
        ["./=a.mp4", "4", "6.1", "1", "1", "dancing", "1", "3", "3"],
    ]


def test_a_json_has_segments_warnings_and_failures(tmp_path):
    path = tmp_path / "out.json"
    check_output(path)
    write_predictions(path, FOUND)
    content = json.loads(path.read_text())
    assert (content["schema"], content["suite"]) == (1, __version__)
    assert content["failed"] == [{"path": "b.mp4", "reason": "empty", "text": "b.mp4: the file has no bytes"}]
    [video] = content["videos"]
    assert (video["path"], video["warnings"]) == ("=a.mp4", ["8 frames per second"])
    assert video["segments"][1] == {
        "start_seconds": 4.0,
        "end_seconds": 6.1,
        "num_views": 3,
        "classes": [{"label": 1, "name": "dancing", "probability": 1.0, "num_agreeing": 3}],
    }


@pytest.mark.parametrize("name", ["out.csv", "out.json"])
def test_earlier_predictions_are_replaced(name, tmp_path):
    path = tmp_path / name
    write_predictions(path, FOUND)
    check_output(path)
    write_predictions(path, FOUND[1:])
    assert "tai chi" not in path.read_text()
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("out.txt", None, r"--output .*out\.txt has the suffix \.txt; give \.csv or \.json"),
        ("out", None, r"has no suffix; give \.csv or \.json"),
        (
            "out.csv",
            "a,b\n",
            r"out\.csv is another file than the csv of an earlier prediction; move it, or give",
        ),
        ("out.json", "{}", r"out\.json is no file of this suite"),
        ("none/out.csv", None, r"none/out\.csv cannot be written in .*none; give another --output"),
        ("none/out.json", None, r"none/out\.json cannot be written in .*none; give another --output"),
    ],
)
def test_an_output_that_cannot_be_written_or_is_a_file_of_the_user_is_rejected(name, content, message, tmp_path):
    path = Path(tmp_path / name)
    if content:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        check_output(path)
    assert not content or path.read_text() == content
