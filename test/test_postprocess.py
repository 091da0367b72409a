"""From a folder of results to an accuracy, as a value."""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xxhash

from test.helpers import ROOT
from test.results import LABELS, write_results
from test.tables import score_table
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.errors import ScoringError
from x3d.pipeline import postprocess
from x3d.pipeline.postprocess import DEFAULTS, ScoringSettings, score_folder
from x3d.scoring import ScoreTable
from x3d.scoring.outputs import Outputs
from x3d.storage.ais_bench_summary import Summary
from x3d.storage.expected_list import ExpectedList
from x3d.storage.provenance import digest

STEPS = ROOT / "docs" / "steps.md"
PATHS = ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
LISTED = ExpectedList([0, 1, 2], PATHS[:3], "test.csv", "abc")
SMALL = ScoringSettings(num_classes=9, num_clips=2, num_crops=2)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(tmp_path / "res", LABELS)
    return tmp_path / "res"


def test_a_folder_becomes_an_accuracy(results, caplog):
    accuracy = score_folder(str(results), SMALL)
    assert (accuracy.num_correct[1], accuracy.num_scored, accuracy.num_listed) == (2, 3, 3)
    assert accuracy.line["top1_acc"] == "66.67"
    assert accuracy.expected_from == "the highest view found, 11"
    assert accuracy.conditions == {
        "DATA.ENSEMBLE_METHOD": "sum",
        "MODEL.NUM_CLASSES": 9,
        "TEST.NUM_ENSEMBLE_VIEWS": 2,
        "TEST.NUM_SPATIAL_CROPS": 2,
        "outputs": "softmax",
        "provenance": {},
        "not_checked": ["values", "provenance", "completeness"],
    }
    assert (
        "res has no summary beside it, so these are not checked: values, provenance, completeness; set" in caplog.text
    )


def test_the_example_of_the_steps_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    write_results(tmp_path / "result_bs8", [7, 399], num_views=30, num_classes=400)
    [example] = re.findall(r"```python\n(.*?)```", STEPS.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "steps.md", "exec"), {})
    assert re.fullmatch(r"50\.00 \(9\.4\d+, 90\.5\d+\) 2\n\(72\.8\d+, 74\.1\d+\)\n", capsys.readouterr().out)


def test_the_list_decides_what_is_expected(results):
    listed = ScoringSettings(9, 2, 2, listed=ExpectedList([*LABELS, 1], PATHS, "test.csv", "abc"))
    with pytest.raises(
        ScoringError,
        match=r"1 problem \(X3D_POSTPROCESS.ALLOW_MISSING True .*\):\nvideo 3 misses views: all 4$",
    ):
        score_folder(str(results), listed)
    accuracy = score_folder(str(results), dataclasses.replace(listed, allow_missing=True))
    assert (accuracy.num_scored, accuracy.num_listed, accuracy.incomplete) == (3, 4, [3])
    assert accuracy.expected_from == "test.csv"


def test_the_summary_tells_which_views_a_run_meant_to_write(results):
    files = {
        view: {"infiles": [], "outfiles": [f"{view}_{LABELS[view // 4]}_0.bin"]} for view in [*range(4), *range(8, 12)]
    }
    summary = results.with_name("res_summary.json")
    summary.write_text(json.dumps({"filesinfo": files}))
    with pytest.raises(ScoringError, match=r"view 4 \(label 5\) is not expected"):
        score_folder(str(results), SMALL)
    for view in range(4, 8):
        (results / f"{view}_5_0.bin").unlink()
    assert score_folder(str(results), SMALL).num_scored == 2


def test_few_results_with_a_high_number_need_a_list(tmp_path):
    write_results(tmp_path / "res", [3])
    (tmp_path / "res" / "0_3_0.bin").rename(tmp_path / "res" / "400_3_0.bin")
    with pytest.raises(ValueError, match=r"4 results, the last of video 100, .*set DATA.PATH_TO_DATA_DIR"):
        score_folder(str(tmp_path / "res"), SMALL)


def test_an_empty_folder_holds_no_results(tmp_path):
    with pytest.raises(ValueError, match="holds no results"):
        score_folder(str(tmp_path), SMALL)


def test_the_defaults_are_x3ds():
    found = ScoringSettings()
    assert (found.num_classes, found.num_clips, found.num_crops, found.num_views) == (400, 10, 3, 30)
    assert (found.ensemble_method, found.listed) == ("sum", None)
    assert (found.allow_missing, found.slowfast_cfg) == (False, None)
    assert found == DEFAULTS


def load(*keys: str):
    return load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["MODEL.NUM_CLASSES", "9", *keys])


def test_settings_are_read_from_their_keys(tmp_path):
    keys = "TEST.NUM_ENSEMBLE_VIEWS 4 TEST.NUM_SPATIAL_CROPS 1 DATA.TEST_CROP_SIZE 160 DATA.ENSEMBLE_METHOD max".split()
    assert ScoringSettings.from_cfg(load(*keys)) == ScoringSettings(9, 4, 1, "max")
    (tmp_path / "test.csv").write_text("a.mp4 3\nb.mp4 5\n")
    cfg = load(
        *("DATA.PATH_TO_DATA_DIR", str(tmp_path), "X3D_POSTPROCESS.ALLOW_MISSING", "True"),
        *("X3D_POSTPROCESS.BACKEND", "slowfast"),
    )
    found = ScoringSettings.from_cfg(cfg)
    list_digest = digest([["a.mp4", 3], ["b.mp4", 5]])
    assert found.listed == ExpectedList([3, 5], ["a.mp4", "b.mp4"], str(tmp_path / "test.csv"), list_digest)
    assert found.allow_missing
    assert found.slowfast_cfg is cfg
    (tmp_path / "test.csv").write_text("a.mp4 3\nb.mp4 6\n")
    assert ScoringSettings.from_cfg(cfg, [Video(0, "a.mp4", "a.mp4", 3)]).listed.labels == [3], "read already"
    assert found.outputs is Outputs.SOFTMAX
    assert ScoringSettings.from_cfg(load("MODEL.HEAD_ACT", "sigmoid")).outputs is Outputs.SIGMOID
    assert ScoringSettings.from_cfg(load("X3D_POSTPROCESS.SOFTMAX", "True")).outputs is Outputs.LOGITS


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A folder of rows, and what it is read with."""
    given: list[object] = []
    table = score_table(np.eye(2, 9), range(2), {2: "video 2"})

    def read_rows(*more: object, **named: object) -> ScoreTable:
        given.extend([*more, named])
        return table

    monkeypatch.setattr(postprocess, "is_eval_folder", lambda folder: folder == "eval")
    monkeypatch.setattr(postprocess, "read_rows", read_rows)
    return given


def test_rows_are_scored_with_what_decides_them(rows):
    settings = ScoringSettings(9, ensemble_method="max", listed=LISTED, allow_missing=True)
    accuracy = score_folder("eval", settings)
    assert (accuracy.num_scored, accuracy.num_listed) == (2, 3)
    assert rows == ["eval", 9, "max", LISTED, Outputs.SOFTMAX, {}]
    with pytest.raises(
        ScoringError,
        match=r"eval is not scored, 1 problem \(X3D_POSTPROCESS.ALLOW_MISSING True .*\):\nvideo 2",
    ):
        score_folder("eval", ScoringSettings(9))


def test_rows_are_no_scores_of_views_for_pyslowfasts_meter(rows):
    with pytest.raises(ValueError, match=r"^eval holds aggregated scores, .*set X3D_POSTPROCESS\.BACKEND native"):
        score_folder("eval", ScoringSettings(9, slowfast_cfg=load()))


class Meter:
    """A stand-in for PySlowFast's meter: every video belongs to its own label."""

    def __init__(self, cfg: object, num_videos: int) -> None:
        self.cfg, self.num_videos = cfg, num_videos

    def aggregate(self, scores: np.ndarray, label: int) -> np.ndarray:
        return np.eye(9, dtype=np.float32)[label]

    def final_line(self, ks: Sequence[int]) -> dict[str, str]:
        return {"split": f"of {self.num_videos} videos", "ks": str(tuple(ks))}


def test_pyslowfasts_meter_aggregates_and_makes_the_line_where_wanted(results, monkeypatch):
    monkeypatch.setattr("x3d.slowfast.ReferenceMeter", Meter)
    settings = dataclasses.replace(SMALL, slowfast_cfg=load())
    accuracy = score_folder(str(results), settings)
    assert accuracy.line == {"split": "of 3 videos", "ks": "(1, 5)"}
    assert accuracy.num_correct == {1: 3, 5: 3}
    assert accuracy.conditions["TEST.NUM_SPATIAL_CROPS"] == 2
    (results / "5_5_0.bin").unlink()
    with pytest.raises(ScoringError, match=r"video 1 misses views: 5$"):
        score_folder(str(results), settings)
    allowed = score_folder(str(results), dataclasses.replace(settings, allow_missing=True))
    assert (allowed.line["split"], allowed.num_scored, allowed.incomplete) == ("of 2 videos", 2, [1])


@pytest.mark.parametrize("spoiled", ["problem", "nothing complete"])
def test_pyslowfasts_meter_makes_no_line_of_what_is_not_scored(spoiled, results, monkeypatch):
    monkeypatch.setattr("x3d.slowfast.ReferenceMeter", Meter)
    monkeypatch.setattr(Meter, "final_line", lambda meter, ks: pytest.fail("asked for a line"))
    if spoiled == "problem":
        (results / "notes.bin").touch()
    else:
        for view in (0, 4, 8):
            (results / f"{view}_{LABELS[view // 4]}_0.bin").unlink()
    with pytest.raises(ScoringError, match="is not scored"):
        score_folder(str(results), dataclasses.replace(SMALL, slowfast_cfg=load(), allow_missing=True))


VIEWS = {
    "config": {"TEST.NUM_ENSEMBLE_VIEWS": 2, "TEST.NUM_SPATIAL_CROPS": 2},
    "list_digest": digest([["0.mp4", 3], ["1.mp4", 5], ["2.mp4", 0]]),
    "num_videos": 3,
}


@pytest.fixture
def recorded(results: Path) -> Path:
    """The results with a summary as x3d_infer.py writes it."""
    summary = Summary(1)
    for number, path in enumerate(sorted(results.iterdir())):
        summary.add_file(number, "views/0.npy", path.name, xxhash.xxh3_64_hexdigest(path.read_bytes()))
    summary.provenance = {"views": VIEWS, "num_classes": 9, "engine": "openvino"}
    summary.save(results.with_name("res_summary.json"), [])
    return results


def test_results_are_scored_as_they_were_made_and_the_accuracy_repeats_their_provenance(recorded, caplog):
    listed = dataclasses.replace(SMALL, listed=ExpectedList(LABELS, PATHS[:3], "test.csv", VIEWS["list_digest"]))
    for settings in (SMALL, listed):
        accuracy = score_folder(str(recorded), settings)
        assert accuracy.num_scored == 3
        assert accuracy.conditions["provenance"]["engine"] == "openvino"
        assert accuracy.conditions["not_checked"] == []
    assert "not checked" not in caplog.text
    assert score_folder(str(recorded), SMALL).expected_from == str(recorded.with_name("res_summary.json"))


@pytest.mark.parametrize("changed", [{"num_clips": 1}, {"num_crops": 1}, {"num_clips": 4, "num_crops": 1}])
def test_another_number_of_views_is_rejected_with_the_keys_to_set(changed, recorded):
    match = "res_summary.json records other keys .*: set TEST.NUM_ENSEMBLE_VIEWS 2 TEST.NUM_SPATIAL_CROPS 2"
    with pytest.raises(ValueError, match=match):
        score_folder(str(recorded), dataclasses.replace(SMALL, **changed))


def test_a_list_leaves_values_and_provenance_unchecked_without_a_summary(results, caplog):
    accuracy = score_folder(
        str(results), dataclasses.replace(SMALL, listed=ExpectedList(LABELS, PATHS[:3], "test.csv", "abc"))
    )
    assert accuracy.conditions["not_checked"] == ["values", "provenance"]
    assert "not checked: values, provenance\n" in caplog.text


def test_another_list_with_the_same_labels_is_not_scored(recorded):
    listed = dataclasses.replace(SMALL, listed=ExpectedList(LABELS, PATHS[:3], "test.csv", "another"))
    with pytest.raises(ValueError, match=r"^test\.csv is not the list that the views were made from"):
        score_folder(str(recorded), listed)


def test_logits_are_scored_where_wanted(results):
    for path in results.iterdir():
        (np.log(np.fromfile(path, np.float32)) + 3).tofile(path)
    with pytest.raises(ScoringError, match=r"X3D_POSTPROCESS\.SOFTMAX True"):
        score_folder(str(results), SMALL)
    accuracy = score_folder(str(results), dataclasses.replace(SMALL, outputs=Outputs.LOGITS))
    assert accuracy.line["top1_acc"] == "66.67"
    assert accuracy.conditions["outputs"] == "logits"
