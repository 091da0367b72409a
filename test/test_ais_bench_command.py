"""ais_bench's command line, where this Python does not have its session, with a stand-in of `python` on PATH."""

import errno
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import x3d_npu
from test.helpers import error_of
from x3d.network.model_file import read_model
from x3d.pipeline import ais_bench_command
from x3d.storage.conversion_record import ConversionRecord, write_conversion

AIS_BENCH = """
if arguments[0] == "-c":
    sys.exit(0)
from pathlib import Path
import numpy as np, onnxruntime
assert arguments[:2] == ["-m", "ais_bench"]
given = dict(zip(arguments[2::2], arguments[3::2]))
folder = Path(given["--output"]) / given["--output_dirname"]
folder.mkdir()
session = onnxruntime.InferenceSession("small.onnx")
paths = sorted(Path(given["--input"]).iterdir())
assert not any(path.is_symlink() for path in paths)
for path in paths:
    [rows] = session.run(None, {"image": np.load(path).astype("float32")})
    np.roll(rows, ROLL, axis=1).tofile(folder / f"{path.stem}_0.bin")
times = dict.fromkeys(("min", "max", "mean", "median", "percentile(99%)"), 20.0)
times["count"] = COUNT
samples = {n: {"infiles": [str(path)], "outfiles": [f"{path.stem}_0.bin"]} for n, path in enumerate(paths)}
summary = {"filesinfo": samples, "args": arguments, "NPU_compute_time": times, "throughput": 400.0}
folder.with_name("result_summary.json").write_text(json.dumps(summary))
print("NPU_compute_time (ms): min = 20, max = 20, mean = 20, median = 20, percentile(99%) = 20")
print("throughput 1000*batchsize.mean(8)/NPU_compute_time.mean(20): 400.0")
"""


def ais_bench(roll: int = 0, count: int = 4) -> str:
    """Write what it does: roll the classes, and count batches."""
    return AIS_BENCH.replace("ROLL", str(roll)).replace("COUNT", str(count))


@pytest.fixture(autouse=True)
def _without_a_session(conversion, stand_ins, monkeypatch) -> None:
    """The views and models of a conversion; ais_bench cannot be imported."""
    monkeypatch.setitem(sys.modules, "ais_bench", None)


def check(*more: str) -> int:
    options = ["--model", "small.onnx", "--om", "small_bs8.om", "--input", "prep"]
    return x3d_npu.main(["check", *options, *more])


@pytest.mark.parametrize(("roll", "status", "verdict"), [(0, 0, "PASS"), (1, 1, "FAIL")])
def test_the_verdict_by_the_command_line(roll, status, verdict, stand_ins, capsys, caplog):
    stand_ins.add("python", ais_bench(roll))
    assert check("--num_views", "25", "--device", "2") == status
    line = json.loads(capsys.readouterr().out)
    assert (line["verdict"], line["num_views"]) == (verdict, 25)
    assert "this Python cannot import ais_bench" in caplog.text
    assert "batch size 8; outputs: softmax" in caplog.text
    _, (_, *words) = stand_ins.calls
    given = dict(zip(words[2::2], words[3::2], strict=True))
    assert (given["--model"], given["--device"], given["--loop"]) == ("small_bs8.om", "2", "1")
    assert not Path(given["--output"]).exists()


def test_views_on_another_file_system_are_copied(stand_ins, monkeypatch, capsys):
    def link(path, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    stand_ins.add("python", ais_bench())
    assert check() == 0
    assert json.loads(capsys.readouterr().out)["num_agreeing"] == 30


def test_views_that_cannot_be_copied_are_no_verdict(stand_ins, monkeypatch, caplog, capsys):
    def fail(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(shutil, "copyfile", fail)
    stand_ins.add("python", ais_bench())
    assert check() == 2
    assert error_of(caplog).startswith("No space left on device: '")
    assert capsys.readouterr().out == ""


def test_views_that_are_cut_in_two_are_noticed_by_the_batches(stand_ins, caplog):
    stand_ins.add("python", ais_bench(count=8))
    assert check() == 2
    assert error_of(caplog) == "ais_bench cut the float32 views in two: small_bs8.om takes views of float16"


def test_the_record_of_the_conversion_knows_the_type_before_it_runs(stand_ins, caplog):
    stand_ins.add("python", ais_bench())
    digests = (read_model(name).digest for name in ("small.onnx", "small_bs8.om"))
    record = ConversionRecord("atc", None, "Ascend310P3", "force_fp16", "float16", 8, *digests, 1.0)
    write_conversion(Path("small_bs8.om"), record)
    assert check() == 2
    assert "small_bs8.om takes float16 and the views are float32" in error_of(caplog)
    assert stand_ins.calls == []


def test_a_failure_of_ais_bench_is_no_verdict(stand_ins, caplog, capsys):
    stand_ins.add("python", "if arguments[0] == '-m': sys.exit('[ERROR] load model failed')")
    assert check() == 2
    assert error_of(caplog) == "ais_bench failed on small_bs8.om with float32 views: [ERROR] load model failed"
    assert capsys.readouterr().out == ""


def test_an_ais_bench_that_hangs_is_no_verdict(stand_ins, monkeypatch, caplog):
    monkeypatch.setattr(ais_bench_command, "START_SECONDS", 1)
    monkeypatch.setattr(ais_bench_command, "VIEW_SECONDS", 0)
    stand_ins.add("python", "if arguments[0] == '-m': time.sleep(60)")
    assert check() == 2
    assert error_of(caplog) == "python did not end within 1 s and was ended: it printed nothing"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "print('[ERROR] acl init failed')",
            "wrote no result of 30 views, as of prep/0_0.npy: [ERROR] acl init failed",
        ),
        (
            ais_bench().replace("in paths:", "in paths[1:]:"),
            "wrote no result of 1 view, as of prep/0_0.npy: NPU_compute",
        ),
    ],
)
def test_results_that_are_missing_are_no_verdict(body, message, stand_ins, caplog, capsys):
    stand_ins.add("python", body)
    assert check() == 2
    assert error_of(caplog).startswith(f"ais_bench {message}")
    assert capsys.readouterr().out == ""


def test_results_of_another_size_are_no_verdict(stand_ins, caplog):
    stand_ins.add("python", ais_bench().replace("np.roll(rows, 0, axis=1)", "rows[:, :5]"))
    assert check() == 2
    assert "20 bytes; 9 float32 (MODEL.NUM_CLASSES) are 36" in error_of(caplog)


def test_neither_a_session_nor_a_command_line(stand_ins, caplog):
    stand_ins.add("python", "sys.exit('No module named ais_bench')")
    assert check() == 2
    assert "`python` on PATH cannot run ais_bench (No module named ais_bench)" in error_of(caplog)


def test_float16_views(stand_ins, capsys):
    Path("half").mkdir()
    for path in Path("prep").glob("*.npy"):
        np.save(Path("half") / path.name, np.load(path).astype(np.float16))
    stand_ins.add("python", ais_bench())
    options = ["--model", "small.onnx", "--om", "small_bs8.om", "--input", "half"]
    assert x3d_npu.main(["check", *options]) == 0
