"""x3d_npu.py convert with a stand-in of ATC: an .om is whole and recorded, or does not exist."""

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from onnx import TensorProto

import x3d_npu
from test import npu_texts
from test.helpers import ROOT, error_of
from test.made_up_onnx import write_onnx
from test.test_tools import assert_ended, wait_for_pids
from x3d.network.model_file import read_model
from x3d.pipeline import npu_convert

RECIPE = (
    "atc --framework=5 --model=x3d_s.onnx --output=x3d_s_bs8 --input_format=NCHW --input_shape=image:8,3,13,182,182 "
    "--log=error --soc_version=Ascend310P3 --precision_mode=allow_mix_precision"
)
ATC = f"""
options = dict(word.removeprefix("--").split("=", 1) for word in arguments)
batch_size = int(options["input_shape"].removeprefix("image:").split(",")[0])
open("fusion_result.json", "w").write("[]")
os.mkdir(f"kernel_meta_{{batch_size}}")
def write(content=b"IMOD\\0" + bytes([batch_size]) + open(options["model"], "rb").read()):
    open(options["output"] + ".om", "wb").write(content)
def succeed():
    sys.stdout.write({npu_texts.ATC_SUCCESS!r})
"""
"""As ATC does, it reads the model, and leaves files in the current folder."""
CONVERTS = f"{ATC}write(); succeed()"
FAILS_AT_4 = f"""{ATC}write()
if batch_size == 4: sys.stdout.write({npu_texts.ATC_FAILURES["EZ3003"]!r}); sys.exit(1)
succeed()"""


@pytest.fixture(autouse=True)
def _work(tmp_path, monkeypatch, stand_ins):
    """A folder with an exported model, and no CANN."""
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "x3d_s.onnx")
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)


def convert(*more):
    return x3d_npu.main(["convert", "--model", "x3d_s.onnx", "--soc", "310P3", "--output", "om", *more])


def names():
    return sorted(os.listdir("om"))


def test_every_batch_size(stand_ins, capsys, caplog):
    caplog.set_level("INFO")
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "1,8") == 0
    how = "x3d_s.onnx (Ascend310P3, allow_mix_precision, float32 input)"
    assert f"2 batch sizes (1, 8); {how}; output om" in caplog.messages
    assert capsys.readouterr().out == "om/x3d_s_bs1.om\nom/x3d_s_bs8.om\n"
    assert names() == [f"x3d_s_bs{size}{end}" for size in (1, 8) for end in (".json", ".om", "_atc.log")]
    assert shlex.join(stand_ins.calls[1]) == RECIPE
    assert Path("om/x3d_s_bs8_atc.log").read_text() == npu_texts.ATC_SUCCESS
    assert Path("om/x3d_s_bs8.om").read_bytes() == b"IMOD\0\x08" + Path("x3d_s.onnx").read_bytes()
    assert sorted(os.listdir()) == ["om", "stand_ins", "x3d_s.onnx"]


def test_the_record(stand_ins, tmp_path, monkeypatch):
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "ascend_toolkit_install.info").write_text("version=8.0.RC2\n")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "latest"))
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "8", "--precision_mode", "mixed_float16", "--input_fp16_nodes", "image") == 0
    content = json.loads(Path("om/x3d_s_bs8.json").read_text())
    assert content.pop("seconds") >= 0
    assert content.pop("x3d_eval")
    assert content == {
        "batch_size": 8,
        "cann": "8.0.RC2",
        "command": RECIPE.replace("mode=allow_mix_precision", "mode_v2=mixed_float16 --input_fp16_nodes=image"),
        "input_dtype": "float16",
        "om_digest": read_model("om/x3d_s_bs8.om").digest,
        "onnx_digest": read_model("x3d_s.onnx").digest,
        "precision_mode": "mixed_float16",
        "soc": "Ascend310P3",
    }


def test_a_batch_size_that_fails_does_not_stop_the_others(stand_ins, caplog, capsys):
    stand_ins.add("atc", FAILS_AT_4)
    assert convert("--batchsize", "1,4,8") == 1
    assert capsys.readouterr().out == "om/x3d_s_bs1.om\nom/x3d_s_bs8.om\n"
    assert [name for name in names() if "bs4" in name] == ["x3d_s_bs4_atc.log"]
    assert error_of(caplog) == (
        "1 conversion failed; repeat with --batchsize 4\n"
        "batch size 4: atc failed with exit status 1: EZ3003: No supported Ops kernel and engine are found for "
        "[AddDsl], optype [AddDsl]. (the chip has no such operator; check --soc, and that the operators of that chip "
        "are installed); log: om/x3d_s_bs4_atc.log"
    )
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "4") == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"{ATC}succeed()", "atc succeeded and wrote no x3d_s_bs8.om: ATC start working"),
        (f"{ATC}write(b''); succeed()", "atc succeeded and wrote no usable x3d_s_bs8.om: "),
        (f"{ATC}write(b'<html>'); succeed()", "atc succeeded and wrote no usable x3d_s_bs8.om: "),
        (f"{ATC}os.mkdir(options['output'] + '.om'); succeed()", "atc succeeded and wrote no x3d_s_bs8.om: "),
        (f"{ATC}write()", "atc printed no 'ATC run success': it printed nothing; log: om/x3d_s_bs8_atc.log"),
        (rf"{ATC}write(); os.write(1, b'\xff\x1b[2J\n'); sys.exit(0)", r"'ATC run success': \xff\x1b[2J; log: om/"),
        (f"{ATC}write(); succeed(); sys.exit(3)", "atc failed with exit status 3: ATC start working"),
        (f"{ATC}write(); os.kill(os.getpid(), signal.SIGSEGV)", "atc was ended by signal 11 (Segmentation fault): "),
    ],
)
def test_atc_that_fails(stand_ins, caplog, capsys, body, message):
    stand_ins.add("atc", body)
    assert convert("--batchsize", "8") == 1
    assert message in error_of(caplog)
    assert capsys.readouterr().out == ""
    assert names() == ["x3d_s_bs8_atc.log"]


def test_atc_that_hangs(stand_ins, caplog, monkeypatch):
    monkeypatch.setattr(npu_convert, "TIMEOUT_SECONDS", 1)
    stand_ins.add("atc", f"{ATC}write(); print('converting', flush=True); time.sleep(60)")
    assert convert("--batchsize", "8") == 1
    assert "atc did not end within 1 s and was ended: converting; log: om/x3d_s_bs8_atc.log" in error_of(caplog)
    assert names() == ["x3d_s_bs8_atc.log"]


def test_a_missing_atc(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert convert() == 2
    assert error_of(caplog).startswith("atc is not on PATH; run `source /usr/local/Ascend/ascend-toolkit/set_env.sh`")
    assert not Path("om").exists()


def test_an_atc_of_another_machine(stand_ins, caplog):
    stand_ins.add("atc")
    (stand_ins.folder / "atc").write_bytes(b"\x7fELF no executable")
    assert convert() == 2
    assert "stand_ins/atc cannot be started: Exec format error" in error_of(caplog)
    assert not Path("om").exists()


@pytest.mark.parametrize("used", ["x3d_s_bs8.om", "x3d_s_bs8.json"])
def test_a_used_name_is_refused_before_anything_starts(stand_ins, caplog, used):
    stand_ins.add("atc", CONVERTS)
    Path("om").mkdir()
    Path("om", used).write_text("mine")
    assert convert("--batchsize", "1,8") == 2
    assert error_of(caplog) == (
        f"om/{used} would be replaced; give another --output, or other batch sizes with --batchsize"
    )
    assert (names(), stand_ins.calls) == ([used], [])
    assert Path("om", used).read_text() == "mine"


def test_files_of_the_user_stay(stand_ins):
    stand_ins.add("atc", CONVERTS)
    Path("kernel_meta_8").mkdir()
    assert convert("--batchsize", "8", "--output", ".") == 0
    assert sorted(name for name in os.listdir() if "bs8" not in name) == ["kernel_meta_8", "stand_ins", "x3d_s.onnx"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a_stop_during_atc_leaves_what_was_converted(stand_ins, tmp_path, monkeypatch, number, status):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    waits = "print(os.getpid(), file=open(os.environ['PIDS'], 'w'), flush=True); time.sleep(60)"
    stand_ins.add("atc", f"{ATC}write()\nif batch_size == 8: {waits}\nsucceed()")
    for first, left in (("", None), ("1,", ["x3d_s_bs1.json", "x3d_s_bs1.om", "x3d_s_bs1_atc.log"])):
        Path("pids").unlink(missing_ok=True)
        options = ["--model", "x3d_s.onnx", "--soc", "310P3", "--output", "new/om", "--batchsize", f"{first}8"]
        command = [sys.executable, str(ROOT / "x3d_npu.py"), "convert", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        pids = wait_for_pids(tmp_path / "pids")
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == status
        assert "Traceback" not in errors
        assert_ended(pids)
        assert (sorted(os.listdir("new/om")) if Path("new").exists() else None) == left


def test_two_runs_into_one_folder(stand_ins, tmp_path, caplog):
    release = "import pathlib\nwhile not pathlib.Path(os.environ['GO']).exists(): time.sleep(0.01)"
    stand_ins.add("atc", f"{ATC}write(); print('begun', flush=True)\n{release}\nsucceed()")
    options = ["--model", "x3d_s.onnx", "--soc", "310P3", "--output", "om", "--batchsize", "8"]
    go = tmp_path / "go"
    first = subprocess.Popen(
        [sys.executable, str(ROOT / "x3d_npu.py"), "convert", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GO": str(go)},
    )
    log = tmp_path / "om" / "x3d_s_bs8_atc.log"
    while not (log.exists() and log.read_text() == "begun\n"):
        assert first.poll() is None
    assert convert("--batchsize", "1") == 2
    assert re.search(r"om/.x3d_npu_convert.lock is in use by another run, which is writing there", caplog.text)
    go.touch()
    assert first.communicate(timeout=60)[0] == b"om/x3d_s_bs8.om\n"
    assert names() == ["x3d_s_bs8.json", "x3d_s_bs8.om", "x3d_s_bs8_atc.log"]


def test_a_full_disk_before_the_first_conversion(stand_ins, caplog, monkeypatch):
    def fail(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "8") == 1
    assert error_of(caplog).startswith("No space left on device: 'om/.scratch-")
    assert not Path("om").exists()


def test_a_full_disk_at_a_record(stand_ins, caplog, monkeypatch):
    def fail(path, record):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(npu_convert, "write_conversion", fail)
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "8") == 1
    assert "batch size 8: No space left on device: 'om/.scratch-" in error_of(caplog)
    assert names() == ["x3d_s_bs8_atc.log"]


def test_an_om_and_its_record_appear_both_or_none(stand_ins, caplog, monkeypatch):
    replace = os.replace

    def fail(source, target):
        if str(target) == "om/x3d_s_bs8.om":
            assert Path("om/x3d_s_bs8.json").exists()
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    stand_ins.add("atc", CONVERTS)
    assert convert("--batchsize", "1,8") == 1
    assert "batch size 8: Input/output error: 'om/x3d_s_bs8.om'" in error_of(caplog)
    assert [name for name in names() if "bs8" in name] == ["x3d_s_bs8_atc.log"]


@pytest.mark.parametrize("name", ["a b.onnx", "a,b.onnx", "-a.onnx", "a\x1b.onnx", "a'.onnx"])
def test_a_name_that_atc_does_not_take(stand_ins, caplog, name):
    stand_ins.add("atc", CONVERTS)
    write_onnx(Path(name))
    assert convert(f"--model={name}") == 2
    assert "ATC takes names of letters, digits" in error_of(caplog)
    assert not Path("om").exists()


def test_a_folder_that_atc_would_not_take(stand_ins):
    stand_ins.add("atc", CONVERTS)
    Path("my models").mkdir()
    write_onnx(Path("my models/x3d_s.onnx"))
    assert convert("--model", "my models/x3d_s.onnx", "--output", "my models", "--batchsize", "8") == 0
    assert shlex.join(stand_ins.calls[0]) == RECIPE


def test_a_model_of_a_fixed_batch_size(stand_ins, caplog):
    stand_ins.add("atc", CONVERTS)
    write_onnx(Path("x3d_s.onnx"), (8, 3, 13, 182, 182))
    assert convert("--batchsize", "4") == 2
    assert "the model has the fixed batch size 8" in error_of(caplog)
    assert convert() == 0
    assert shlex.join(stand_ins.calls[0]) == RECIPE


def test_a_model_that_takes_float16(stand_ins):
    stand_ins.add("atc", CONVERTS)
    write_onnx(Path("x3d_s.onnx"), element=TensorProto.FLOAT16)
    assert convert("--batchsize", "8") == 0
    assert json.loads(Path("om/x3d_s_bs8.json").read_text())["input_dtype"] == "float16"


def test_a_folder_that_cannot_be_created(stand_ins, caplog):
    stand_ins.add("atc", CONVERTS)
    assert convert("--output", "x3d_s.onnx/om") == 2
    assert error_of(caplog) == "--output x3d_s.onnx/om: Not a directory; give another folder"
