"""A folder of results, compared with the expected views and aggregated."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from test.results import LABELS, write_results
from x3d.pipeline.result_table import aggregate_results, audit_results
from x3d.scoring import ScoreTable, aggregate_views
from x3d.scoring.outputs import Outputs
from x3d.scoring.table import Failure
from x3d.storage.expected_list import ExpectedList
from x3d.storage.result_record import ResultRecord


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(tmp_path / "res", LABELS)
    return tmp_path / "res"


def listed(labels: list[int]) -> ExpectedList:
    return ExpectedList(labels, [f"{video}.mp4" for video in range(len(labels))], "test.csv", "abc")


def record_of(labels: dict[int, int], **more: Any) -> ResultRecord:
    """Record a run that wrote these views as .bin."""
    names = {f"{view}_{label}_0.bin" for view, label in labels.items()}
    return ResultRecord("res_summary.json", labels, names, **more)


def test_a_video_that_lacks_one_view_is_not_read(results):
    (results / "5_5_0.bin").unlink()
    audited = audit_results(str(results), 4, 9, listed(LABELS))
    assert audited.incomplete == [1]
    missing = "video 1 misses views: 5"
    assert audited.failures == {1: Failure("", missing)}
    assert [[result.view for result in video] for video in audited.by_video] == [[0, 1, 2, 3], [8, 9, 10, 11]]

    def aggregate(views: np.ndarray, label: int) -> np.ndarray:
        seen.append(label)
        return aggregate_views(views, "sum")

    seen: list[int] = []
    assert len(aggregate_results(audited, 4, 9, aggregate).labels) == 0
    assert seen == []
    table = aggregate_results(audited, 4, 9, aggregate, allow_missing=True)
    assert table.labels.tolist() == [3, 0]
    assert seen == [3, 0]


def test_rows_are_aggregated_over_the_views_in_their_order(tmp_path):
    scores = write_results(tmp_path / "res", LABELS)
    audited = audit_results(str(tmp_path / "res"), 4, 9)
    table = aggregate_results(audited, 4, 9, lambda rows, label: aggregate_views(rows, "max"))
    assert np.array_equal(table.scores, scores.max(axis=1))


def test_a_label_outside_the_classes_is_a_problem(tmp_path):
    write_results(tmp_path / "res", [3, 8])
    audited = audit_results(str(tmp_path / "res"), 4, 8)
    assert audited.problems == [f"view {view} has label 8; MODEL.NUM_CLASSES is 8" for view in range(4, 8)]


def test_a_foreign_file_is_a_problem(results):
    (results / "notes.bin").touch()
    assert audit_results(str(results), 4, 9).problems == ["notes.bin is not the result of a view"]


def test_videos_that_the_expected_views_skip_are_warned_about(results, caplog):
    audit_results(str(results), 4, 9, record=record_of(dict.fromkeys(range(8, 12), 0)))
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
    assert [failure.text.partition(" (")[0] for failure in audited.failures.values()] == ["video 1 misses views: all 4"]


def test_the_missing_views_of_each_video_are_named(results):
    for name in ("1_3_0.bin", "5_5_0.bin", "6_5_0.bin", "11_0_0.bin"):
        (results / name).unlink()
    audited = audit_results(str(results), 4, 9, listed(LABELS))
    assert [failure.text.partition(" (")[0] for failure in audited.failures.values()] == [
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
    labels = {view: LABELS[view // 4] + (view == 5) for view in range(12)}
    record = dataclasses.replace(record_of(labels), names={path.name for path in results.iterdir()})
    audited = audit_results(str(results), 4, 9, record=record)
    assert (audited.problems, audited.expected_from) == (["view 5 has label 6, its video 1 has label 5"], "the summary")


def test_the_progress_of_reading_names_the_folder(results, capsys):
    audited = audit_results(str(results), 4, 9)
    aggregate_results(audited, 4, 9, lambda rows, label: aggregate_views(rows, "sum"))
    [*_, shown] = capsys.readouterr().err.replace("\r", "\n").rstrip("\n").splitlines()
    assert shown.startswith("videos: 100%")
    assert shown.endswith(f" videos/s, {results.name}]")


def test_the_views_expected_and_found_are_logged(results, caplog):
    caplog.set_level("INFO")
    audit_results(str(results), 4, 9, listed([*LABELS, 1]))
    assert f"{results}: 16 views expected, from test.csv; 12 found" in caplog.text
    assert "not expected" not in caplog.text


def test_scores_that_cannot_be_read_are_problems(results):
    (results / "5_5_0.bin").write_bytes(b"123")
    audited = audit_results(str(results), 4, 9)
    table = aggregate_results(audited, 4, 9, lambda scores, label: aggregate_views(scores, "sum"))
    [problem] = table.problems
    assert "5_5_0.bin cannot be read as scores" in problem
    assert (table.scores.dtype, table.labels.dtype) == (np.float32, np.int64)


def aggregate(folder: Path, record: ResultRecord | None = None, outputs: Outputs = Outputs.SOFTMAX) -> ScoreTable:
    audited = audit_results(str(folder), 4, 9, record=record)
    sums = lambda scores, label: aggregate_views(scores, "sum")  # noqa: E731
    return aggregate_results(audited, 4, 9, sums, outputs=outputs)


def change(folder: Path, function) -> None:
    for path in folder.iterdir():
        function(np.fromfile(path, np.float32)).astype(np.float32).tofile(path)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (np.log, "0_3_0.bin holds scores that are not probabilities (each from 0 to 1, with the sum 1); set X3D"),
        (
            lambda scores: 0 * scores,
            "0_3_0.bin holds the same score for every class; set X3D_POSTPROCESS.SOFTMAX True",
        ),
        (lambda scores: 2 * scores, "set X3D_POSTPROCESS.SOFTMAX True if they are logits or log-probabilities"),
    ],
)
def test_results_that_are_not_probabilities_are_reported_once_with_their_count(function, text, tmp_path):
    write_results(tmp_path / "res", 2 * LABELS)
    change(tmp_path / "res", function)
    [problem] = aggregate(tmp_path / "res").problems
    assert text in problem
    assert problem.endswith("(23 other results likewise)")


def test_results_that_cannot_be_read_are_reported_once_with_their_count(tmp_path):
    write_results(tmp_path / "res", 2 * LABELS)
    for path in (tmp_path / "res").iterdir():
        path.write_bytes(path.read_bytes()[:-4])
    [problem] = aggregate(tmp_path / "res").problems
    assert "0_3_0.bin cannot be read as scores: 32 bytes; 9 float32 (MODEL.NUM_CLASSES) are 36 (23 other" in problem


def test_few_unusable_results_are_named_each(results):
    for name in ("1_3_0.bin", "9_0_0.bin"):
        np.full(9, 5, np.float32).tofile(results / name)
    problems = aggregate(results).problems
    assert [problem.partition(" ")[0] for problem in problems] == [str(results / n) for n in ("1_3_0.bin", "9_0_0.bin")]


def test_a_softmax_is_applied_to_logits_before_views_are_aggregated(tmp_path):
    scores = write_results(tmp_path / "res", LABELS)
    change(tmp_path / "res", lambda row: np.log(row) + 7)
    table = aggregate(tmp_path / "res", outputs=Outputs.LOGITS)
    assert table.problems == []
    np.testing.assert_allclose(table.scores, scores.sum(axis=1), rtol=1e-4)


def test_a_softmax_of_probabilities_is_a_problem(results):
    [*_, last] = aggregate(results, outputs=Outputs.LOGITS).problems
    assert last.endswith("11_0_0.bin holds probabilities already; set X3D_POSTPROCESS.SOFTMAX False")


def test_rows_that_are_all_alike_are_a_problem_but_not_those_of_one_video(tmp_path):
    for name, labels in (("one", [3]), ("three", LABELS)):
        write_results(tmp_path / name, labels)
        change(tmp_path / name, lambda row: np.full(9, 1 / 9))
    assert aggregate(tmp_path / "one").problems == []
    [problem] = aggregate(tmp_path / "three").problems
    assert problem.startswith(f"{tmp_path}/three holds the same scores for every view of 3 videos: the model ignores")


def test_a_result_is_compared_with_its_digest(results):
    names = {path.name: xxhash.xxh3_64_hexdigest(path.read_bytes()) for path in results.iterdir()}
    labels = {view: LABELS[view // 4] for view in range(12)}
    record = record_of(labels, digests=names)
    assert aggregate(results, record).problems == []
    scores = np.fromfile(results / "5_5_0.bin", np.float32)
    np.roll(scores, 1).tofile(results / "5_5_0.bin")
    [problem] = aggregate(results, record).problems
    assert problem.startswith(f"{results}/5_5_0.bin is damaged or replaced")


def test_all_videos_of_the_list_that_views_were_made_from_are_expected(results):
    for path in results.glob("?_5_0.bin"):
        path.unlink()
    labels = {view: LABELS[view // 4] for view in (*range(4), *range(8, 12))}
    views = {"num_videos": 5}
    missing = {1: Failure("empty", "1.mp4: no"), 4: Failure("", "not done")}
    record = record_of(labels, views=views, views_source="prep/manifest.json", missing_videos=missing)
    audited = audit_results(str(results), 4, 9, record=record)
    assert audited.problems == []
    assert audited.incomplete == [1, 3, 4]
    assert audited.failures[1].reason == "empty"
    assert [failure.text.partition(" (")[0] for failure in audited.failures.values()] == [
        "video 1 misses views: all 4, 1.mp4: no",
        "video 3 misses views: all 4",
        "video 4 misses views: all 4, not done",
    ]
    assert audited.expected_from == "prep/manifest.json"


def test_results_beyond_the_list_that_views_were_made_from_are_not_expected(results):
    labels = {view: LABELS[view // 4] for view in range(12)}
    record = record_of(labels, views={"num_videos": 2}, views_source="m.json")
    problems = audit_results(str(results), 4, 9, record=record).problems
    assert problems == [f"view {view} (label 0) is not expected" for view in range(8, 12)]


@pytest.mark.parametrize("is_listed", [False, True])
def test_results_that_the_summary_does_not_name_are_of_another_run(is_listed, results):
    (results / "4_5_0.bin").rename(results / "4_5_0.npy")
    record = record_of({0: 3, 1: 3, 2: 3, 3: 3, 4: 5})
    problems = audit_results(str(results), 4, 9, listed(LABELS) if is_listed else None, record).problems
    unnamed = [f"view {view} is not named by res_summary.json: it is of another run" for view in range(5, 12)]
    assert set(problems) >= {*unnamed, "4_5_0.npy is not named by res_summary.json: it is of another run"}


def test_unlabelled_videos_are_read_and_not_required(tmp_path):
    write_results(tmp_path / "res", [3, -1, 0])
    (tmp_path / "res" / "5_-1_0.bin").unlink()
    audited = audit_results(str(tmp_path / "res"), 4, 9, listed([3, -1, 0, -1]))
    assert (audited.problems, audited.incomplete, list(audited.failures)) == ([], [], [1, 3])
    assert audited.listed_labels.tolist() == [3, -1, 0, -1]
    write_results(tmp_path / "all", [3, -1, 0])
    table = aggregate(tmp_path / "all")
    assert (table.labels.tolist(), table.unlabelled, table.incomplete) == ([3, -1, 0], [1], [])
