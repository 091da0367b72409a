"""From a folder of views to a folder of results, as a value; the engine has a stand-in."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xxhash

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, InputError, RunError
from x3d.network.engine import run_batch
from x3d.network.model_file import ModelFile
from x3d.pipeline import infer as module
from x3d.pipeline.infer import InferSettings, infer, pure_batch
from x3d.storage.accuracy_file import write_accuracy
from x3d.storage.ais_bench_summary import Summary
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.record_reader import read_record
from x3d.storage.result_folder import MAX_NAME_BYTES, check_result_name
from x3d.video.source import Source

VIEW = (3, 1, 2, 2)
MODEL = ModelFile("x.onnx", b"", b"", "0123456789abcdef")
NAMES = ["0_0.npy", "1_0.npy", "2_1.npy", "10_5.npy", "11_5.npy"]


class Engine:
    """Returns the mean of each view, as one class; records its batches."""

    name, device, precision, view_shape, num_classes = "standin", "CPU", "f32", VIEW, 1
    input_dtype = "float32"
    packages: ClassVar[dict[str, str]] = {}

    def __init__(self, batch_size: int | None = None) -> None:
        self.batch_size = batch_size
        self.batches: list[np.ndarray] = []
        self.opened_with: tuple[object, ...] = ()

    def infer(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch.copy())
        return batch.mean(axis=(1, 2, 3, 4), dtype=np.float32).reshape(-1, 1)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()

    def open_engine(*given: object) -> Engine:
        made.opened_with = given
        return made

    monkeypatch.setattr(module, "read_model", lambda path: MODEL)
    monkeypatch.setattr(module, "open_engine", open_engine)
    return made


@pytest.fixture
def views(tmp_path: Path) -> str:
    """Five views, whose values are their numbers."""
    folder = tmp_path / "views"
    folder.mkdir()
    for name in NAMES:
        np.save(folder / name, np.full((1, *VIEW), float(name.split("_")[0]), np.float32))
    return str(folder)


def digest_of(path: Path) -> str:
    return xxhash.xxh3_64_hexdigest(path.read_bytes())


def numbers(engine: Engine) -> list[list[float]]:
    """List the numbers of the views in each batch."""
    return [batch[:, 0, 0, 0, 0].tolist() for batch in engine.batches]


def test_every_view_is_run_in_natural_order_and_its_scores_written(engine, views, tmp_path, caplog):
    caplog.set_level("INFO")
    folder = tmp_path / "out" / "res"
    summary = infer(InferSettings("x.onnx", views, folder, batchsize=2, warmup_count=0))
    assert numbers(engine) == [[0, 1], [2, 10], [11, 11]], "the last batch is padded with its first view"
    assert {path.name: np.fromfile(path, np.float32).tolist() for path in folder.iterdir()} == {
        f"{name.removesuffix('.npy')}_0.bin": [float(name.split("_")[0])] for name in NAMES
    }
    assert {path.name for path in folder.parent.iterdir()} == {"res", "res_summary.json"}, "nothing else is left"
    assert caplog.messages[-1] == f"results: {folder}; summary: {folder}_summary.json"
    assert (summary.batch_size, len(summary.compute_ms)) == (2, 3)
    assert min(summary.compute_ms) > 0


def test_the_summary_names_the_files_of_each_sample_by_their_final_path(engine, views, tmp_path):
    summary = infer(InferSettings("x.onnx", views, tmp_path / "res", batchsize=2))
    samples = json.loads(json.dumps(summary.to_dict([])))["filesinfo"]
    assert samples == {
        str(number): {
            "infiles": [f"{views}/{name}"],
            "outfiles": [str(tmp_path / "res" / f"{name.removesuffix('.npy')}_0.bin")],
            "digest": digest_of(tmp_path / "res" / f"{name.removesuffix('.npy')}_0.bin"),
        }
        for number, name in enumerate(NAMES)
    }


@pytest.mark.parametrize(("outfmt", "suffix"), [("BIN", ".bin"), ("NPY", ".npy"), ("TXT", ".txt")])
def test_the_format_decides_the_suffix(outfmt, suffix, engine, views, tmp_path):
    infer(InferSettings("x.onnx", views, tmp_path / "res", outfmt=outfmt))
    assert {path.suffix for path in (tmp_path / "res").iterdir()} == {suffix}


def record_timed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the type of each batch that is timed."""
    timed: list[str] = []

    def run(engine: Any, batch: np.ndarray) -> np.ndarray:
        timed.append(str(batch.dtype))
        return run_batch(engine, batch)

    monkeypatch.setattr(module, "run_batch", run)
    return timed


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("input_dtype", ["float32", "float16"])
def test_views_are_converted_to_what_the_model_takes(dtype, input_dtype, engine, views, tmp_path, monkeypatch):
    timed = record_timed(monkeypatch)
    monkeypatch.setattr(engine, "input_dtype", input_dtype)
    for name in NAMES:
        np.save(Path(views) / name, np.load(Path(views) / name).astype(dtype))
    infer(InferSettings("x.onnx", views, tmp_path / "res", batchsize=2, warmup_count=0))
    assert timed == [input_dtype] * 3, "the conversion is not timed"
    assert numbers(engine) == [[0, 1], [2, 10], [11, 11]]


def test_generated_data_is_of_the_type_that_the_model_takes(engine, monkeypatch):
    timed = record_timed(monkeypatch)
    monkeypatch.setattr(engine, "input_dtype", "float16")
    infer(InferSettings("x.onnx", pure_data_type="random"))
    assert timed == ["float16"] * 2


def test_the_first_batch_is_warmed_up_and_each_runs_loop_times(engine, views):
    summary = infer(InferSettings("x.onnx", views, batchsize=4, loop=3, warmup_count=2))
    assert [len(batch) for batch in engine.batches] == [4] * (2 + 3 + 3)
    assert len(summary.compute_ms) == 6


def test_engine_model_and_batch_size_are_logged(engine, views, caplog):
    caplog.set_level("INFO")
    num_views = len(list(Path(views).glob("*.npy")))
    infer(InferSettings("x.onnx", views, batchsize=2))
    assert caplog.messages[-1] == f"{num_views} views of {views}; x.onnx (standin, CPU, f32, batch size 2)"
    infer(InferSettings("x.onnx", pure_data_type="random"))
    assert caplog.messages[-1] == "generated views (random); x.onnx (standin, CPU, f32, batch size 1)"


def test_the_defaults_run_each_view_once_after_one_warm_up(engine, views):
    summary = infer(InferSettings("x.onnx", views))
    assert numbers(engine) == [[0], [0], [1], [2], [10], [11]]
    assert (summary.batch_size, len(summary.compute_ms)) == (1, 5)
    assert engine.opened_with == (MODEL, "auto", "0", 0, "f32")


def test_without_a_folder_nothing_is_written(engine, views, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    infer(InferSettings("x.onnx", views))
    assert [path.name for path in tmp_path.iterdir()] == ["views"]


def test_times_are_in_milliseconds(engine, monkeypatch):
    times = iter([1.0, 1.25, 2.0, 2.5])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    assert infer(InferSettings("x.onnx", loop=2)).compute_ms == [250, 500]


@pytest.mark.parametrize(("data_type", "is_zero"), [("zero", True), ("random", False)])
def test_without_input_generated_data_is_run(data_type, is_zero, engine, tmp_path):
    summary = infer(
        InferSettings("x.onnx", None, tmp_path / "res", None, 3, loop=2, warmup_count=4, pure_data_type=data_type)
    )
    assert len(engine.batches) == 6
    assert all(batch.shape == (3, *VIEW) and batch.any() != is_zero for batch in engine.batches)
    assert len(summary.compute_ms) == 2
    assert not (tmp_path / "res").exists()


def test_generated_data_is_float32_and_seeded():
    shape = (2, 3, 4, 40, 40)
    zeros, values = pure_batch(shape, "zero"), pure_batch(shape, "random")
    assert (zeros.shape, zeros.dtype, zeros.any()) == (shape, np.float32, False)
    assert (values.shape, values.dtype) == (shape, np.float32)
    assert (abs(values.mean()), values.std()) == pytest.approx((0, 1), abs=0.02)
    np.testing.assert_array_equal(values, np.random.RandomState(0).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize(("fixed", "given", "expected"), [(4, None, 4), (4, 4, 4), (None, 3, 3), (None, None, 1)])
def test_the_batch_size_is_the_one_given_or_the_models_or_one(fixed, given, expected, engine):
    engine.batch_size = fixed
    assert infer(InferSettings("x.onnx", batchsize=given)).batch_size == expected
    assert engine.batches[0].shape == (expected, *VIEW)


def test_a_batch_size_that_the_model_does_not_take_is_refused(engine, views, tmp_path):
    engine.batch_size = 4
    with pytest.raises(ValueError, match=r"--batchsize 2: x\.onnx has the fixed batch size 4"):
        infer(InferSettings("x.onnx", views, tmp_path / "res", batchsize=2))
    assert [path.name for path in tmp_path.iterdir()] == ["views"]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (None, "res is a file, which cannot be replaced; give another --output_dirname"),
        (["99_0_0.bin"], "res holds files of another run; remove it or give another --output_dirname"),
        (["99_0_0.bin", "notes.txt", "z"], "res holds notes.txt, which is no result; give another --output_dirname"),
        (["a\nb"], r"res holds a\\nb, which is no result; give another --output_dirname"),
    ],
)
def test_a_result_folder_in_use_is_refused_and_left_as_it_is(names, problem, engine, views, tmp_path):
    folder = tmp_path / "res"
    if names is None:
        folder.write_text("kept")
    else:
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    with pytest.raises(ValueError, match=problem):
        infer(InferSettings("x.onnx", views, folder))
    assert folder.exists()
    assert engine.batches == []


def test_an_empty_result_folder_is_used_and_a_users_partial_one_is_left_alone(engine, views, tmp_path):
    (tmp_path / "res").mkdir()
    (tmp_path / "res.partial").mkdir()
    (tmp_path / "res.partial" / "99_0_0.bin").touch()
    infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert len(list((tmp_path / "res").iterdir())) == len(NAMES)
    assert [path.name for path in (tmp_path / "res.partial").iterdir()] == ["99_0_0.bin"]


def test_a_second_run_into_one_folder_is_rejected_while_the_first_runs(engine, views, tmp_path, monkeypatch):
    def run_again(batch):
        with pytest.raises(ValueError, match=r"\.res\.lock is in use by another run"):
            infer(InferSettings("x.onnx", views, tmp_path / "res"))
        return np.zeros((len(batch), 1), np.float32)

    monkeypatch.setattr(engine, "infer", run_again)
    infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert len(list((tmp_path / "res").iterdir())) == len(NAMES)


def test_the_summary_is_complete_before_the_folder_appears(engine, views, tmp_path, monkeypatch):
    (tmp_path / "res_summary.json").write_text('{"filesinfo": "of an earlier run"}')
    seen = []
    replace = os.replace

    def record(old, new):
        replace(old, new)
        seen.append((Path(new).name, (tmp_path / "res").exists()))

    monkeypatch.setattr(os, "replace", record)
    infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert seen == [("res_summary.json", False), ("res", True)]
    assert set(read_record(str(tmp_path / "res")).labels) == {0, 1, 2, 10, 11}


@pytest.mark.parametrize("content", ['{"accuracy": 1}', "notes"])
def test_a_file_of_the_user_is_not_replaced_by_the_summary(content, engine, views, tmp_path):
    (tmp_path / "res_summary.json").write_text(content)
    with pytest.raises(ValueError, match=r"res_summary.json is no file of this suite and would be replaced; move it"):
        infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert (tmp_path / "res_summary.json").read_text() == content
    assert engine.batches == []


def test_a_summary_that_cannot_be_written_is_named(engine, views, tmp_path, monkeypatch):
    def replace_file(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("x3d.storage.ais_bench_summary.replace_file", replace_file)
    with pytest.raises(RunError, match=rf"^{tmp_path}/res_summary.json cannot be written: No space .*; infer again"):
        infer(InferSettings("x.onnx", views, tmp_path / "res"))


def test_a_folder_of_views_that_cannot_be_read_is_an_input_error(engine, views, tmp_path, monkeypatch):
    scandir = os.scandir

    def deny(path):
        if path == views:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(ValueError, match=rf"^--input {views} cannot be read: Permission denied"):
        infer(InferSettings("x.onnx", views, tmp_path / "res"))


def test_views_without_a_manifest_are_warned_about(engine, views, caplog):
    infer(InferSettings("x.onnx", views))
    assert f"--input {views}: no manifest.json beside the views, so their values are not checked" in caplog.text


def test_the_summary_has_the_provenance_of_the_results(engine, views, tmp_path):
    infer(InferSettings("x.onnx", views, tmp_path / "res", "NPY", 2))
    made = dict(read_record(str(tmp_path / "res")).provenance)
    assert set(made.pop("versions")) == {"x3d", "machine"}
    assert made == {
        "views": None,
        "model_digest": MODEL.digest,
        "num_classes": 1,
        "engine": "standin",
        "device": "CPU",
        "precision": "f32",
        "batch_size": 2,
        "outfmt": "NPY",
    }


def write_manifest(folder: Path, num_videos: int) -> dict[str, object]:
    """Write the manifest of the fixture's views, one per video, for a list of which some videos have none."""
    provenance = {"num_videos": num_videos, "views_per_video": 1, "config": {}}
    manifest = Manifest(folder / "manifest.json", provenance)
    for name in NAMES:
        index, label = map(int, name.removesuffix(".npy").split("_"))
        view_hash = xxhash.xxh3_64_hexdigest(np.load(folder / name).data)
        manifest.record_done(Video(index, "", "", label), WrittenViews([view_hash], Source(1, 2, 3)))
    manifest.record_failed(Video(3, "3.mp4", "", 1), "empty", "3.mp4: the file has no bytes")
    manifest.save()
    return provenance


def test_videos_without_views_are_reported_and_recorded(engine, views, tmp_path, caplog):
    provenance = write_manifest(Path(views), 12)
    summary = infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert list(summary.missing_videos) == [3, 4, 5, 6, 7, 8, 9]
    assert "7 listed videos without views, so without results:\nvideo 3: 3.mp4: the file has no bytes\n" in caplog.text
    record = read_record(str(tmp_path / "res"))
    assert record.views == provenance
    assert record.missing_videos == summary.missing_videos


def test_a_damaged_view_ends_the_run(engine, views, tmp_path):
    write_manifest(Path(views), 12)
    np.save(Path(views) / "2_1.npy", np.full((1, *VIEW), 2.5, np.float32))
    with pytest.raises(RunError, match=r"2_1\.npy has other values than x3d_preprocess\.py wrote"):
        infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert {path.name for path in tmp_path.iterdir()} == {"views"}


def test_unlabelled_views_are_counted(engine, views, caplog):
    np.save(Path(views) / "12_-1.npy", np.zeros((1, *VIEW), np.float32))
    infer(InferSettings("x.onnx", views))
    assert "1 view unlabelled (-1), left out of the accuracy" in caplog.text


def test_the_folders_above_the_result_folder_may_exist_or_are_created(engine, views, tmp_path):
    for name in ("first", "second"):
        infer(InferSettings("x.onnx", views, tmp_path / "a" / "b" / name))
        assert (tmp_path / "a" / "b" / name / "0_0_0.bin").exists()


def test_an_output_that_cannot_be_created_is_refused(engine, views, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"--output .*file/sub: Not a directory"):
        infer(InferSettings("x.onnx", views, tmp_path / "file" / "sub" / "res"))


def test_a_file_that_is_no_view_is_refused_before_anything_runs(engine, views, tmp_path):
    np.save(Path(views) / "3_3.npy", np.zeros((1, 3, 1, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"3_3\.npy: float32 or float16 of shape \(1, 3, 1, 2, 2\) is needed"):
        infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert engine.batches == []


def test_an_engine_that_fails_ends_the_run_without_a_result_folder(engine, views, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "infer", lambda batch: 1 // 0)
    with pytest.raises(RunError, match="engine standin failed on CPU: integer division") as raised:
        infer(InferSettings("x.onnx", views, tmp_path / "res"))
    assert isinstance(raised.value.__cause__, EngineError)
    assert not (tmp_path / "res").exists()


def test_the_bar_counts_views(engine, views, capsys):
    infer(InferSettings("x.onnx", views, batchsize=2))
    assert "5/5" in capsys.readouterr().err.split("\r")[-1]


def test_a_measurement_returns_the_scores_of_the_last_run(engine):
    summary = Summary(1)
    scores = module._measure(engine, np.ones((1, *VIEW), np.float32), 2, 0, summary)
    assert (scores.tolist(), len(summary.compute_ms)) == ([[1]], 2)


@pytest.mark.parametrize("batch_size", [10**12, 10**30])
def test_a_batch_that_cannot_be_allocated_is_rejected_at_the_start(batch_size, engine, tmp_path):
    with pytest.raises(InputError, match=r"^--batchsize 10+: a batch does not fit in memory"):
        infer(InferSettings("x.onnx", None, tmp_path / "res", batchsize=batch_size * 10**6))
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_of_a_result_folder_leaves_room_for_the_files_beside_it(engine, views, tmp_path):
    name = "x" * MAX_NAME_BYTES
    check_result_name(name)
    infer(InferSettings("x.onnx", views, tmp_path / "out" / name))
    write_accuracy(str(tmp_path / "out" / name), {})
    assert len(list((tmp_path / "out").iterdir())) == 3
    with pytest.raises(OSError, match="File name too long"):
        write_accuracy(str(tmp_path / "out" / f"{name}x"), {})
