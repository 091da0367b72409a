"""The script x3d_compare.py: options, last line, log, files and exit status."""

import dataclasses
import json
import logging
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import x3d_compare
from demo.made_up_folder import write_evaluation, write_result_files
from demo.made_up_run import degrade, leave_out, make_run
from demo.small import SMALL
from test.helpers import line_of, with_keys
from test.results import LABELS, write_results
from test.tables import score_table
from x3d.pipeline.comparison_files import NAMES
from x3d.pipeline.comparison_text import NO_LABELS
from x3d.scoring.table import ScoreTable

KEYS = with_keys(SMALL, "TEST.NUM_ENSEMBLE_VIEWS", "2", "TEST.NUM_SPATIAL_CROPS", "2")


@pytest.fixture(autouse=True)
def _logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(scope="module")
def run() -> ScoreTable:
    return make_run(num_videos=400, num_classes=9, num_views=4, signal=2)


@pytest.fixture
def reference(run: ScoreTable, tmp_path: Path) -> Path:
    return write_evaluation(tmp_path / "f32", run)


def compare(reference: Path, candidate: Path, *more: str) -> int:
    return x3d_compare.main(["--reference", str(reference), "--candidate", str(candidate), *more, *KEYS])


def test_a_run_passes_against_itself(reference, capsys, caplog):
    assert compare(reference, reference) == 0
    line = json.loads(line_of(capsys))
    assert line == {
        **{"verdict": "PASS", "drop_points": 0, "margin_points": 0.735, "num_videos_to_decide": None},
        **{"low_points": line["low_points"], "high_points": line["high_points"]},
        **{"lost": 0, "gained": 0, "num_videos": 400, "num_labelled": 400, "num_left_out": 0},
        "agreement_percent": 100,
    }
    assert -0.735 < line["low_points"] < 0 < line["high_points"] < 0.735
    assert "PASS: the drop of top-1 is 0.000 points on 400 videos" in caplog.records[-1].getMessage()


def test_a_run_without_a_list_is_paired_by_position_with_a_warning(run, reference, tmp_path, caplog):
    write_result_files(tmp_path / "res", run)
    compare(reference, tmp_path / "res", "--output", str(tmp_path / "out"))
    assert "paired by their position in the list" in caplog.text
    assert "Warning: `the videos are paired by their position" in (tmp_path / "out" / "summary.md").read_text()
    caplog.clear()
    assert compare(reference, reference) == 0
    assert "position" not in caplog.text


@pytest.mark.parametrize(
    ("noise", "margin", "status", "verdict"),
    [(2, "1", 1, "FAIL"), (0.2, "0.735", 3, "UNDECIDED"), (0.2, "20", 0, "PASS")],
)
def test_the_verdict_is_the_exit_status(noise, margin, status, verdict, run, reference, tmp_path, capsys, caplog):
    candidate = write_evaluation(tmp_path / "f16", degrade(run, noise), model_digest="other")
    assert compare(reference, candidate, "--margin", margin, "--output", str(tmp_path / "out")) == status
    line = json.loads(line_of(capsys))
    assert (line["verdict"], line["margin_points"]) == (verdict, float(margin))
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["decision"]["verdict"] == verdict
    assert {key: content[key] for key in ("lost", "gained")} == {key: line[key] for key in ("lost", "gained")}
    assert (line["num_videos_to_decide"] is None) == (verdict != "UNDECIDED")
    assert "the runs differ in\nrecorded of the candidate only: model_digest other" in caplog.text
    assert f"comparison: {tmp_path / 'out'}" in caplog.text
    assert "classes are named by their numbers; set DATA.CLASS_NAMES" in caplog.text


def test_results_without_a_list_are_compared_by_position(tmp_path, capsys, caplog):
    for name in ("a", "b"):
        write_results(tmp_path / name, LABELS)
    assert compare(tmp_path / "a", tmp_path / "b") == 3
    assert json.loads(line_of(capsys))["num_videos"] == 3
    assert "UNDECIDED: 3 videos cannot show a loss below 0.735 points; 366 without any flip would" in caplog.text


def test_other_lists_are_rejected_and_no_earlier_comparison_stays(run, reference, tmp_path, capsys, caplog):
    out = tmp_path / "out"
    assert compare(reference, reference, "--output", str(out)) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    capsys.readouterr()
    swapped = run.labels.copy()
    swapped[[*map(int, (swapped == 3).nonzero()[0][:15])]] = 7
    relabelled = score_table(
        run.scores,
        swapped,
        **{name: getattr(run, name) for name in ("view_classes", "view_probabilities", "listed_paths")},
    )
    candidate = write_evaluation(tmp_path / "other", relabelled)
    assert compare(reference, candidate, "--output", str(out)) == 2
    assert "15 videos are listed with class 3 in one and class 7 in the other (class 003/video_" in caplog.text
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in out.iterdir()) == ["comparison.json", "junit.xml", "summary.md"]
    [message] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    [[[error]]] = ElementTree.parse(out / "junit.xml").getroot()
    assert (error.tag, error.get("message")) == ("error", message)
    assert compare(reference, candidate, "--common", "--output", str(out)) == 0
    assert json.loads(line_of(capsys))["num_left_out"] == 15
    assert "15 videos not compared\n15 videos are listed with class 3" in caplog.text


def test_runs_that_scored_other_videos_have_what_is_common(run, reference, tmp_path, capsys, caplog):
    part = write_evaluation(tmp_path / "part", leave_out(run, [5, 6]))
    assert compare(reference, part) == 2
    assert "2 videos are scored by the reference only (class 00" in caplog.text
    assert compare(reference, part, "--common") == 0
    assert json.loads(line_of(capsys))["num_videos"] == 398


def test_other_files_under_the_same_paths_are_rejected(run, tmp_path, capsys, caplog):
    first = np.arange(1, 401, dtype=np.uint64)
    folders = [
        write_evaluation(tmp_path / name, dataclasses.replace(run, sources=sources))
        for name, sources in (("a", first), ("b", np.where(first > 380, first + np.uint64(400), first)))
    ]
    assert compare(*folders) == 2
    assert "b scored other files: 20 videos are of other content in the candidate than in the ref" in caplog.text
    caplog.clear()
    assert compare(*folders, "--common") == 0
    assert json.loads(line_of(capsys))["num_left_out"] == 20
    assert "20 videos not compared\n20 videos are of other content in the candidate than in the" in caplog.text


def test_without_labels_nothing_is_decided(run, tmp_path, capsys, caplog):
    unlabelled = score_table(
        run.scores, [-1] * 400, view_classes=run.view_classes, view_probabilities=run.view_probabilities
    )
    folder = write_evaluation(tmp_path / "a", unlabelled)
    assert compare(folder, folder, "--output", str(tmp_path / "out")) == 3
    line = json.loads(line_of(capsys))
    assert (line["verdict"], line["num_labelled"], line["agreement_percent"]) == (None, 0, 100)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[-1] == NO_LABELS
    assert 'failures="1"' in (tmp_path / "out" / "junit.xml").read_text()


@pytest.mark.parametrize("margin", ["0", "-1", "100", "nan", "inf"])
def test_a_margin_is_a_number_of_points(margin, reference, caplog):
    assert compare(reference, reference, f"--margin={margin}") == 2
    assert f"--margin {float(margin):g} is no loss in points; give a number above 0 and below 100" in caplog.text


def test_wrong_usage_and_wrong_folders_are_status_2(reference, tmp_path, caplog):
    for option in ("--reference", "--candidate"):
        with pytest.raises(SystemExit) as ended:
            x3d_compare.main([option, str(reference), *KEYS])
        assert ended.value.code == 2
    assert compare(reference, tmp_path / "nowhere") == 2
    assert compare(reference, reference, "--output", str(reference)) == 2
    assert "f32 lies in" in caplog.text
    assert compare(reference, reference, "MODEL.NUM_CLASSES", "5") == 2


def test_a_file_that_cannot_be_written_is_status_1(reference, tmp_path, monkeypatch, capsys, caplog):
    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device", "out/flips.csv")

    monkeypatch.setattr("x3d.pipeline.comparison_files.write_comparison", fail)
    assert compare(reference, reference, "--output", str(tmp_path / "out")) == 1
    assert "out/flips.csv cannot be written: No space left on device" in caplog.text
    assert json.loads(line_of(capsys))["verdict"] == "PASS"


def test_class_names_are_read(run, reference, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"move {label}\n" for label in range(9)))
    candidate = write_evaluation(tmp_path / "f16", degrade(run, 2))
    more = ["--output", str(tmp_path / "out"), "DATA.CLASS_NAMES", str(tmp_path / "names.txt")]
    assert compare(reference, candidate, *more) == 1
    assert "| `move " in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize("option", ["--reference", "--candidate", "--output"])
def test_an_empty_folder_such_as_of_an_unset_variable_is_status_2(option, reference, capsys):
    with pytest.raises(SystemExit) as ended:
        compare(reference, reference, option, "")
    assert ended.value.code == 2
    assert f"argument {option}: is empty; give a folder, or leave the option out" in capsys.readouterr().err


def test_the_output_does_not_lie_within_a_compared_folder(reference, caplog):
    before = sorted(reference.iterdir())
    assert compare(reference, reference, "--output", str(reference / "compared")) == 2
    assert "f32, which holds nothing but a run; give another folder" in caplog.text
    assert sorted(reference.iterdir()) == before


def test_a_run_compared_with_itself_is_a_warning(reference, tmp_path, caplog):
    (tmp_path / "link").symlink_to(reference)
    assert compare(reference, tmp_path / "link") == 0
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == f"{reference} is compared with itself, which decides nothing about another run"
