"""From a folder of scores to the files of a report."""

import csv
import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from demo.made_up_folder import write_evaluation, write_result_files
from demo.made_up_run import degrade, leave_out, make_run
from test.tables import score_table
from x3d import report
from x3d.dataset.class_names import ClassNames
from x3d.errors import InputError, ScoringError
from x3d.pipeline.compare import compare, comparison_to_dict, list_flips
from x3d.pipeline.comparison_files import open_comparison, write_comparison
from x3d.pipeline.postprocess import ScoringSettings
from x3d.pipeline.report import NAMES, open_report, write_report
from x3d.scoring.table import Failure

SETTINGS = ScoringSettings(num_classes=8, num_clips=1, num_crops=3)
CLASSES = ClassNames([f"n{number}" for number in range(8)], "names.txt")
SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text())
WITHOUT_COMPARISON = sorted(set(NAMES) - {"flips.csv"})
TABLE = make_run(num_videos=60, num_classes=8, num_views=3)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    write_evaluation(tmp_path / "eval", leave_out(TABLE, [5]))
    return str(tmp_path / "eval")


def write(folder: str, output: Path, settings: ScoringSettings = SETTINGS, **more):
    with open_report(str(output), (folder, more.get("compare_with", ""))) as target:
        return write_report(folder, target, settings, CLASSES, **more)


def test_a_report_has_all_files_with_the_same_figures(folder, tmp_path):
    written = write(folder, tmp_path / "a" / "report")
    assert sorted(os.listdir(tmp_path / "a" / "report")) == WITHOUT_COMPARISON
    assert written.page == tmp_path / "a" / "report" / "index.html"
    assert not written.complete
    content = json.loads((tmp_path / "a/report/report.json").read_text())
    jsonschema.validate(content, SCHEMA)
    assert content == json.loads(json.dumps(written.content))
    assert content["accuracy"]["top1"]["listed"]["num_videos"] == 60
    assert content["run"]["folder"] == folder
    with open(tmp_path / "a/report/predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    num_correct = sum(row["rank"] == "1" for row in rows)
    assert (len(rows), num_correct) == (60, content["accuracy"]["top1"]["scored"]["num_correct"])
    assert [row["index"] for row in rows if row["reason"] == "empty"] == ["5"]
    assert "<!doctype html>" in written.page.read_text().lower()


def test_the_scores_are_the_probabilities_with_nan_for_failed_videos(folder, tmp_path):
    write(folder, tmp_path / "report")
    scores = np.load(tmp_path / "report/scores.npy", allow_pickle=False)
    assert (scores.shape, scores.dtype) == ((60, 8), np.float32)
    assert np.flatnonzero(np.isnan(scores).any(axis=1)).tolist() == [5]
    kept = np.delete(np.arange(60), 5)
    assert (scores[kept] == TABLE.probabilities[kept]).all()


def test_result_files_give_the_same_views_and_failures_as_an_evaluation(folder, tmp_path):
    write_result_files(tmp_path / "res", leave_out(TABLE, [5]))
    ours = write(folder, tmp_path / "a").content
    theirs = write(str(tmp_path / "res"), tmp_path / "b").content
    assert theirs["run"]["num_scored"] == ours["run"]["num_scored"] == 59
    assert theirs["run"]["num_failed"] == 1
    assert theirs["run"]["num_listed"] == 60
    assert theirs["views"]["top1"] == ours["views"]["top1"]


def test_another_run_is_the_reference_of_the_comparison(folder, tmp_path):
    write_evaluation(tmp_path / "other", degrade(leave_out(TABLE, [5]), 1.0))
    comparison = write(folder, tmp_path / "report", compare_with=str(tmp_path / "other")).content["comparison"]
    assert (comparison["reference"]["folder"], comparison["candidate"]["folder"]) == (str(tmp_path / "other"), folder)
    assert comparison["num_videos"] == 59


def test_a_comparison_adds_all_flips_which_the_next_report_removes(folder, tmp_path):
    write_evaluation(tmp_path / "other", degrade(leave_out(TABLE, [5]), 1.0))
    write(folder, tmp_path / "report", compare_with=str(tmp_path / "other"))
    with open_comparison(str(tmp_path / "compared")) as target:
        compared = compare(str(tmp_path / "other"), folder, SETTINGS)
        flips = list_flips(compared, CLASSES)
        write_comparison(target, comparison_to_dict(compared, CLASSES), flips)
    text = (tmp_path / "report" / "flips.csv").read_text()
    assert len(text.splitlines()) == 1 + len(flips) > 1
    assert text == (tmp_path / "compared" / "flips.csv").read_text()
    write(folder, tmp_path / "report")
    assert sorted(os.listdir(tmp_path / "report")) == WITHOUT_COMPARISON


def test_a_run_with_other_videos_is_compared_on_request_only(folder, tmp_path):
    write_evaluation(tmp_path / "other", TABLE)
    with pytest.raises(InputError, match="--common"):
        write(folder, tmp_path / "report", compare_with=str(tmp_path / "other"))
    assert not (tmp_path / "report").exists()
    written = write(folder, tmp_path / "report", compare_with=str(tmp_path / "other"), common=True)
    assert written.content["comparison"]["num_videos"] == 59


def test_an_earlier_report_is_replaced_and_other_files_stay(folder, tmp_path):
    write(folder, tmp_path / "report")
    (tmp_path / "report" / "notes.txt").write_text("mine")
    (tmp_path / "report" / "classes.csv").write_text("old")
    write(folder, tmp_path / "report")
    assert (tmp_path / "report" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "report" / "classes.csv").read_text() != "old"


@pytest.mark.parametrize("name", ["report.json", "predictions.csv", "notes.txt"])
def test_a_folder_of_the_user_is_left_alone(name, folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text('{"schema": 1}')
    with pytest.raises(InputError, match=name):
        write(folder, tmp_path / "mine")
    assert {path.name: path.read_text() for path in (tmp_path / "mine").iterdir()} == {name: '{"schema": 1}'}


def test_a_report_of_another_run_does_not_look_current_after_an_error(folder, tmp_path):
    write(folder, tmp_path / "report")
    with pytest.raises(InputError, match=r"MODEL\.NUM_CLASSES"):
        write(folder, tmp_path / "report", ScoringSettings(num_classes=9))
    assert os.listdir(tmp_path / "report") == []


def test_a_stop_while_writing_leaves_no_page_and_the_next_report_replaces_the_rest(folder, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("x3d.pipeline.report.confusion_table", stop)
        with pytest.raises(KeyboardInterrupt):
            write(folder, tmp_path / "report")
    assert sorted(os.listdir(tmp_path / "report")) == ["classes.csv", "predictions.csv", "report.json"]
    write(folder, tmp_path / "report")
    assert sorted(os.listdir(tmp_path / "report")) == WITHOUT_COMPARISON


def test_a_run_without_any_scores_is_an_error_that_says_so(tmp_path):
    failures = {0: Failure("empty", "0.mp4: the file has no bytes")}
    table = score_table(np.zeros((0, 8)), [], failures=failures, listed_labels=np.array([3]))
    write_evaluation(tmp_path / "eval", table)
    with pytest.raises(ScoringError, match=r"is not reported, no video has all its views:\nvideo 0: 0\.mp4"):
        write(str(tmp_path / "eval"), tmp_path / "report")


def test_without_labels_the_other_figures_are_reported(tmp_path):
    scores = np.random.default_rng(0).dirichlet(np.ones(8), 20)
    write_evaluation(tmp_path / "eval", score_table(scores, [-1] * 20))
    settings = ScoringSettings(num_classes=8, num_clips=1, num_crops=1)
    written = write(str(tmp_path / "eval"), tmp_path / "report", settings)
    assert (written.accuracy, written.content["accuracy"], written.complete) == (None, None, True)
    assert written.content["run"]["num_unlabelled"] == 20
    assert (tmp_path / "report/calibration.csv").read_text().splitlines()[1:] == []
