"""x3d_npu.py with stand-ins of npu-smi, ATC and ais_bench on PATH."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from onnx import TensorProto

import x3d_npu
from test import npu_texts
from test.helpers import error_of
from test.made_up_onnx import write_onnx


@pytest.fixture(autouse=True)
def _work(tmp_path, monkeypatch, stand_ins):
    """A folder with an exported model of X3D-S's shape, and no CANN."""
    write_onnx(tmp_path / "x3d_s.onnx")
    monkeypatch.chdir(tmp_path)
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)


def plan(*more):
    return x3d_npu.main(["plan", "--model", "x3d_s.onnx", *more])


def test_the_chip_is_found(stand_ins, capsys):
    stand_ins.prints("npu-smi", npu_texts.DUO_310P)
    assert plan("--batchsize", "8") == 0
    assert stand_ins.calls == [["npu-smi", "info"]]
    out = capsys.readouterr().out
    assert out.count("--soc_version=Ascend310P3 --precision_mode=allow_mix_precision") == 1
    assert "--cfg X3D_S " in out


def test_a_given_chip_is_not_looked_for(stand_ins, capsys):
    stand_ins.prints("npu-smi", npu_texts.DUO_310P)
    assert plan("--soc", "910B4", "--precision_mode", "mixed_bfloat16") == 0
    assert stand_ins.calls == []
    assert capsys.readouterr().out.count("--soc_version=Ascend910B4 --precision_mode_v2=mixed_bfloat16") == 6


@pytest.mark.parametrize("name", ["910B4-1", "Ascend910B4-1"])
def test_a_chip_with_a_hyphen(name, stand_ins, capsys):
    stand_ins.prints("npu-smi", npu_texts.HYPHEN_910B)
    for more in ([], ["--soc", name]):
        assert plan("--batchsize", "8", *more) == 0
        assert "--soc_version=Ascend910B4-1 --precision_mode=" in capsys.readouterr().out


def test_an_unhealthy_chip_is_reported(stand_ins, capsys, caplog):
    stand_ins.prints("npu-smi", npu_texts.ALARM_310B)
    assert plan() == 0
    assert "NPU 0, chip 0 (310B4) is in state Alarm" in caplog.text
    assert "--soc_version=Ascend310B4" in capsys.readouterr().out


TWO_KINDS = npu_texts.DUO_310P.replace("| 5       310P3", "| 5       310P1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"sys.stdout.write({TWO_KINDS!r})", "this machine has Ascend310P1 and Ascend310P3; give --soc"),
        (f"sys.stdout.write({npu_texts.WARNING_910_93!r})", "Ascend910, which is no SoC version"),
        (f"sys.stdout.write({npu_texts.RECIPE[:700]!r})", "the table of npu-smi cannot be read at '.*; or give --soc"),
        ("os.write(1, bytes(range(128, 256)))", r"npu-smi printed '\\x80.*and no table of chips; .*; or give --soc"),
        (
            "print('dcmi module initialize failed. ret is -8005'); sys.exit(1)",
            r"failed \(dcmi module.*check driver and perm",
        ),
    ],
)
def test_npu_smi_that_shows_no_chip(stand_ins, caplog, body, message):
    stand_ins.add("npu-smi", body)
    assert plan() == 2
    assert re.search(message, error_of(caplog))


def test_npu_smi_that_is_missing(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert plan() == 2
    assert error_of(caplog).startswith("npu-smi is not on PATH; install the driver")


def test_npu_smi_that_hangs(stand_ins, monkeypatch, caplog):
    monkeypatch.setattr("x3d.ascend.chips.TIMEOUT_SECONDS", 1)
    stand_ins.add("npu-smi", "time.sleep(60)")
    assert plan() == 2
    assert error_of(caplog) == (
        "npu-smi did not end within 1 s and was ended: it printed nothing; check it with `npu-smi info`; or give "
        "--soc, such as 310P3"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--soc", "310P"], "--soc 310P names a family of chips; give one that `npu-smi info` shows, as 310P3"),
        (["--soc", "x; rm -rf"], "--soc 'x; rm -rf': a name as `npu-smi info` shows it is expected, such as 310P3"),
        (["--soc", "910b4"], "--soc '910b4': a name as `npu-smi info` shows it is expected"),
        (
            ["--soc", "310P3", "--precision_mode", "bf16"],
            "--precision_mode bf16: Ascend310P3 has allow_mix_precision, ",
        ),
        (
            ["--soc", "310P3", "--cfg", "X3D_M"],
            "x3d_s.onnx takes views of (3, 13, 182, 182), and --cfg X3D_M describes",
        ),
        (["--soc", "310P3", "--input_fp16_nodes", "input"], "--input_fp16_nodes 'input': the model's input is 'image'"),
        (["--soc", "310P3", "--input", "a\x1bb"], "holds control characters"),
        (["--soc", "310P3", "--model", "missing.onnx"], "model missing.onnx does not exist"),
        (["--soc", "310P3", "--model", "x3d_s.om"], "model x3d_s.om: ATC converts an .onnx"),
    ],
)
def test_wrong_options(more, message, caplog, capsys):
    assert plan(*more) == 2
    assert message in error_of(caplog)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("sizes", ["", "0", "1,,4", "a", "1,1", "-1", "1.5", "²"])
def test_wrong_batch_sizes(sizes, capsys):
    with pytest.raises(SystemExit) as ended:
        plan("--soc", "310P3", "--batchsize", sizes)
    assert ended.value.code == 2
    assert "argument --batchsize: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shape", "element", "message"),
    [
        (("N", 3, 13, "H", 182), TensorProto.FLOAT, "has the input image float32 (?, 3, 13, ?, 182); one input"),
        (("N", 3, 13, 182, 182), TensorProto.DOUBLE, "has the input image float64"),
    ],
)
def test_a_model_with_another_input(shape, element, message, tmp_path, caplog):
    write_onnx(tmp_path / "x3d_s.onnx", shape, element=element)
    assert plan("--soc", "310P3") == 2
    assert message in error_of(caplog)


def test_a_model_of_a_fixed_batch_size(tmp_path, capsys, caplog):
    write_onnx(tmp_path / "x3d_s.onnx", (8, 3, 13, 182, 182))
    assert plan("--soc", "310P3") == 0
    assert capsys.readouterr().out.count("atc ") == 1
    assert plan("--soc", "310P3", "--batchsize", "4") == 2
    assert "the model has the fixed batch size 8" in error_of(caplog)


def test_the_modes_of_the_installed_version_are_offered(tmp_path, monkeypatch, caplog):
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "ascend_toolkit_install.info").write_text("version=6.0.RC1\n")
    (tmp_path / "set_env.sh").touch()
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "latest"))
    assert plan("--soc", "310P3", "--precision_mode", "origin") == 2
    assert "Ascend310P3 with CANN 6.0.RC1 has allow_mix_precision, force_fp16, " in error_of(caplog)


def test_an_unknown_version_of_cann_is_not_a_missing_one(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    assert plan("--soc", "310P3") == 0
    assert "CANN is not installed here; precision modes" in caplog.text
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))
    assert plan("--soc", "310P3", "--precision_mode", "origin") == 0
    assert f"the version of CANN in {tmp_path} is unknown; precision modes" in caplog.text


@pytest.mark.parametrize(
    ("name", "warns"),
    [("my models/x3d.onnx", True), ("models (1)/x3d.onnx", True), ("\u6a21\u578b/x3d-s.v2.onnx", False)],
)
def test_a_path_that_atc_does_not_take_is_reported(name, warns, capsys, caplog):
    write_onnx(Path(name))
    assert plan("--soc", "310P3", "--model", name) == 0
    assert (f"--model '{name}': ATC takes paths of letters" in caplog.text) == warns
    assert "x3d_npu.py check" in capsys.readouterr().out


def test_a_script_is_printed_alone(capsys):
    assert plan("--soc", "310P3", "--shell") == 0
    out = capsys.readouterr().out
    assert out.startswith("#!/usr/bin/env bash\n")
    assert out.endswith('done\nexit "$status"\n')


def test_the_suite_is_run_with_this_python_where_another_is_first_on_the_path(stand_ins, monkeypatch, capsys):
    for path, python in ((os.path.dirname(sys.executable), "python"), (stand_ins.folder, sys.executable)):
        monkeypatch.setenv("PATH", str(path))
        assert plan("--soc", "310P3", "--batchsize", "8") == 0
        assert re.findall(r"^(\S+) x3d_\w+.py ", capsys.readouterr().out, flags=re.MULTILINE) == [python] * 4
    assert plan("--soc", "310P3", "--shell") == 0
    assert capsys.readouterr().out.count(f'"${{X3D_PYTHON:-{sys.executable}}}" x3d_') == 4


def test_record(stand_ins, tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    for tool in ("npu-smi", "atc", "python"):
        stand_ins.prints(tool, npu_texts.RECIPE)
    assert x3d_npu.main(["record", "--output", "record.json"]) == 0
    assert capsys.readouterr().out == "record.json\n"
    assert "serial numbers" in caplog.text
    assert len(json.loads((tmp_path / "record.json").read_text())["commands"]) == 13


def test_a_record_without_the_tools(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert x3d_npu.main(["record", "--output", "record.json"]) == 1
    assert "9 of 9 commands failed\nnpu-smi -v: npu-smi is not on PATH" in caplog.text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--output", ""], "--output '' names no file"),
        (["--output", "."], "--output '.' names no file"),
        (["--output", "no/record.json"], "record.json cannot be written in"),
        (["--output", "x3d_s.onnx"], "x3d_s.onnx is no file of this suite and would be replaced"),
        (["--output", "record.json", "--om", "x3d_s_bs8.om"], "--om x3d_s_bs8.om does not exist"),
    ],
)
def test_wrong_options_of_record(more, message, caplog):
    assert x3d_npu.main(["record", *more]) == 2
    assert message in error_of(caplog)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["plna"], "invalid choice: 'plna'"),
        (["plan", "--modle", "x"], "unrecognized arguments: --modle; the nearest option is --model"),
        (["plan"], "the following arguments are required: --model"),
    ],
)
def test_wrong_command_lines(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        x3d_npu.main(argv)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
