"""x3d_report.py, from its command line."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import x3d_compare
import x3d_report
from demo.made_up_folder import write_evaluation
from demo.made_up_run import leave_out, make_run
from test.helpers import ROOT, with_keys
from test.tables import score_table
from test.test_label_check import relabel

KEYS = ["MODEL.NUM_CLASSES", "8", "TEST.NUM_ENSEMBLE_VIEWS", "1"]
TABLE = make_run(num_videos=400, num_classes=8, num_views=3)


def report(folder: Path, *more: str, keys: Sequence[str] = KEYS) -> int:
    cfg = ["--cfg", str(ROOT / "configs/X3D_S.yaml")]
    return x3d_report.main([*cfg, "--results", str(folder), "--output", str(folder.parent / "report"), *more, *keys])


def test_the_last_line_of_stdout_is_the_page_and_the_log_has_the_score(tmp_path, capsys, caplog):
    write_evaluation(tmp_path / "eval", TABLE)
    caplog.set_level("INFO")
    assert report(tmp_path / "eval") == 0
    page = tmp_path / "report" / "index.html"
    assert capsys.readouterr().out.splitlines() == [str(page)]
    assert f"report: {page}; open it in a browser" in caplog.text
    assert "top-1 of the videos scored: " in caplog.text
    assert page.is_file()
    assert "classes are named by their numbers; set DATA.CLASS_NAMES to a file with a name per line" in caplog.text


def test_failed_videos_are_status_1_and_a_warning_with_both_denominators(tmp_path, caplog):
    write_evaluation(tmp_path / "eval", leave_out(TABLE, [3, 4]))
    assert report(tmp_path / "eval") == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any(text.startswith("top-1 of the videos listed: ") and "of 400" in text for text in warnings)
    assert "2 of 400 listed videos have no scores: 2 empty (the file has no bytes)" in warnings


def test_a_planted_fault_is_named_by_its_classes_and_videos(tmp_path, caplog):
    names = [f"name {number}" for number in range(8)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n")
    table, _ = relabel(TABLE, {2: 5})
    write_evaluation(tmp_path / "eval", table)
    assert report(tmp_path / "eval", "DATA.CLASS_NAMES", str(tmp_path / "names.txt")) == 0
    [warning] = [record.getMessage() for record in caplog.records if "check their labels" in record.getMessage()]
    page = (tmp_path / "report" / "index.html").read_text()
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert f"{warning}." == content["findings"][0]["text"]
    assert "set DATA.CLASS_NAMES" not in caplog.text
    assert 'listed as "name 5" are recognised as "name 2"' in warning
    assert "check their labels" in page


def test_a_comparison_with_itself_is_undecided_or_passes_and_says_so(tmp_path, caplog):
    write_evaluation(tmp_path / "eval", TABLE)
    caplog.set_level("INFO")
    assert report(tmp_path / "eval", "--compare", str(tmp_path / "eval")) == 0
    assert "PASS" in caplog.text


def test_every_figure_of_an_accuracy_is_rounded_as_in_the_json_line(tmp_path, caplog):
    caplog.set_level("INFO")
    labels = [video % 2 for video in range(160)]
    paths = [f"{video}.mp4" for video in range(160)]
    for name, num_correct in (("a", 160), ("b", 81)):  # 50.625 %, and 50.63 % in float32 as in PySlowFast
        classes = [label if video < num_correct else 1 - label for video, label in enumerate(labels)]
        scores = [[0.1 + 0.8 * (number == best) for number in range(2)] for best in classes]
        write_evaluation(tmp_path / name, score_table(scores, labels, listed_paths=paths))
    keys = with_keys(KEYS, "MODEL.NUM_CLASSES", "2", "TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160")
    assert report(tmp_path / "b", "--compare", str(tmp_path / "a"), keys=keys) == 0
    folders = ["--reference", str(tmp_path / "a"), "--candidate", str(tmp_path / "b")]
    output = ["--output", str(tmp_path / "out"), *keys]
    assert x3d_compare.main([*folders, *output]) == 1
    assert json.loads((tmp_path / "report" / "report.json").read_text())["accuracy"]["line"]["top1_acc"] == "50.63"
    page = (tmp_path / "report" / "index.html").read_text()
    shown = {"log": caplog.text, "page": page, "summary": (tmp_path / "out" / "summary.md").read_text()}
    for text in shown.values():
        assert "50.63" in text
        assert "50.62" not in text


@pytest.mark.parametrize("folder", ["nothing", "file"])
def test_a_folder_that_is_none_is_status_2(folder, tmp_path, caplog):
    (tmp_path / "file").touch()
    assert report(tmp_path / folder) == 2
    assert folder in caplog.text


def test_folders_are_required(capsys):
    with pytest.raises(SystemExit) as ended:
        x3d_report.main([])
    assert ended.value.code == 2
    assert "--results, --output" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--results", "--output", "--compare"])
def test_an_empty_folder_such_as_of_an_unset_variable_is_status_2(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        report(tmp_path / "eval", option, "")
    assert ended.value.code == 2
    assert f"argument {option}: is empty; give a folder, or leave the option out" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["eval", "other"])
def test_the_output_does_not_lie_within_the_folder_of_a_run(run, tmp_path, caplog):
    for name in ("eval", "other"):
        write_evaluation(tmp_path / name, TABLE)
    before = sorted((tmp_path / run).iterdir())
    output = ["--output", str(tmp_path / run / "report"), "--compare", str(tmp_path / "other")]
    assert report(tmp_path / "eval", *output) == 2
    assert f"{run}, which holds nothing but a run; give another folder" in caplog.text
    assert sorted((tmp_path / run).iterdir()) == before


def test_the_warnings_of_a_comparison_are_logged_and_in_the_page(tmp_path, caplog):
    write_evaluation(tmp_path / "eval", TABLE)
    assert report(tmp_path / "eval", "--compare", str(tmp_path / "eval")) == 0
    warning = "is compared with itself, which decides nothing about another run"
    assert warning in caplog.text
    assert warning in (tmp_path / "report" / "index.html").read_text()


def test_common_without_a_run_to_compare_is_status_2(tmp_path, caplog):
    write_evaluation(tmp_path / "eval", TABLE)
    assert report(tmp_path / "eval", "--common") == 2
    assert "--common is about a comparison; give the folder of another run with --compare too" in caplog.text
    assert not (tmp_path / "report").exists()


def test_a_list_that_is_rejected_leaves_no_earlier_report(tmp_path, caplog):
    write_evaluation(tmp_path / "eval", TABLE)
    assert report(tmp_path / "eval") == 0
    assert report(tmp_path / "eval", "DATA.PATH_TO_DATA_DIR", str(tmp_path / "none")) == 2
    assert list((tmp_path / "report").iterdir()) == []
    assert "test.csv does not exist" in caplog.text


@pytest.mark.parametrize("more", [["--compare", "none"], ["DATA.PATH_TO_DATA_DIR", "none"]])
def test_a_report_that_is_rejected_leaves_no_new_folder(more, tmp_path):
    write_evaluation(tmp_path / "eval", TABLE)
    assert report(tmp_path / "eval", *more) == 2
    assert not (tmp_path / "report").exists()
