"""From views to a line through the scripts: what is left out, rejected, or removed."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import xxhash

import x3d_evaluate
import x3d_infer
import x3d_preprocess
from test.helpers import Dataset, evaluate_keys, line_of, postprocess, preprocess_keys, read_rows_of
from x3d.dataset.annotations import Video
from x3d.pipeline.postprocess import ScoringSettings, read_table
from x3d.storage.expected_list import ExpectedList


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four videos, of which the third is empty and the last unlabelled."""
    videos = {f"{n}.mp4": {"num_frames": 40 + 7 * n} for n in range(4)}
    made = Dataset(tmp_path_factory.mktemp("data")).write_videos(videos)
    made.replace("2.mp4", b"")
    made.list_path.write_text("0.mp4 0\n1.mp4 1\n2.mp4 2\n3.mp4 -1\n")
    return made


@pytest.fixture(scope="module")
def made(data: Dataset, small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with views in `prep_data` and results in `res`."""
    folder = tmp_path_factory.mktemp("made")
    assert x3d_preprocess.main(preprocess_keys(data, folder / "prep_data")) == 1
    flags = [
        "--input",
        str(folder / "prep_data"),
        "--output",
        str(folder),
        "--output_dirname",
        "res",
        "--batchsize",
        "8",
    ]
    assert x3d_infer.main(["--model", str(small_onnx), *flags]) == 1
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of the results with their summary."""
    shutil.copy(made / "res_summary.json", tmp_path)
    return Path(shutil.copytree(made / "res", tmp_path / "res"))


def details(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(folder.with_name(f"{folder.name}_accuracy.json").read_text())
    return found


def as_ais_bench(results: Path, inputs: Path) -> None:
    """Write the summary anew as ais_bench does, without provenance and digests."""
    path = results.with_name("res_summary.json")
    samples = json.loads(path.read_text())["filesinfo"]
    for sample in samples.values():
        del sample["digest"]
        sample["infiles"] = [str(inputs / Path(sample["infiles"][0]).name)]
    path.write_text(json.dumps({"filesinfo": samples}))


@pytest.mark.parametrize("writer", ["x3d_infer", "ais_bench"])
def test_a_video_that_failed_is_missing_with_its_reason_and_an_unlabelled_one_is_left_out(
    writer, results, made, caplog, capsys
):
    if writer == "ais_bench":
        as_ais_bench(results, made / "prep_data")
    assert postprocess(results) == 1
    assert (
        "res is not scored, 1 problem (X3D_POSTPROCESS.ALLOW_MISSING True scores the complete videos):\nvideo 2 misses "
        in caplog.text
    )
    assert "2.mp4: the file has no bytes" in caplog.text
    assert capsys.readouterr().out == ""
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    found = details(results)
    assert (found["videos_scored"], found["videos_listed"], found["videos_unlabelled"]) == (2, 3, 1)
    assert "1 video unlabelled (-1), left out of the accuracy" in caplog.text


def test_views_that_no_longer_exist_leave_ais_benchs_summary(results, tmp_path):
    as_ais_bench(results, tmp_path / "gone")
    assert postprocess(results) == 0
    assert details(results)["expected_from"] == "the summary"


@pytest.mark.parametrize("writer", ["x3d_infer", "ais_bench"])
def test_another_number_of_views_is_rejected_whoever_wrote_the_results(writer, results, made, caplog):
    if writer == "ais_bench":
        as_ais_bench(results, made / "prep_data")
    assert postprocess(results, "TEST.NUM_ENSEMBLE_VIEWS", "5") == 2
    assert "set TEST.NUM_ENSEMBLE_VIEWS 10 TEST.NUM_SPATIAL_CROPS 3" in caplog.text


def test_another_list_of_the_same_length_and_labels_is_rejected(results, data, tmp_path, caplog):
    (tmp_path / "test.csv").write_text(data.list_path.read_text().replace("1.mp4", "one.mp4"))
    keys = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "X3D_POSTPROCESS.ALLOW_MISSING", "True"]
    assert postprocess(results, *keys) == 2
    assert "test.csv is not the list that the views were made from" in caplog.text


def test_an_accuracy_of_an_earlier_scoring_does_not_outlive_a_rejected_one(results, caplog):
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    assert details(results)
    assert postprocess(results) == 1
    assert not results.with_name("res_accuracy.json").exists()
    results.with_name("res_accuracy.json").mkdir()
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 2
    assert "res_accuracy.json is no file of this suite and would be replaced; move it elsewhere" in caplog.text


def test_a_flipped_bit_of_any_result_is_noticed(results, caplog):
    victim = results / "37_1_0.bin"
    content = bytearray(victim.read_bytes())
    content[5] ^= 1
    victim.write_bytes(content)
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    assert f"res is not scored, 1 problem:\n{victim} is damaged or replaced" in caplog.text


def test_files_of_the_system_are_passed_over_and_pipes_are_named(results, caplog):
    for name in (".DS_Store", "Thumbs.db", "sumary.json"):
        (results / name).touch()
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    assert details(results)
    os.mkfifo(results / "120_5_0.bin")
    assert postprocess(results, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    assert "120_5_0.bin is not a regular file; remove it" in caplog.text


def test_a_list_without_any_label_is_not_scored(made, data, small_onnx, tmp_path, caplog, capsys):
    unlabelled = data.link(tmp_path / "data")
    unlabelled.list_path.write_text("0.mp4 -1\n1.mp4 -1\n")
    assert x3d_evaluate.main(evaluate_keys(unlabelled, small_onnx, tmp_path / "eval")) == 1
    assert "eval is not scored: no video has a label" in caplog.text
    assert capsys.readouterr().out == ""


def test_an_evaluation_leaves_unlabelled_videos_out_and_records_each_source(data, small_onnx, tmp_path, capsys):
    keys = evaluate_keys(data, small_onnx, tmp_path / "eval", "X3D_POSTPROCESS.ALLOW_MISSING", "True")
    assert x3d_evaluate.main(keys) == 1
    assert set(json.loads(line_of(capsys))) == {"split", "top1_acc", "top5_acc"}
    found = details(tmp_path / "eval")
    assert (found["videos_scored"], found["videos_listed"], found["videos_unlabelled"]) == (2, 3, 1)
    rows = read_rows_of(tmp_path / "eval" / "manifest.json")
    assert rows["size"].tolist() == [(data.val / f"{n}.mp4").stat().st_size for n in (0, 1, 3)]


def test_both_routes_give_the_same_table(results, data, small_onnx, tmp_path):
    keys = evaluate_keys(data, small_onnx, tmp_path / "eval", "X3D_POSTPROCESS.ALLOW_MISSING", "True")
    assert x3d_evaluate.main(keys) == 1
    videos = [Video(index, f"{index}.mp4", "", label) for index, label in enumerate((0, 1, 2, -1))]
    settings = ScoringSettings(num_classes=9, allow_missing=True, listed=ExpectedList.of_videos(videos, "test.csv"))
    by_files, streamed = (read_table(str(folder), settings) for folder in (results, tmp_path / "eval"))
    assert by_files.problems == streamed.problems == []
    for name in ("videos", "labels", "listed_labels", "view_classes"):
        np.testing.assert_array_equal(getattr(by_files, name), getattr(streamed, name), name)
    for name in ("scores", "view_probabilities", "probabilities"):
        np.testing.assert_allclose(getattr(by_files, name), getattr(streamed, name), atol=1e-6, err_msg=name)
    assert by_files.listed_paths == streamed.listed_paths == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    hashes = [xxhash.xxh3_64_intdigest((data.val / path).read_bytes()) for path in streamed.listed_paths]
    expected = [hashes[video] for video in streamed.videos]
    assert by_files.sources.tolist() == streamed.sources.tolist() == expected
    assert {video: failure.reason for video, failure in by_files.failures.items()} == {2: "empty"}
    assert {video: failure.reason for video, failure in streamed.failures.items()} == {2: "empty"}


def test_results_of_an_evaluation_and_of_files_do_not_share_a_folder(results, data, small_onnx, caplog):
    before = sorted(path.name for path in results.iterdir())
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, results)) == 2
    assert f"OUTPUT_PATH {results} holds 0_0_0.bin, which is no file of an evaluation" in caplog.text
    assert sorted(path.name for path in results.iterdir()) == before
