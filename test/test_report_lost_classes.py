"""Sentences of lost and exchanged classes, the same in x3d_compare.py and in the report."""

import json
from pathlib import Path

import pytest

import x3d_compare
import x3d_report
from demo.made_up_folder import write_evaluation
from demo.small import SMALL
from test.helpers import with_keys
from test.tables import score_table
from test.test_lost_classes import LABELS, changed
from x3d.dataset.class_names import ClassNames
from x3d.report.lost_classes import describe_lost_classes, lost_class_rows

NAMES = ClassNames([f"n{number}" for number in range(4)], "names.txt")
KEYS = with_keys(
    SMALL,
    *(
        "MODEL.NUM_CLASSES",
        "4",
        "TEST.NUM_ENSEMBLE_VIEWS",
        "1",
        "TEST.NUM_SPATIAL_CROPS",
        "1",
        "DATA.TEST_CROP_SIZE",
        "32",
    ),
)
DROP = '"n0" lost 20 of 40 videos and gained 0 against the reference: a drop of 50.0 points, 95 % interval 35.2 to 64.8'
EXCHANGE = (
    '"n1" and "n3" are exchanged: the candidate predicts 38 of 40 videos of "n1" as "n3" and 21 of 40 of "n3" as '
    '"n1"; check the class order of its model'
)


def test_a_lost_class_has_its_counts_and_two_exchanged_ones_have_one_sentence():
    rows = lost_class_rows(changed({(0, 2): 20, (1, 3): 38, (3, 1): 21}), NAMES)
    assert rows == [{"class": 1, "text": EXCHANGE}, {"class": 3, "text": EXCHANGE}, {"class": 0, "text": DROP}]
    assert describe_lost_classes(rows) == [EXCHANGE, DROP]


def test_more_than_two_are_counted():
    rows = [{"class": number, "text": f"class {number} lost"} for number in range(4)]
    assert describe_lost_classes(rows[:2]) == ["class 0 lost", "class 1 lost"]
    assert describe_lost_classes(rows[:3])[2] == "1 more class lost clearly more than the margin"
    assert describe_lost_classes(rows)[2] == "2 more classes lost clearly more than the margin"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    comparison = changed({(1, 3): 38, (3, 1): 21})
    tables = {"f32": comparison.reference, "om": comparison.candidate}
    for name, table in tables.items():
        write_evaluation(tmp_path / name, score_table(table.scores, LABELS))
    return str(tmp_path / "f32"), str(tmp_path / "om")


def test_both_scripts_warn_in_the_same_words(folders, tmp_path, caplog):
    (tmp_path / "names.txt").write_text("n0\nn1\nn2\nn3\n")
    keys = ["DATA.CLASS_NAMES", str(tmp_path / "names.txt"), *KEYS]
    output = ["--output", str(tmp_path / "out")]
    assert x3d_compare.main(["--reference", folders[0], "--candidate", folders[1], *output, *keys]) == 1
    assert ("WARNING", EXCHANGE) in [(record.levelname, record.getMessage()) for record in caplog.records]
    assert EXCHANGE in json.loads((tmp_path / "out" / "comparison.json").read_text())["warnings"]
    caplog.clear()
    output = ["--output", str(tmp_path / "report")]
    assert x3d_report.main(["--results", folders[1], "--compare", folders[0], *output, *keys]) == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"].count(EXCHANGE) == 1
    findings = json.loads((tmp_path / "report" / "report.json").read_text())["findings"]
    assert [finding["text"] for finding in findings if EXCHANGE in finding["text"]] == [f"{EXCHANGE}."]
    assert {"kind": "class_lost", "text": f"{EXCHANGE}.", "anchor": "comparison"} in findings
