"""x3d_npu.py check: a conversion that changes the scores fails, a harmless one passes, views too few decide nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import x3d_npu
from test import ais_bench_session
from test.ais_bench_session import Change
from test.helpers import ROOT, error_of
from test.test_tools import SLEEPS_WITH_CHILD, assert_ended, wait_for_pids
from x3d.ascend import tools
from x3d.network.model_file import read_model
from x3d.pipeline import ais_bench_command
from x3d.pipeline.npu_check import spread
from x3d.storage.conversion_record import ConversionRecord, write_conversion


def check(*more: str) -> int:
    options = {"--model": "small.onnx", "--om": "small_bs8.om", "--input": "prep"}
    options |= dict(zip(more[::2], more[1::2], strict=True))
    return x3d_npu.main(["check", *(word for option in options.items() for word in option)])


def rolled(rows: np.ndarray) -> np.ndarray:
    return np.roll(rows, 1, axis=1)


def noisy(rows: np.ndarray) -> np.ndarray:
    powers = rows * np.exp(np.random.default_rng(7).normal(0, 3, rows.shape))
    return powers / powers.sum(axis=1, keepdims=True)


def rounded(rows: np.ndarray) -> np.ndarray:
    return rows.astype(np.float16)


def flattened(rows: np.ndarray) -> np.ndarray:
    """Keep the best class, with another probability."""
    return 0.5 * rows + 0.5 / rows.shape[1]


def unnormalised(rows: np.ndarray) -> np.ndarray:
    return 2 * rows


def overflown(rows: np.ndarray) -> np.ndarray:
    return rows * np.float32(np.inf)


@pytest.mark.parametrize(
    ("change", "status", "verdict"),
    [
        (rolled, 1, "FAIL"),
        (noisy, 1, "FAIL"),
        (overflown, 1, "FAIL"),
        (unnormalised, 1, "FAIL"),
        (rounded, 0, "PASS"),
        (flattened, 3, "UNDECIDED"),
    ],
)
def test_the_verdict_of_a_conversion(change: Change, status, verdict, conversion, monkeypatch, capsys, caplog):
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    ais_bench_session.install(monkeypatch, Path("small.onnx"), change)
    assert check() == status
    line = json.loads(capsys.readouterr().out)
    assert (line["verdict"], line["num_views"]) == (verdict, 30)
    assert (line["min_agreement_percent"], line["max_allowed_difference"]) == (99, 0.02)
    assert "X3D_POSTPROCESS" not in caplog.text
    if change is overflown:
        assert (line["num_unusable"], line["max_difference"]) == (30, None)
        assert "the output of 30 views holds scores that are not finite" in caplog.text
    assert "at least 99 % are needed" in caplog.text
    how = "small.onnx (openvino, CPU, f32, batch size 8) and small_bs8.om (ais_bench, NPU 0)"
    assert f"30 views of prep; {how}" in caplog.messages
    assert caplog.messages[-2].startswith(f"{verdict}: the ")
    why = "UNDECIDED: the best classes agree, and a probability differs by more than 0.02, which more views do not"
    assert (why in caplog.text) == (verdict == "UNDECIDED")
    assert caplog.records[-1].getMessage() == (
        "verdict on all views, with the results of ais_bench in result_bs8\n"
        "python x3d_infer.py --model small.onnx --input prep --output ./ --output_dirname result_onnx\n"
        "python x3d_compare.py --cfg CFG --reference result_onnx --candidate result_bs8"
    )


def test_thresholds_are_options(conversion, monkeypatch, capsys, caplog):
    ais_bench_session.install(monkeypatch, Path("small.onnx"), flattened)
    assert check("--max_difference", "0.5") == 0
    assert "at most 0.5 is allowed" in caplog.text
    ais_bench_session.install(monkeypatch, Path("small.onnx"), rolled)
    assert check("--min_agreement", "0.001", "--max_difference", "1") == 3
    assert "UNDECIDED: 30 views are too few for PASS or FAIL; raise --num_views" in caplog.text
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["min_agreement_percent"] == 0.001


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_any_batch_size_and_device(batch_size, conversion, monkeypatch, capsys):
    devices = ais_bench_session.install(monkeypatch, Path("small.onnx"), batch_size=batch_size)
    assert check("--num_views", "21", "--device", "3") == 0
    assert devices == [3]
    line = json.loads(capsys.readouterr().out)
    assert line["num_views"] == line["num_agreeing"] == 21


def test_a_reference_of_a_fixed_batch_size(conversion, monkeypatch, small_cfg, caplog):
    import onnx

    model = onnx.load("small.onnx")
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 7
    del model.metadata_props[:]
    onnx.save(model, "fixed.onnx")
    ais_bench_session.install(monkeypatch, Path("small.onnx"))
    assert check("--model", "fixed.onnx") == 0, caplog.text


def float16_views(conversion: Path, folder: str) -> None:
    """Write the views as float16, without the manifest, which records another type."""
    (conversion / folder).mkdir()
    for path in (conversion / "prep").glob("*.npy"):
        np.save(conversion / folder / path.name, np.load(path).astype(np.float16))


def test_float16_views_for_an_om_that_takes_float16(conversion, monkeypatch, caplog):
    float16_views(conversion, "half")
    ais_bench_session.install(monkeypatch, Path("small.onnx"), dtype="float16")
    assert check("--input", "half") == 0
    assert "half: no manifest.json beside the views, so their values are not checked" in caplog.text


def test_views_of_another_type_than_the_om_takes(conversion, monkeypatch, caplog):
    ais_bench_session.install(monkeypatch, Path("small.onnx"), dtype="float16")
    assert check() == 2
    assert error_of(caplog) == (
        "small_bs8.om takes float16 and the views are float32: ais_bench would cut each in two, in silence; make "
        "views with X3D_PREPROCESS.DTYPE float16, or convert the model without --input_fp16_nodes"
    )
    caplog.clear()
    float16_views(conversion, "half")
    ais_bench_session.install(monkeypatch, Path("small.onnx"))
    assert check("--input", "half") == 2
    assert "small_bs8.om takes float32 and the views are float16: ais_bench would not run them" in error_of(caplog)


def test_a_damaged_view_is_no_verdict(conversion, monkeypatch, caplog):
    (conversion / "prep").unlink()
    shutil.copytree((Path(conversion / "small.onnx").resolve().parent) / "prep", conversion / "prep")
    for path in (conversion / "prep").glob("*.npy"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    ais_bench_session.install(monkeypatch, Path("small.onnx"))
    assert check() == 2
    assert "has other values than x3d_preprocess.py wrote" in error_of(caplog)


def test_an_engine_that_fails_is_no_verdict(conversion, monkeypatch, caplog, capsys):
    ais_bench_session.install(monkeypatch, Path("small.onnx"), lambda rows: 1 / 0)
    assert check() == 2
    assert "engine ais_bench failed on NPU: division by zero" in error_of(caplog)
    assert capsys.readouterr().out == ""


def test_an_ais_bench_that_hangs_is_no_verdict(conversion, stand_ins, tmp_path, monkeypatch, caplog, capsys):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setitem(sys.modules, "ais_bench", None)
    monkeypatch.setattr(ais_bench_command, "START_SECONDS", 3)
    monkeypatch.setattr(ais_bench_command, "VIEW_SECONDS", 0)
    monkeypatch.setattr(tools, "GRACE_SECONDS", 0.5)
    loads = "print('[INFO] load model', flush=True)"
    stand_ins.add("python", f"if arguments[0] == '-c': sys.exit()\n{loads}\n{SLEEPS_WITH_CHILD}")
    assert check() == 2
    assert error_of(caplog) == "python did not end within 3 s and was ended: [INFO] load model"
    assert capsys.readouterr().out == ""
    assert_ended(wait_for_pids(tmp_path / "pids"))
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_while_the_session_opens_leaves_nothing(conversion, tmp_path, number, status):
    interface = tmp_path / "modules" / "ais_bench" / "infer" / "interface.py"
    interface.parent.mkdir(parents=True)
    for folder in (interface.parent, interface.parent.parent):
        (folder / "__init__.py").touch()
    interface.write_text(
        "import os, time\n"
        "def InferSession(device, path):\n"
        "    print(os.getpid(), file=open(os.environ['PIDS'], 'w'), flush=True)\n"
        "    time.sleep(300)\n"
    )
    (tmp_path / "temporary").mkdir()
    paths = {"PYTHONPATH": tmp_path / "modules", "TMPDIR": tmp_path / "temporary", "PIDS": tmp_path / "pids"}
    options = ["--model", "small.onnx", "--om", "small_bs8.om", "--input", "prep"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "x3d_npu.py"), "check", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **{name: str(path) for name, path in paths.items()}},
        start_new_session=True,
    )
    wait_for_pids(tmp_path / "pids")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (status, False)
    assert not list((tmp_path / "temporary").iterdir())


def test_an_om_of_another_network(conversion, monkeypatch, caplog):
    from test.made_up_onnx import write_onnx

    write_onnx(conversion / "x3d_s.onnx")
    ais_bench_session.install(monkeypatch, conversion / "x3d_s.onnx")
    assert check() == 2
    assert "returns 3 classes, small.onnx (3, 4, 40, 40) and 9: it was converted from another model" in error_of(caplog)


@pytest.mark.parametrize(("gain", "text"), [(0.0, "the same scores for every view"), (np.nan, "neither prob")])
def test_a_model_whose_outputs_judge_nothing(gain, text, conversion, monkeypatch, caplog):
    import onnx

    model = onnx.load("small.onnx")
    for constant in model.graph.initializer:
        if constant.data_type == onnx.TensorProto.FLOAT:
            values = gain * onnx.numpy_helper.to_array(constant)
            constant.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), constant.name))
    del model.metadata_props[:]
    onnx.save(model, "flat.onnx")
    ais_bench_session.install(monkeypatch, Path("flat.onnx"))
    assert check("--model", "flat.onnx") == 2
    assert f"flat.onnx returns {text}" in error_of(caplog)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--om", "small.onnx"], "give the .onnx and the .om that ATC made of it"),
        (["--model", "small_bs8.om"], "give the .onnx and the .om that ATC made of it"),
        (["--min_agreement", "101"], "a share in percent"),
        (["--min_agreement", "nan"], "a share in percent"),
        (["--max_difference", "-1"], "at least 0"),
        (["--max_difference", "nan"], "at least 0"),
        (["--input", "none"], "--input none does not exist; give a folder of views"),
        (["--input", "few"], "--input few holds 3 views; 20 are needed"),
        (["--om", "none.om"], "none.om does not exist"),
        (["--model", "none.onnx"], "none.onnx does not exist"),
    ],
)
def test_wrong_options(more, message, conversion, monkeypatch, caplog, capsys):
    (conversion / "few").mkdir()
    for number in range(3):
        np.save(conversion / "few" / f"{number}_0.npy", np.zeros((1, 3, 4, 40, 40), np.float32))
    ais_bench_session.install(monkeypatch, Path("small.onnx"))
    assert check(*more) == 2
    assert message in error_of(caplog)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--num_views", "19"], "--num_views: a number from 20 to 100000 is expected: '19'"),
        (["--device", "0,1"], "--device: a number from 0 to 100000 is expected: '0,1'"),
    ],
)
def test_wrong_numbers(more, message, conversion, capsys):
    with pytest.raises(SystemExit, match="2"):
        check(*more)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("digest", "status"), [("", 0), ("another", 2)])
def test_the_record_of_the_conversion_names_the_model(digest, status, conversion, monkeypatch, caplog):
    record = ConversionRecord(
        command="atc",
        cann="6.0.RC1",
        soc="Ascend310P3",
        precision_mode="allow_mix_precision",
        input_dtype="float32",
        batch_size=8,
        onnx_digest=digest or read_model("small.onnx").digest,
        om_digest=read_model("small_bs8.om").digest,
        seconds=1.0,
    )
    write_conversion(Path("small_bs8.om"), record)
    ais_bench_session.install(monkeypatch, Path("small.onnx"))
    assert check() == status
    if status:
        assert (
            "small_bs8.om was converted from another model than small.onnx, as the record beside it shows"
            in error_of(caplog)
        )


@pytest.mark.parametrize(("num_paths", "num"), [(1000, 20), (6000, 200), (30, 200), (21, 20), (20, 20)])
def test_views_are_spread_over_the_folder(num_paths, num):
    paths = [str(number) for number in range(num_paths)]
    chosen = [int(path) for path in spread(paths, num)]
    assert len(set(chosen)) == len(chosen) == min(num, num_paths)
    assert chosen == sorted(chosen) == [int(path) for path in spread(paths, num)]
    gaps = np.diff([-1, *chosen, num_paths])
    assert gaps.max() <= 2 * -(-num_paths // num)


def test_the_views_of_many_videos_are_not_all_of_one_crop():
    chosen = [int(path) for path in spread([str(number) for number in range(6000)], 200)]
    assert len({number % 30 for number in chosen}) > 25
