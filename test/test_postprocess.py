"""From a folder of results to an accuracy, as a value."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from x3d.errors import ScoringError
from x3d.pipeline.postprocess import ScoringSettings, score_folder
from x3d.pipeline.result_table import ExpectedViews, aggregate_results, audit_results
from x3d.scoring import aggregate_views

README = Path(__file__).parent.parent / "README.md"
LABELS = [3, 5, 0]
SMALL = ScoringSettings(num_classes=9, num_clips=2, num_crops=2)


def write_results(folder: Path, labels: list[int], num_views: int = 4, num_classes: int = 9) -> np.ndarray:
    """Write seeded probabilities of each view; video 0 is wrong, the others are right by far.

    Returns:
        (videos, views, classes) float32.
    """
    folder.mkdir()
    random = np.random.RandomState(0)
    logits = random.standard_normal((len(labels), num_views, num_classes))
    logits[range(1, len(labels)), :, labels[1:]] += 9
    logits[0, :, labels[0]] -= 9
    scores = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    for video, label in enumerate(labels):
        for view in range(num_views):
            scores[video, view].astype(np.float32).tofile(folder / f"{video * num_views + view}_{label}_0.bin")
    return scores.astype(np.float32)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(tmp_path / "res", LABELS)
    return tmp_path / "res"


def test_a_folder_becomes_an_accuracy(results):
    accuracy = score_folder(str(results), SMALL)
    assert (accuracy.num_correct[1], accuracy.num_scored, accuracy.num_listed) == (2, 3, 3)
    assert accuracy.line["top1_acc"] == "66.67"
    assert accuracy.expected_from == "the highest view found, 11"
    assert accuracy.conditions == {
        "DATA.ENSEMBLE_METHOD": "sum",
        "MODEL.NUM_CLASSES": 9,
        "TEST.NUM_ENSEMBLE_VIEWS": 2,
        "TEST.NUM_SPATIAL_CROPS": 2,
    }


def test_the_readmes_example_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    write_results(tmp_path / "result_bs8", [7, 399], num_views=30, num_classes=400)
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert re.fullmatch(r"50\.00 \(9\.4\d+, 90\.5\d+\) 2\n", capsys.readouterr().out)


def test_the_list_decides_what_is_expected(results):
    listed = ScoringSettings(9, 2, 2, labels=[*LABELS, 1], annotations="test.csv")
    with pytest.raises(ScoringError, match=r"video 3 misses views: all 4 \(X3D_POSTPROCESS.ALLOW_MISSING True"):
        score_folder(str(results), listed)
    accuracy = score_folder(str(results), ScoringSettings(9, 2, 2, "sum", [*LABELS, 1], "test.csv", allow_missing=True))
    assert (accuracy.num_scored, accuracy.num_listed, accuracy.incomplete) == (3, 4, [3])
    assert accuracy.expected_from == "test.csv"


def test_a_video_with_a_missing_view_is_not_read(results):
    (results / "5_5_0.bin").unlink()
    expected = ExpectedViews.of_list(LABELS, 4, "test.csv")
    audited = audit_results(str(results), 4, 9, expected)
    assert audited.incomplete == [1]
    assert audited.missing == [
        "video 1 misses views: 5 (X3D_POSTPROCESS.ALLOW_MISSING True scores the others)",
    ]
    assert [[result.view for result in video] for video in audited.by_video] == [[0, 1, 2, 3], [8, 9, 10, 11]]

    def aggregate(video: int, scores: np.ndarray, label: int) -> np.ndarray:
        seen.append((video, label))
        return aggregate_views(scores, "sum")

    seen: list[tuple[int, int]] = []
    assert len(aggregate_results(audited, 4, 9, aggregate).labels) == 0
    assert seen == []
    table = aggregate_results(audited, 4, 9, aggregate, allow_missing=True)
    assert table.labels.tolist() == [3, 0]
    assert seen == [(0, 3), (1, 0)]


def test_rows_are_aggregated_over_the_views_in_their_order(tmp_path):
    scores = write_results(tmp_path / "res", LABELS)
    audited = audit_results(str(tmp_path / "res"), 4, 9)
    table = aggregate_results(audited, 4, 9, lambda video, rows, label: aggregate_views(rows, "max"))
    assert np.array_equal(table.scores, scores.max(axis=1))


def test_a_label_outside_the_classes_is_a_problem(tmp_path):
    write_results(tmp_path / "res", [3, 8])
    audited = audit_results(str(tmp_path / "res"), 4, 8)
    assert audited.problems == [f"view {view} has label 8; MODEL.NUM_CLASSES is 8" for view in range(4, 8)]


def test_a_foreign_file_is_a_problem(results):
    (results / "notes.bin").touch()
    assert audit_results(str(results), 4, 9).problems == ["notes.bin is not the result of a view"]


def test_the_expected_views_come_from_the_summary(results):
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


def test_videos_that_the_expected_views_skip_are_warned_about(results, caplog):
    expected = ExpectedViews(np.array([8, 9, 10, 11]), np.array([0] * 4), "the summary")
    audit_results(str(results), 4, 9, expected)
    assert "the summary: 2 videos before its last one are not expected, such as video 0" in caplog.text


def test_few_results_with_a_high_number_need_a_list(tmp_path):
    write_results(tmp_path / "res", [3])
    (tmp_path / "res" / "0_3_0.bin").rename(tmp_path / "res" / "400_3_0.bin")
    with pytest.raises(ValueError, match=r"4 results, the last of video 100, .*set DATA.PATH_TO_DATA_DIR"):
        score_folder(str(tmp_path / "res"), SMALL)


def test_an_empty_folder_holds_no_results(tmp_path):
    with pytest.raises(ValueError, match="holds no results"):
        score_folder(str(tmp_path), SMALL)
