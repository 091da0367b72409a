import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from test.tables import video_scores
from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, Shard
from x3d.scoring.aggregate import SCORE_FORMAT
from x3d.scoring.outputs import Outputs
from x3d.scoring.table import Failure, ScoreTable
from x3d.storage.evaluation_folder import drop_changed, is_eval_folder, open_shard
from x3d.storage.evaluation_rows import read_rows
from x3d.storage.expected_list import ExpectedList
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import list_digest, provenance_seed
from x3d.storage.score_rows import ScoreRows, row_type
from x3d.video.source import Source, read_source

VIDEOS = [Video(index, f"{index}.mp4", "", index % 3) for index in range(5)]
SOURCE = Source(1, 2, 3)
ROW = row_type(3, 1, "sum")
SCORES = np.random.RandomState(0).rand(5, 3).astype(np.float32)
MADE_FROM: dict[str, Any] = {
    "config": {"DATA.ENSEMBLE_METHOD": "sum", "DATA.NUM_FRAMES": 4},
    "num_classes": 3,
    "num_videos": 5,
    "views_per_video": 1,
    "list_digest": list_digest(VIDEOS),
    "score_format": SCORE_FORMAT,
    "engine": "openvino",
    "view_format": 1,
    "config_digest": "not repeated",
}


def fill(path: Path, shard: Shard = WHOLE, left_out: tuple[int, ...] = ()) -> None:
    """Write the rows of a shard, and a failure for each video that is left out."""
    manifest, rows = open_shard(str(path), shard, MADE_FROM, VIDEOS)
    with rows, manifest.saved_on_exit():
        for video in shard.select(VIDEOS):
            if video.index in left_out:
                manifest.record_failed(video, "empty", f"{video.listed}: the file has no bytes")
            else:
                rows.append(video, video_scores(SCORES[video.index], SOURCE))


def read(path: Path, **changed: Any) -> ScoreTable:
    settings: dict[str, Any] = {"num_classes": 3, "ensemble_method": "sum"} | changed
    return read_rows(str(path), **settings)


def listed(*labels: int, digest: str = MADE_FROM["list_digest"]) -> ExpectedList:
    return ExpectedList(labels, [video.listed for video in VIDEOS[: len(labels)]], "test.csv", digest)


def append(path: Path, video: int, label: int, scores: np.ndarray, source: Source = SOURCE) -> None:
    with ScoreRows(path, ROW, provenance_seed(MADE_FROM)) as rows:
        rows.append(Video(video, f"{video}.mp4", "", label), video_scores(scores, source))


def test_the_rows_of_a_folder_are_read(tmp_path):
    fill(tmp_path)
    table = read(tmp_path)
    np.testing.assert_array_equal(table.scores, SCORES)
    assert table.scores.dtype == np.float32
    assert table.labels.tolist() == [0, 1, 2, 0, 1]
    assert (table.incomplete, table.missing, table.problems) == ([], [], [])
    assert table.expected_from == f"{tmp_path}/test.csv"
    assert list(table.listed_paths) == [video.listed for video in VIDEOS]
    assert (table.videos.tolist(), table.listed_labels.tolist()) == ([0, 1, 2, 3, 4], [0, 1, 2, 0, 1])
    assert table.view_classes.tolist() == SCORES.argmax(axis=1)[:, None].tolist()
    np.testing.assert_array_equal(table.view_probabilities, SCORES.max(axis=1)[:, None])


def test_the_conditions_repeat_what_decided_the_scores(tmp_path):
    fill(tmp_path)
    assert read(tmp_path).conditions == {
        "DATA.ENSEMBLE_METHOD": "sum",
        "DATA.NUM_FRAMES": 4,
        "MODEL.NUM_CLASSES": 3,
        "engine": "openvino",
        "device": None,
        "precision": None,
        "batch_size": None,
        "model_digest": None,
        "list_digest": MADE_FROM["list_digest"],
        "view_format": 1,
        "score_format": SCORE_FORMAT,
        "versions": None,
    }


def test_shards_are_read_in_the_order_of_the_list(tmp_path):
    for i in (1, 0):
        fill(tmp_path, Shard(i, 2))
    table = read(tmp_path)
    np.testing.assert_array_equal(table.scores, SCORES)
    assert table.labels.tolist() == [0, 1, 2, 0, 1]


def test_a_video_without_a_row_may_be_of_an_evaluation_that_still_runs(tmp_path):
    fill(tmp_path, Shard(0, 2))
    _, rows = open_shard(str(tmp_path), Shard(1, 2), MADE_FROM, VIDEOS)
    with rows:
        missing = read(tmp_path).missing
    place = f"{tmp_path}/manifest-1of2.rows yet, where x3d_evaluate.py still runs; wait until it ends"
    assert missing == [f"video {video} has no row in {place}" for video in (1, 3)]


def test_failed_and_missing_videos_are_listed(tmp_path):
    fill(tmp_path, Shard(0, 2), left_out=(2,))
    _, rows = open_shard(str(tmp_path), Shard(1, 2), MADE_FROM, VIDEOS)
    rows.close()
    table = read(tmp_path)
    assert table.labels.tolist() == [0, 1]
    assert table.incomplete == [1, 2, 3]
    assert table.missing == [
        f"video 1 has no row in {tmp_path}/manifest-1of2.rows; run x3d_evaluate.py to score it",
        "video 2: 2.mp4: the file has no bytes",
        f"video 3 has no row in {tmp_path}/manifest-1of2.rows; run x3d_evaluate.py to score it",
    ]


def test_rows_with_scores_that_are_not_finite_are_problems(tmp_path):
    fill(tmp_path, left_out=(3,))
    append(tmp_path / "manifest.rows", 3, 0, np.array([0, np.inf, 0], np.float32))
    assert read(tmp_path).problems == ["video 3 has scores that are not finite"]


def test_unlabelled_videos_are_not_required(tmp_path):
    fill(tmp_path, left_out=(1, 3))
    append(tmp_path / "manifest.rows", 1, -1, SCORES[1])
    table = read(tmp_path, listed=listed(0, -1, 2, -1, 1))
    assert (table.problems, table.incomplete, table.missing, table.unlabelled) == ([], [], [], [1, 3])
    assert table.labels.tolist() == [0, -1, 2, 1]
    np.testing.assert_array_equal(table.scores, SCORES[[0, 1, 2, 4]])


def test_rows_that_are_all_alike_are_a_problem(tmp_path):
    fill(tmp_path, left_out=(0, 1, 2, 3, 4))
    append(tmp_path / "manifest.rows", 0, 0, SCORES[0])
    assert read(tmp_path).problems == []
    append(tmp_path / "manifest.rows", 1, 1, SCORES[0])
    assert read(tmp_path).problems == [], "of copies of one file"
    append(tmp_path / "manifest.rows", 2, 2, SCORES[0], Source(7, 8, 9))
    [problem] = read(tmp_path).problems
    assert problem == f"{tmp_path} holds the same scores for every video: the model ignores its input; check it"


def test_another_list_with_the_same_labels_is_rejected(tmp_path):
    fill(tmp_path)
    assert read(tmp_path, listed=listed(0, 1, 2, 0, 1)).problems == []
    match = rf"^test.csv is not the list that the views were made from, as {tmp_path}/manifest.json records; set DATA"
    with pytest.raises(ValueError, match=match):
        read(tmp_path, listed=listed(0, 1, 2, 0, 1, digest="other"))


def test_the_rows_are_compared_with_the_list(tmp_path):
    fill(tmp_path)
    table = read(tmp_path, listed=listed(0, 1, 2, 0, 1))
    assert (table.expected_from, table.problems) == ("test.csv", [])
    other = read(tmp_path, listed=listed(0, 1, 0, 0, 1))
    assert other.problems == ["video 2 has label 2; test.csv lists it with 0"]
    shorter = read(tmp_path, listed=listed(0, 1))
    assert shorter.problems == ["test.csv lists 2 videos, the rows were made from 5"]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"ensemble_method": "max"}, "holds views aggregated by sum: set DATA.ENSEMBLE_METHOD sum"),
        ({"num_classes": 4}, "holds scores of 3 classes: set MODEL.NUM_CLASSES 3"),
        ({"outputs": Outputs.LOGITS}, "aggregated without a softmax: set X3D_POSTPROCESS.SOFTMAX False"),
    ],
)
def test_rows_made_with_other_settings_are_rejected(changed, match, tmp_path):
    fill(tmp_path)
    with pytest.raises(ValueError, match=match):
        read(tmp_path, **changed)


@pytest.mark.parametrize("video", [5, 99, -1])
def test_a_row_of_a_video_that_is_not_in_the_list_is_rejected(video, tmp_path):
    fill(tmp_path)
    append(tmp_path / "manifest.rows", video, 0, SCORES[0])
    match = f"manifest.rows holds video {video}, the list has 5 videos; remove the file, or give another folder"
    with pytest.raises(ValueError, match=match):
        read(tmp_path)
    with pytest.raises(ValueError, match=match):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    with ScoreRows(tmp_path / "manifest.rows", ROW, provenance_seed(MADE_FROM)) as rows:
        assert rows.num_rows == 6


def test_a_row_of_another_shard_is_rejected(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    append(tmp_path / "manifest-1of2.rows", 2, 2, SCORES[2])
    match = r"manifest-1of2.rows holds video 2, which belongs to shard 0"
    with pytest.raises(ValueError, match=match):
        read(tmp_path)
    with pytest.raises(ValueError, match=match):
        open_shard(str(tmp_path), Shard(1, 2), MADE_FROM, VIDEOS)


def test_a_missing_shard_is_rejected(tmp_path):
    fill(tmp_path, Shard(0, 2))
    with pytest.raises(ValueError, match=r"manifest-1of2.json does not exist; all 2 shards are needed"):
        read(tmp_path)


def test_missing_rows_are_rejected(tmp_path):
    fill(tmp_path)
    (tmp_path / "manifest.rows").unlink()
    with pytest.raises(ValueError, match=r"manifest.rows cannot be read: No such file"):
        read(tmp_path)


def test_a_folder_is_recognised_by_its_rows(tmp_path):
    assert not is_eval_folder("")
    assert not is_eval_folder(str(tmp_path / "none"))
    Manifest(tmp_path / "manifest.json", {}).save()
    assert not is_eval_folder(str(tmp_path))
    fill(tmp_path / "eval")
    assert is_eval_folder(str(tmp_path / "eval"))
    Manifest(tmp_path / "manifest.json", {"score_format": 2}).save()
    assert is_eval_folder(str(tmp_path)), "its rows were removed"


def test_a_file_of_rows_that_cannot_be_opened_is_named(tmp_path):
    Manifest(tmp_path / "manifest.json", MADE_FROM).save()
    (tmp_path / "manifest.rows").mkdir()
    with pytest.raises(ValueError, match=rf"X3D_EVALUATE.OUTPUT_PATH {tmp_path}/manifest.rows: Is a directory"):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)


def test_a_shard_is_resumed_and_its_rows_count_before_the_manifest(tmp_path):
    fill(tmp_path, left_out=(1, 3))
    append(tmp_path / "manifest.rows", 3, 0, SCORES[3])
    manifest, rows = open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    with rows:
        assert rows.rows["video"].tolist() == [0, 2, 3, 4]
        assert list(manifest.failed()) == [1]
    assert list(Manifest.load(tmp_path / "manifest.json").failed()) == [1]


def test_a_new_folder_gets_its_manifest_before_the_first_row(tmp_path):
    _, rows = open_shard(str(tmp_path / "a" / "eval"), WHOLE, MADE_FROM, VIDEOS)
    rows.close()
    assert Manifest.load(tmp_path / "a" / "eval" / "manifest.json").provenance == MADE_FROM


def test_a_shard_that_is_open_is_locked(tmp_path):
    _, rows = open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    with rows, pytest.raises(ValueError, match=r"manifest.rows is in use by another run"):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)


def test_another_provenance_is_rejected(tmp_path):
    fill(tmp_path, Shard(0, 2))
    other = MADE_FROM | {"engine": "onnxruntime"}
    match = "0of2.json has another provenance: engine was 'openvino', is 'onnxruntime'. Give another X3D_EVALUATE"
    for shard_id in range(2):
        with pytest.raises(ValueError, match=match):
            open_shard(str(tmp_path), Shard(shard_id, 2), other, VIDEOS)
    assert not (tmp_path / "manifest-1of2.json").exists()


@pytest.mark.parametrize("num_shards", [1, 3])
def test_another_shard_count_is_rejected(num_shards, tmp_path):
    fill(tmp_path, Shard(0, 2))
    match = f"0of2.json is of a run with 2 shards, --num_shards is {num_shards}; give another X3D_EVALUATE.OUTPUT_PATH"
    with pytest.raises(ValueError, match=match):
        open_shard(str(tmp_path), Shard(0, num_shards), MADE_FROM, VIDEOS)


def test_rows_without_a_manifest_are_rejected(tmp_path):
    fill(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"manifest.rows holds rows without manifest.json, so of unknown origin; give"):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    (tmp_path / "manifest.rows").write_bytes(b"")
    open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)[1].close()


def test_a_folder_of_an_earlier_version_is_rejected(tmp_path):
    fill(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({"facts": content["provenance"], "videos": {}}))
    for act in (lambda: read(tmp_path), lambda: open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)):
        with pytest.raises(ValueError, match=r"earlier version of this suite .* give another folder, or remove"):
            act()


def test_a_path_that_is_a_file_is_rejected(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"X3D_EVALUATE.OUTPUT_PATH .*file: "):
        open_shard(str(tmp_path / "file"), WHOLE, MADE_FROM, VIDEOS)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"config": None}, "config: DATA.ENSEMBLE_METHOD"),
        ({"config": {}}, "config: DATA.ENSEMBLE_METHOD"),
        ({"num_classes": None}, "num_classes"),
        ({"num_videos": "5", "config": 3}, "num_videos, config: DATA.ENSEMBLE_METHOD"),
    ],
)
def test_a_provenance_without_the_keys_of_scoring_is_damaged(changed, text, tmp_path):
    fill(tmp_path)
    path = tmp_path / "manifest.json"
    manifest = Manifest.load(path)
    manifest.provenance |= changed
    manifest.save()
    with pytest.raises(ValueError, match=rf"{path} is damaged: its provenance has no {text}; give another folder"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["0_3_0.bin", "0_3.npy", "notes.txt", "manifest.txt", "rows", "x.rows", "sub/"])
def test_a_folder_with_foreign_files_is_rejected_and_left_as_it_is(name, tmp_path):
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    match = rf"OUTPUT_PATH {tmp_path} holds {name.rstrip('/')}, which is no file of an evaluation; give another folder"
    with pytest.raises(ValueError, match=match):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    assert [path.name for path in tmp_path.iterdir()] == [name.rstrip("/")]


def test_hidden_files_and_those_of_shards_are_no_foreign_files(tmp_path):
    fill(tmp_path, Shard(0, 2))
    for name in (".DS_Store", ".manifest-0of2.journal"):
        (tmp_path / name).touch()
    fill(tmp_path, Shard(1, 2))
    fill(tmp_path, Shard(0, 2), left_out=(0, 1, 2, 3, 4))


def write(path: Path, content: bytes) -> Source:
    path.write_bytes(content)
    return read_source(str(path))


def test_rows_of_videos_that_changed_are_dropped_and_those_of_missing_videos_stand(tmp_path, caplog):
    videos = [Video(index, f"{index}.mp4", str(tmp_path / f"{index}.mp4"), index % 3) for index in range(5)]
    _, rows = open_shard(str(tmp_path / "eval"), WHOLE, MADE_FROM, VIDEOS)
    with rows:
        for video in videos:
            rows.append(video, video_scores(SCORES[video.index], write(Path(video.path), b"abc")))
    write(tmp_path / "1.mp4", b"abcd")
    write(tmp_path / "3.mp4", b"xyz")
    os.utime(tmp_path / "3.mp4", ns=(1, 1))
    os.utime(tmp_path / "4.mp4", ns=(1, 1))
    (tmp_path / "0.mp4").unlink()
    _, rows = open_shard(str(tmp_path / "eval"), WHOLE, MADE_FROM, VIDEOS)
    with rows:
        drop_changed(rows, videos)
        assert rows.rows["video"].tolist() == [0, 2, 4]
    changed, missing = caplog.messages
    assert changed == f"2 videos changed since the last run, processed again: {tmp_path}/1.mp4, {tmp_path}/3.mp4"
    assert missing == f"1 video not readable any more, results stay in use: {tmp_path}/0.mp4"
    _, rows = open_shard(str(tmp_path / "eval"), WHOLE, MADE_FROM, VIDEOS)
    with rows:
        drop_changed(rows, videos)
        assert rows.num_rows == 3


def test_what_a_killed_run_left_is_removed(tmp_path):
    fill(tmp_path)
    for name in ("manifest.json", "manifest.rows"):
        (tmp_path / f".{name}.{7:016x}").touch()
    _, rows = open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    rows.close()
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "manifest.rows", "test.csv"}


def test_an_evaluation_without_rows_is_replaced_by_one_of_another_provenance(tmp_path):
    fill(tmp_path, left_out=(0, 1, 2, 3, 4))
    other = MADE_FROM | {"engine": "onnxruntime"}
    _, rows = open_shard(str(tmp_path), WHOLE, other, VIDEOS)
    rows.close()
    found = Manifest.load(tmp_path / "manifest.json")
    assert (found.provenance, found.entries()) == (other, {})


def test_a_manifest_without_a_file_of_rows_is_of_another_provenance(tmp_path):
    Manifest(tmp_path / "manifest.json", {"views_per_video": 30}).save()
    with pytest.raises(ValueError, match="has another provenance"):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)


def test_rows_of_another_model_do_not_fit_the_manifest(tmp_path, caplog):
    """FAULTS 1: rows that are copied over those of another evaluation were scored as its own."""
    for name, model in (("a", "abc"), ("b", "other")):
        _, rows = open_shard(str(tmp_path / name), WHOLE, MADE_FROM | {"model_digest": model}, VIDEOS)
        with rows:
            for video in range(5):
                rows.append(Video(video, f"{video}.mp4", "", 0), video_scores(SCORES[0], SOURCE))
    (tmp_path / "a" / "manifest.rows").write_bytes((tmp_path / "b" / "manifest.rows").read_bytes())
    assert read(tmp_path / "a").incomplete == [0, 1, 2, 3, 4]
    assert "manifest.rows: 5 rows skipped, corrupt or of another evaluation" in caplog.text


def test_rows_without_the_list_have_no_paths_and_their_own_labels(tmp_path):
    fill(tmp_path, left_out=(3,))
    (tmp_path / "test.csv").unlink()
    table = read(tmp_path)
    assert (table.expected_from, list(table.listed_paths), table.path(3)) == (str(tmp_path), [], "video 3")
    assert table.listed_labels.tolist() == [0, 1, 2, 0, 1]
    assert table.failures == {3: Failure("empty", "video 3: 3.mp4: the file has no bytes")}


def test_the_list_of_a_user_is_not_replaced(tmp_path):
    (tmp_path / "test.csv").write_text("other.mp4 0\n")
    with pytest.raises(ValueError, match=r"holds another test\.csv; give another folder"):
        open_shard(str(tmp_path), WHOLE, MADE_FROM, VIDEOS)
    assert (tmp_path / "test.csv").read_text() == "other.mp4 0\n"


def test_rows_of_maxima_hold_the_means_too(tmp_path):
    made_from = MADE_FROM | {"config": {"DATA.ENSEMBLE_METHOD": "max"}}
    _, rows = open_shard(str(tmp_path), WHOLE, made_from, VIDEOS)
    with rows:
        for video in VIDEOS:
            scores = video_scores(SCORES[video.index], SOURCE)
            rows.append(video, dataclasses.replace(scores, means=SCORES[video.index] / 2))
    table = read(tmp_path, ensemble_method="max")
    np.testing.assert_array_equal(table.scores, SCORES)
    np.testing.assert_array_equal(table.probabilities, SCORES / 2)


def test_rows_of_another_format_are_rejected(tmp_path):
    fill(tmp_path)
    manifest = Manifest.load(tmp_path / "manifest.json")
    manifest.provenance["score_format"] = SCORE_FORMAT - 1
    manifest.save()
    match = f"records rows of format {SCORE_FORMAT - 1}, this version reads {SCORE_FORMAT}"
    with pytest.raises(ValueError, match=match):
        read(tmp_path)
