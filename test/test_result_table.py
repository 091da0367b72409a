"""A folder of results, compared with the expected views and aggregated."""

import json
from pathlib import Path

import numpy as np
import pytest

from test.results import LABELS, write_results
from x3d.pipeline.result_table import ExpectedViews, aggregate_results, audit_results
from x3d.scoring import aggregate_views


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(tmp_path / "res", LABELS)
    return tmp_path / "res"


def test_a_video_that_lacks_one_view_is_not_read(results):
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


def test_videos_that_the_expected_views_skip_are_warned_about(results, caplog):
    expected = ExpectedViews(np.array([8, 9, 10, 11]), np.array([0] * 4), "the summary")
    audit_results(str(results), 4, 9, expected)
    assert (
        "the summary does not expect 2 videos before its last one, such as video 0; set DATA.PATH_TO_DATA_DIR"
        in caplog.text
    )


def test_a_gap_within_the_results_is_missing_views_not_another_list(results):
    """Video 1 of 3 has no results; the highest view found decides."""
    for view in range(4, 8):
        (results / f"{view}_5_0.bin").unlink()
    audited = audit_results(str(results), 4, 9)
    assert audited.expected_from == "the highest view found, 11"
    assert audited.incomplete == [1]
    assert [text.partition(" (")[0] for text in audited.missing] == ["video 1 misses views: all 4"]


def test_the_missing_views_of_each_video_are_named(results):
    for name in ("1_3_0.bin", "5_5_0.bin", "6_5_0.bin", "11_0_0.bin"):
        (results / name).unlink()
    audited = audit_results(str(results), 4, 9, ExpectedViews.of_list(LABELS, 4, "test.csv"))
    assert [text.partition(" (")[0] for text in audited.missing] == [
        "video 0 misses views: 1",
        "video 1 misses views: 5 6",
        "video 2 misses views: 11",
    ]


def test_as_many_videos_as_results_are_few_but_enough(tmp_path):
    write_results(tmp_path / "res", [3])
    (tmp_path / "res" / "3_3_0.bin").rename(tmp_path / "res" / "15_3_0.bin")
    audited = audit_results(str(tmp_path / "res"), 4, 9)
    assert audited.incomplete == [0, 1, 2, 3]
    (tmp_path / "res" / "15_3_0.bin").rename(tmp_path / "res" / "16_3_0.bin")
    with pytest.raises(ValueError, match="4 results, the last of video 4"):
        audit_results(str(tmp_path / "res"), 4, 9)


def test_the_label_of_most_views_counts(results):
    (results / "5_5_0.bin").rename(results / "5_6_0.bin")
    assert audit_results(str(results), 4, 9).problems == ["view 5 has label 6, its video 1 has label 5"]
    files = {view: {"outfiles": [f"{view}_{LABELS[view // 4] + (view == 5)}_0.bin"]} for view in range(12)}
    results.with_name("res_summary.json").write_text(json.dumps({"filesinfo": files}))
    audited = audit_results(str(results), 4, 9)
    assert (audited.problems, audited.expected_from) == (["view 5 has label 6, its video 1 has label 5"], "the summary")


def test_the_views_expected_and_found_are_logged(results, caplog):
    caplog.set_level("INFO")
    audit_results(str(results), 4, 9, ExpectedViews.of_list([*LABELS, 1], 4, "test.csv"))
    assert f"{results}: 16 views expected, from test.csv; 12 found" in caplog.text
    assert "not expected" not in caplog.text


def test_scores_that_cannot_be_read_are_problems(results):
    (results / "5_5_0.bin").write_bytes(b"123")
    audited = audit_results(str(results), 4, 9)
    table = aggregate_results(audited, 4, 9, lambda video, scores, label: aggregate_views(scores, "sum"))
    [problem] = table.problems
    assert "5_5_0.bin cannot be read as scores" in problem
    assert (table.scores.dtype, table.labels.dtype) == (np.float32, np.int64)
