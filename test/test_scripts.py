"""The scripts one after the other, through their `main`."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import x3d_infer
import x3d_postprocess
import x3d_preprocess
import x3d_pth2onnx
from test.helpers import SMALL, Dataset, line_of, postprocess, preprocess_keys, states, with_keys

LISTED = [("air drumming/a b.mp4", 3), ("air drumming/c.mp4", 3), ("zumba/d 'e'.mp4", 8), ("żubr/f.mkv", 0)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    videos = {name: {"num_frames": 60 + 10 * n, "width": 64 + 16 * n} for n, (name, _) in enumerate(LISTED)}
    made = Dataset(tmp_path_factory.mktemp("data")).write_videos(videos)
    made.list_path.write_text("".join(f"{name} {label}\n" for name, label in LISTED))
    return made


def preprocess(data: Dataset, out: Path, *more: str) -> int:
    return x3d_preprocess.main(preprocess_keys(data, out, *more))


@pytest.fixture(scope="module")
def views(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("views") / "prep_data"
    assert preprocess(data, out) == 0
    return out


@pytest.fixture(scope="module")
def results(views: Path, small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    flags = ["--output", str(out), "--output_dirname", "res", "--batchsize", "8"]
    assert x3d_infer.main(["--model", str(small_onnx), "--input", str(views), *flags]) == 0
    return out / "res"


def test_every_view_is_written_under_its_number_and_label(views):
    expected = {f"{30 * i + v}_{label}.npy" for i, (_, label) in enumerate(LISTED) for v in range(30)}
    assert {path.name for path in views.iterdir()} == expected | {"manifest.json"}
    view = np.load(views / "31_3.npy")
    assert (view.shape, view.dtype, view.flags.c_contiguous) == ((1, 3, 4, 40, 40), np.float32, True)
    found = states(views)
    assert [found[str(i)]["state"] for i in range(4)] == ["done"] * 4


def test_bin_holds_the_same_bytes(views, data, tmp_path):
    assert preprocess(data, tmp_path / "bin", "X3D_PREPROCESS.FORMAT", "bin") == 0
    for path in views.glob("*.npy"):
        assert (tmp_path / "bin" / f"{path.stem}.bin").read_bytes() == np.load(path).tobytes()


@pytest.mark.parametrize("suffix", ["npy", "bin"])
def test_float16_views_take_half_the_bytes_and_score_alike(suffix, views, results, data, small_onnx, tmp_path, capsys):
    assert preprocess(data, tmp_path / "half", "X3D_PREPROCESS.DTYPE", "float16", "X3D_PREPROCESS.FORMAT", suffix) == 0
    for path in views.glob("*.npy"):
        written = (tmp_path / "half" / f"{path.stem}.{suffix}").read_bytes()
        assert written[-2 * 3 * 4 * 40 * 40 :] == np.load(path).astype("<f2").tobytes()
        assert len(written) == 2 * 3 * 4 * 40 * 40 + (128 if suffix == "npy" else 0)
    flags = ["--output", str(tmp_path), "--output_dirname", "res", "--batchsize", "8"]
    assert x3d_infer.main(["--model", str(small_onnx), "--input", str(tmp_path / "half"), *flags]) == 0
    for path in results.iterdir():
        found = np.fromfile(tmp_path / "res" / path.name, np.float32)
        np.testing.assert_allclose(found, np.fromfile(path, np.float32), atol=1e-3)
    assert postprocess(results) == 0
    expected = line_of(capsys)
    assert postprocess(tmp_path / "res") == 0
    assert line_of(capsys) == expected
    conditions = json.loads((tmp_path / "res_accuracy.json").read_text())["conditions"]
    assert conditions["provenance"]["views"]["config"]["X3D_PREPROCESS.DTYPE"] == "float16"


def test_one_crop_gives_ten_views_per_video(data, tmp_path):
    one_crop = ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "32"]
    assert preprocess(data, tmp_path / "ten", *one_crop) == 0
    assert len(list((tmp_path / "ten").glob("*.npy"))) == 40
    assert np.load(tmp_path / "ten" / "39_0.npy").shape == (1, 3, 4, 32, 32)


def test_the_line_is_the_same_from_every_source_of_expected_views(results, data, tmp_path, capsys):
    assert postprocess(results) == 0
    by_summary = line_of(capsys)
    assert set(json.loads(by_summary)) == {"split", "top1_acc", "top5_acc"}
    assert postprocess(results, *data.keys) == 0
    assert line_of(capsys) == by_summary
    alone = shutil.copytree(results, tmp_path / "alone")
    assert postprocess(alone) == 0
    assert line_of(capsys) == by_summary
    details = json.loads((tmp_path / "alone_accuracy.json").read_text())
    assert (details["videos_scored"], details["videos_listed"], details["missing"]) == (4, 4, [])


def test_the_line_is_that_of_the_files(results, capsys):
    summed = np.zeros((4, 9), dtype=np.float32)
    for path in results.iterdir():
        summed[int(path.name.split("_")[0]) // 30] += np.fromfile(path, dtype=np.float32)
    ranks = [(summed[i] > summed[i, label]).sum() for i, (_, label) in enumerate(LISTED)]
    assert postprocess(results) == 0
    expected = {f"top{k}_acc": f"{25 * sum(rank < k for rank in ranks):.2f}" for k in (1, 5)}
    assert json.loads(line_of(capsys)) == {"split": "test_final", **expected}


def test_the_order_of_files_and_their_format_do_not_matter(results, tmp_path, capsys):
    assert postprocess(results) == 0
    expected = line_of(capsys)
    mixed = tmp_path / "mixed"
    for number, path in enumerate(sorted(results.iterdir(), reverse=True)):
        folder = mixed / f"device{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        scores = np.fromfile(path, dtype=np.float32)
        if number % 3 == 0:
            np.save(folder / f"{path.stem}.npy", scores[None])
        elif number % 3 == 1:
            np.savetxt(folder / f"{path.stem}.txt", scores[None], fmt="%.9g")
        else:
            shutil.copy(path, folder)
    assert postprocess(mixed) == 0
    assert line_of(capsys) == expected


def spoil(how: str, folder: Path) -> None:
    victim = folder / "37_3_0.bin"
    scores = np.fromfile(victim, dtype=np.float32)
    if how == "missing":
        victim.unlink()
    elif how == "duplicate":
        np.save(folder / "37_3_0.npy", scores)
    elif how == "not finite":
        scores[4] = np.nan
        scores.tofile(victim)
    elif how == "wrong label":
        victim.rename(folder / "37_4_0.bin")
    elif how == "short":
        victim.write_bytes(victim.read_bytes()[:-4])
    elif how == "double precision":
        victim.unlink()
        np.save(folder / "37_3_0.npy", scores.astype(np.float64))
    elif how == "of no view":
        (folder / "notes.bin").write_bytes(b"")
    elif how == "of another run":
        shutil.copy(victim, folder / "120_5_0.bin")


FAULTS = {
    "missing": "video 1 misses views: 37",
    "duplicate": "view 37 has more than one result",
    "not finite": "37_3_0.bin holds scores that are not finite",
    "wrong label": "view 37 has label 4, its video 1 has label 3",
    "short": "37_3_0.bin cannot be read as scores: 32 bytes; 9 float32",
    "double precision": "37_3_0.npy is not named by ",
    "of no view": "notes.bin is not the result of a view",
    "of another run": "view 120 (label 5) is not expected",
}


@pytest.mark.parametrize("listed", [True, False], ids=["with the list", "with the summary"])
@pytest.mark.parametrize("how", FAULTS)
def test_a_damaged_set_is_rejected_and_the_view_named(how, listed, results, data, tmp_path, capsys, caplog):
    folder = shutil.copytree(results, tmp_path / "res")
    shutil.copy(results.parent / "res_summary.json", tmp_path)
    spoil(how, folder)
    assert postprocess(folder, *(data.keys if listed else [])) == 1
    assert (FAULTS[how] if how != "not finite" else "37_3_0.bin is damaged or replaced") in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", ["missing", "duplicate", "wrong label", "not finite"])
def test_a_damaged_set_without_list_or_summary_is_rejected_too(how, results, tmp_path, caplog):
    folder = shutil.copytree(results, tmp_path / "res")
    spoil(how, folder)
    assert postprocess(folder) == 1
    assert FAULTS[how] in caplog.text


def test_allow_missing_scores_the_complete_videos_and_reports_both_accuracies(results, data, tmp_path, capsys, caplog):
    folder = shutil.copytree(results, tmp_path / "res")
    spoil("missing", folder)
    assert postprocess(folder, *data.keys, "X3D_POSTPROCESS.ALLOW_MISSING", "True") == 1
    assert line_of(capsys)
    details = json.loads((tmp_path / "res_accuracy.json").read_text())
    assert (details["videos_scored"], details["videos_listed"], details["incomplete_videos"]) == (3, 4, [1])
    assert details["missing"][0].startswith("video 1 misses views: 37")
    assert float(details["of_listed"]["top5_acc"]) == 25 * details["correct"]["top5"]
    assert "of 3, 95 %" in caplog.text
    assert "of 4, 95 %" in caplog.text


def test_a_list_with_another_label_rejects_every_view(results, data, tmp_path, caplog):
    (tmp_path / "test.csv").write_text(data.list_path.read_text().replace("8\n", "7\n"))
    assert postprocess(results, "DATA.PATH_TO_DATA_DIR", str(tmp_path)) == 2
    assert "test.csv is not the list that the views were made from" in caplog.text
    alone = shutil.copytree(results, tmp_path / "alone")
    assert postprocess(alone, "DATA.PATH_TO_DATA_DIR", str(tmp_path)) == 1
    assert "view 60 has label 8, its video 2 has label 7" in caplog.text
    assert "30 problems" in caplog.text


@pytest.mark.parametrize(
    ("script", "keys", "advice"),
    [
        (x3d_preprocess.main, ["DATA.PATH_TO_DATA_DIR", "x"], "X3D_PREPROCESS.DATA_OUTPUT_PATH is empty"),
        (x3d_preprocess.main, ["X3D_PREPROCESS.DATA_OUTPUT_PATH", "x"], "set DATA.PATH_TO_DATA_DIR"),
        (
            x3d_preprocess.main,
            ["--shard_id", "3", "--num_shards", "3"],
            "--shard_id 3 --num_shards 3: shards are numbered from 0",
        ),
        (x3d_pth2onnx.main, ["X3D_PTH2ONNX.ONNX_OUTPUT_PATH", "x"], "give the .onnx file to write"),
        (x3d_pth2onnx.main, ["X3D_PTH2ONNX.ONNX_OUTPUT_PATH", "no/x.onnx"], "the folder .*no does not exist"),
        (x3d_pth2onnx.main, ["X3D_PTH2ONNX.ONNX_OUTPUT_PATH", "x.onnx"], "set TEST.CHECKPOINT_FILE_PATH"),
        (x3d_postprocess.main, [], "X3D_POSTPROCESS.OM_OUTPUT_PATH is empty; set it to"),
        (x3d_postprocess.main, ["X3D_POSTPROCESS.OM_OUTPUT_PATH", "."], "holds no results"),
    ],
)
def test_wrong_usage_starts_nothing(script: Callable[[list[str]], int], keys, advice, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    assert script(keys) == 2
    assert re.search(advice, caplog.text)
    assert list(tmp_path.iterdir()) == []


def export(checkpoint: Path, target: Path, *more: str) -> int:
    keys = ["TEST.CHECKPOINT_FILE_PATH", str(checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(target)]
    return x3d_pth2onnx.main(with_keys([*SMALL, *keys], *more))


def test_an_export_above_the_tolerance_leaves_no_file(small_checkpoint, tmp_path, caplog):
    (tmp_path / "x.onnx").touch()
    assert export(small_checkpoint, tmp_path / "x.onnx", "X3D_PTH2ONNX.TOLERANCE", "0") == 1
    assert "differs from" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_with_nan_is_rejected(small_checkpoint, tmp_path):
    content = torch.load(small_checkpoint)
    content["model_state"]["head.projection.bias"][0] = float("nan")
    torch.save(content, tmp_path / "nan.pyth")
    assert export(tmp_path / "nan.pyth", tmp_path / "x.onnx") == 2
    assert not (tmp_path / "x.onnx").exists()
