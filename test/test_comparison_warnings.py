"""Warnings of a comparison: outputs that differ more than a conversion's, whatever the verdict."""

import json
import logging
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import x3d_compare
import x3d_report
from demo.made_up_folder import write_evaluation
from demo.made_up_run import degrade, make_run
from demo.small import SMALL
from test.helpers import with_keys
from test.html_document import Document
from test.results import LABELS, write_results
from test.tables import score_table
from x3d.dataset.class_names import ClassNames
from x3d.pipeline.comparison_warnings import NOT_RECORDED, find_warnings
from x3d.scoring.agreement import Thresholds
from x3d.scoring.comparison import compare_tables
from x3d.scoring.table import ScoreTable

NAMES = ClassNames([f"name {label}" for label in range(9)], "names.txt")
PATHS = [f"{video}.mp4" for video in range(400)]
KEYS = with_keys(SMALL, "TEST.NUM_ENSEMBLE_VIEWS", "2", "TEST.NUM_SPATIAL_CROPS", "2")


def agreeing(num_views: int, num_other: int, labels: Any = None, **changes: Any) -> ScoreTable:
    """Make a run of 400 videos of which so many views have another best class, and no video has."""
    views = np.zeros((400, num_views), np.int32)
    views.flat[:num_other] = 1
    scores = changes.pop("scores", np.tile(np.array([0.6, 0.4], np.float32), (400, 1)))
    given: dict[str, Any] = {
        "folder": f"run {num_other}",
        "listed_paths": PATHS,
        "view_classes": views,
        "means": scores,
    }
    return score_table(scores, [0] * 400 if labels is None else labels, **given | changes)


def warnings(reference: ScoreTable, candidate: ScoreTable, common: bool = False) -> list[str]:
    return list(find_warnings(compare_tables(reference, candidate, 0.735, common), NAMES))


def test_views_below_the_threshold_of_conversions_are_a_warning():
    assert warnings(agreeing(4, 0), agreeing(4, 16)) == []
    assert warnings(agreeing(4, 0), agreeing(4, 17)) == [
        "the best class is the same in 98.94 % of the views, and x3d_npu.py check asks a conversion for 99 %: if the "
        "candidate is one, look at its model, the order of the views and their values before judging the drop; another "
        "network or a lower precision may differ as much"
    ]


def test_the_threshold_is_that_of_x3d_npu_check(monkeypatch):
    monkeypatch.setattr("x3d.pipeline.comparison_warnings.Thresholds", lambda: Thresholds(min_agreement_percent=98.5))
    assert warnings(agreeing(4, 0), agreeing(4, 17)) == []
    [warning] = warnings(agreeing(4, 0), agreeing(4, 25))
    assert "asks a conversion for 98.5 %" in warning


def test_without_comparable_views_the_videos_count():
    changed = np.tile(np.array([0.6, 0.4], np.float32), (400, 1))
    changed[:5] = changed[:5, ::-1]
    fewer = agreeing(2, 0, scores=changed, folder="fewer")
    [warning] = warnings(agreeing(4, 0), fewer, common=True)
    assert warning.startswith("the best class is the same in 98.75 % of the videos, and x3d_npu.py check asks")


def test_without_labels_there_is_no_drop_to_judge():
    unlabelled = [-1] * 400
    [warning] = warnings(agreeing(4, 0, unlabelled), agreeing(4, 99, unlabelled))
    assert "before using its predictions; another network" in warning


@pytest.mark.parametrize(
    ("reference", "candidate", "number"),
    [
        ({}, {}, 1),
        ({}, {"views": {}}, 1),
        ({"views": {}}, {"views": {"list_digest": "a"}}, 0),
        ({"model_digest": "a"}, {}, 0),
    ],
)
def test_runs_without_provenance_are_not_known_to_read_the_same_views(reference, candidate, number):
    runs = [
        agreeing(4, 0, folder=folder, conditions={"provenance": provenance})
        for folder, provenance in (("a", reference), ("b", candidate))
    ]
    assert warnings(*runs) == [NOT_RECORDED] * number


def test_without_provenance_the_page_warns_beside_the_verdict(tmp_path):
    for name in ("a", "b"):
        write_results(tmp_path / name, LABELS)
    more = ["--compare", str(tmp_path / "a"), "--output", str(tmp_path / "report"), *KEYS]
    assert x3d_report.main(["--results", str(tmp_path / "b"), *more]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["comparison"]["differences"] == []
    summary = Document((tmp_path / "report" / "index.html").read_text()).text.split("Each limit of the drop")[0]
    assert "Neither run records its model, views and list, so it is not verified that both read the same" in summary


@pytest.mark.parametrize(("margin", "verdict"), [("50", "PASS"), ("0.1", "FAIL")])
def test_log_files_and_page_have_one_sentence_and_the_verdict_stays(margin, verdict, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run = make_run(num_videos=400, num_classes=9, num_views=4, signal=2)
    folders = [write_evaluation(tmp_path / "a", run), write_evaluation(tmp_path / "b", degrade(run, 2))]
    more = ["--margin", margin, "--output", str(tmp_path / "out"), *KEYS]
    x3d_compare.main(["--reference", str(folders[0]), "--candidate", str(folders[1]), *more])
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["decision"]["verdict"] == verdict
    [warning] = [text for text in content["warnings"] if text.startswith("the best class is the same in ")]
    assert ("WARNING", warning) in [(record.levelname, record.getMessage()) for record in caplog.records]
    assert f"Warning: `{warning}`" in (tmp_path / "out" / "summary.md").read_text()
    output = ElementTree.parse(tmp_path / "out" / "junit.xml").find(".//system-out")
    assert f"Warning: {warning}" in (output.text or "").splitlines()
    caplog.clear()
    more = ["--compare", str(folders[0]), "--margin", margin, "--output", str(tmp_path / "report"), *KEYS]
    x3d_report.main(["--results", str(folders[1]), *more])
    assert [record.getMessage() for record in caplog.records].count(warning) == 1
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {"kind": "comparison_warning", "text": f"{warning}.", "anchor": "comparison"} in report["findings"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"<li>T{warning[1:]}." in page
