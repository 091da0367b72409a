import json
import os
import re
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

import x3d_infer
from test.helpers import ROOT
from x3d.network.engine import open_engine, pad_batch
from x3d.network.model_file import ModelFile, read_model

VIEW = (3, 4, 40, 40)


@pytest.fixture
def views(tmp_path):
    folder = tmp_path / "views"
    folder.mkdir()
    random = np.random.RandomState(0)
    for number in (0, 1, 2, 9, 10, 11, 12):
        np.save(folder / f"{number}_{number % 9}.npy", random.standard_normal((1, *VIEW)).astype(np.float32))
    return folder


def infer(onnx, folder, out, *flags):
    return x3d_infer.main(["--model", str(onnx), "--input", str(folder), "--output", str(out), *flags])


def scores_of(folder):
    return {path.name: np.fromfile(path, dtype=np.float32) for path in folder.iterdir()}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_each_view_gets_its_own_scores(engine, batch_size, views, small_onnx, tmp_path, capsys):
    flags = ["--output_dirname", "res", "--batchsize", str(batch_size), "--engine", engine]
    assert infer(small_onnx, views, tmp_path, *flags) == 0
    found = scores_of(tmp_path / "res")
    single = open_engine(read_model(str(small_onnx)), "onnxruntime")
    assert set(found) == {f"{path.stem}_0.bin" for path in views.iterdir()}
    for path in views.iterdir():
        assert np.abs(found[f"{path.stem}_0.bin"] - single.infer(np.load(path))[0]).max() < 1e-6
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[INFO] throughput")]
    compute_ms = json.loads((tmp_path / "res_summary.json").read_text())["NPU_compute_time"]
    assert float(lines[0].rsplit(" ", 1)[1]) == pytest.approx(1000 * batch_size / compute_ms["mean"], rel=1e-5)
    assert compute_ms["count"] == -(-7 // batch_size)


def test_openvino_gives_the_same_bits_in_any_batch(views, small_onnx):
    batch = np.concatenate([np.load(path) for path in sorted(views.iterdir())])
    whole = open_engine(read_model(str(small_onnx)), num_threads=2).infer(batch)
    engine = open_engine(read_model(str(small_onnx)), num_threads=1)
    for size in (1, 2, 3, 7):
        parts = [engine.infer(batch[start : start + size]) for start in range(0, len(batch), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_thread_of_an_engine_may_run_on_every_core(small_onnx):
    """Engines of several processes that pin their threads choose the same cores."""
    before = set(os.listdir("/proc/self/task"))
    engine = open_engine(read_model(str(small_onnx)), num_threads=1)
    engine.infer(np.zeros((64, *VIEW), np.float32))
    started = set(os.listdir("/proc/self/task")) - before
    assert all(os.sched_getaffinity(int(thread)) == os.sched_getaffinity(0) for thread in started)


def test_the_summary_maps_each_sample_to_its_files(views, small_onnx, tmp_path):
    assert infer(small_onnx, views, tmp_path, "--output-dirname", "res", "--batchsize", "2") == 0
    samples = json.loads((tmp_path / "res_summary.json").read_text())["filesinfo"]
    assert [samples[str(n)]["infiles"][0].rsplit("/", 1)[1] for n in range(7)] == [
        f"{v}_{v % 9}.npy" for v in (0, 1, 2, 9, 10, 11, 12)
    ]
    assert samples["6"]["outfiles"] == [str(tmp_path / "res" / "12_3_0.bin")]


def test_bin_and_npy_inputs_and_every_output_format_agree(views, small_onnx, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in views.iterdir():
        np.load(path).tofile(raw / f"{path.stem}.bin")
    for folder, outfmt in ((views, "BIN"), (raw, "NPY"), (raw, "TXT")):
        assert infer(small_onnx, folder, tmp_path, "--output_dirname", outfmt, "--outfmt", outfmt) == 0
    for name, scores in scores_of(tmp_path / "BIN").items():
        stem = name.removesuffix(".bin")
        assert np.load(tmp_path / "NPY" / f"{stem}.npy").ravel().tolist() == scores.tolist()
        text = (tmp_path / "TXT" / f"{stem}.txt").read_text().split()
        assert np.array(text, dtype=np.float32).tolist() == scores.tolist()


@pytest.mark.parametrize(
    ("spoil", "advice"),
    [
        (lambda f: np.save(f / "3_3.npy", np.zeros((1, *VIEW))), "3_3.npy: float32 .* it has float64"),
        (lambda f: np.save(f / "3_3.npy", np.zeros((1, 3, 4, 40, 39), np.float32)), "3_3.npy: .*40, 39"),
        (lambda f: np.save(f / "3_3.npy", np.asfortranarray(np.zeros((1, *VIEW), np.float32))), "3_3.npy: .*C order"),
        (lambda f: (f / "3_3.bin").write_bytes(b"x" * 100), "3_3.bin: .* 76800 bytes; it has 100"),
        (lambda f: (f / "3_3.npy").write_bytes(b"x" * 100), "3_3.npy: it is not a .npy file but text"),
        (lambda f: np.zeros((1, *VIEW), np.float32).tofile(f / "0_0.bin"), "0_0.* would write the same result"),
    ],
)
def test_a_file_that_is_no_view_is_rejected_and_named(spoil, advice, views, small_onnx, tmp_path, caplog):
    spoil(views)
    assert infer(small_onnx, views, tmp_path, "--output_dirname", "res") == 2
    assert not (tmp_path / "res").exists()
    assert re.search(advice, caplog.text)


def test_a_folder_of_another_run_is_rejected(views, small_onnx, tmp_path, caplog):
    (tmp_path / "res").mkdir()
    (tmp_path / "res" / "99_0_0.bin").write_bytes(b"")
    assert infer(small_onnx, views, tmp_path, "--output_dirname", "res") == 2
    assert "holds files of another run" in caplog.text


@pytest.mark.parametrize("with_output", [True, False])
def test_a_run_that_writes_no_results_says_so(with_output, views, small_onnx, tmp_path, caplog):
    output = ["--output", str(tmp_path / "out")] if with_output else []
    assert x3d_infer.main(["--model", str(small_onnx), "--input", str(views), *output]) == 0
    assert ("without --output the views are run and no results are written" in caplog.text) is not with_output


def test_subfolders_and_other_files_are_left_alone(views, small_onnx, tmp_path):
    (views / "sub").mkdir()
    np.save(views / "sub" / "7_7.npy", np.zeros(3))
    (views / "notes.json").write_text("{}")
    assert infer(small_onnx, views, tmp_path, "--output_dirname", "res") == 0
    assert len(scores_of(tmp_path / "res")) == 7


@pytest.mark.parametrize("data_type", ["zero", "random"])
def test_without_input_it_measures(data_type, small_onnx, capsys):
    flags = ["--batchsize", "2", "--loop", "5", "--pure_data_type", data_type, "--display_all_summary", "True"]
    assert x3d_infer.main(["--model", str(small_onnx), *flags]) == 0
    out = capsys.readouterr().out
    assert "[INFO] throughput 1000*batchsize.mean(2)/NPU_compute_time.mean(" in out
    assert "[INFO] H2D_latency (ms): min = 0.0" in out


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (["--model", "none.onnx"], "model none.onnx does not exist"),
        (["--model", "MODEL", "--output_dirname", "x"], "give --output too"),
        (["--model", "MODEL", "--input", "nowhere"], "--input nowhere does not exist; give a folder of views"),
        (["--model", "MODEL", "--loop", "0"], "at least 1"),
        (["--model", "MODEL", "--engine", "onnxruntime", "--device", "cuda:0"], "no CUDAExecutionProvider; it has"),
        (["--model", "MODEL", "--device", "NOSUCH"], "device NOSUCH is none that OpenVINO has here: CPU"),
    ],
)
def test_wrong_usage_is_an_error_with_advice(flags, advice, small_onnx, caplog):
    assert x3d_infer.main([str(small_onnx) if flag == "MODEL" else flag for flag in flags]) == 2
    assert re.search(advice, caplog.text)


def test_an_om_needs_the_npu(tmp_path, caplog):
    (tmp_path / "x.om").write_bytes(b"IMOD\0")
    assert x3d_infer.main(["--model", str(tmp_path / "x.om")]) == 2
    assert "needs ais_bench and aclruntime" in caplog.text


def test_a_short_batch_is_padded_with_its_first_view():
    batch = np.arange(2 * 3, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(pad_batch(batch, 4), batch[[0, 1, 0, 0]])
    assert pad_batch(batch, 2) is batch


def test_files_by_commas_are_run_as_a_folder_is(views, small_onnx, tmp_path):
    assert infer(small_onnx, views, tmp_path, "--output_dirname", "folder") == 0
    both = ",".join([str(views / "10_1.npy"), str(views / "2_2.npy")])
    assert infer(small_onnx, both, tmp_path, "--output_dirname", "files") == 0
    found, whole = scores_of(tmp_path / "files"), scores_of(tmp_path / "folder")
    assert set(found) == {"10_1_0.bin", "2_2_0.bin"}
    for name, scores in found.items():
        np.testing.assert_array_equal(scores, whole[name])


class Counting:
    """An engine that counts its batches, and fails or is stopped at one of them."""

    name, device, precision, batch_size, view_shape, num_classes = "counting", "CPU", "f32", None, VIEW, 9
    input_dtype = "float32"
    packages: ClassVar[dict[str, str]] = {}

    def __init__(self, last: int = 1000, error: BaseException | None = None) -> None:
        self.num_batches, self.last, self.error = 0, last, error

    def infer(self, batch):
        self.num_batches += 1
        if self.num_batches > self.last and self.error:
            raise self.error
        return np.full((len(batch), 9), self.num_batches, np.float32)


def use(engine, monkeypatch):
    monkeypatch.setattr("x3d.pipeline.infer.read_model", lambda path: ModelFile(path, b"", b"", "0123"))
    monkeypatch.setattr("x3d.pipeline.infer.open_engine", lambda *given, **more: engine)
    return engine


def test_each_batch_of_files_is_run_loop_times_and_the_first_is_warmed_up(views, tmp_path, monkeypatch):
    engine = use(Counting(), monkeypatch)
    flags = ["--output_dirname", "res", "--batchsize", "3", "--loop", "4", "--warmup_count", "2"]
    assert infer("MODEL", views, tmp_path, *flags) == 0
    assert engine.num_batches == 2 + 3 * 4
    assert json.loads((tmp_path / "res_summary.json").read_text())["NPU_compute_time"]["count"] == 12
    found = scores_of(tmp_path / "res")
    assert {name: scores[0] for name, scores in found.items()} == {
        f"{view}_{view % 9}_0.bin": last
        for view, last in zip((0, 1, 2, 9, 10, 11, 12), 3 * [6] + 3 * [10] + [14], strict=True)
    }


def test_a_run_that_ends_early_leaves_no_folder_that_looks_whole(views, tmp_path, monkeypatch, caplog):
    use(Counting(3, RuntimeError("out of memory")), monkeypatch)
    assert infer("MODEL", views, tmp_path, "--output_dirname", "res", "--batchsize", "2") == 1
    assert "engine counting failed on CPU: out of memory" in caplog.text
    assert not (tmp_path / "res").exists()
    assert not (tmp_path / "res_summary.json").exists()
    use(Counting(), monkeypatch)
    assert infer("MODEL", views, tmp_path, "--output_dirname", "res", "--batchsize", "2") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"views", "res", "res_summary.json"}


def test_an_engine_that_fails_while_measuring_is_one_sentence(monkeypatch, caplog):
    use(Counting(2, RuntimeError("lost")), monkeypatch)
    assert x3d_infer.main(["--model", "MODEL", "--loop", "5"]) == 1
    assert "engine counting failed on CPU: lost" in caplog.text


@pytest.mark.parametrize(("level", "expected"), [(None, True), ("info", True), ("WARNING", False), ("no level", True)])
def test_logging_goes_to_stderr_at_the_level_of_the_environment(level, expected, small_onnx):
    environment = {name: value for name, value in os.environ.items() if name != "X3D_LOG_LEVEL"}
    environment |= {"X3D_LOG_LEVEL": level} if level else {}
    command = [sys.executable, str(ROOT / "x3d_infer.py"), "--model", str(small_onnx)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert (
        f"[INFO] generated views (zero); {small_onnx} (openvino, CPU, f32, batch size 1)\n" in ran.stderr
    ) == expected
    assert "batch size" not in ran.stdout
    assert "[INFO] throughput" in ran.stdout
