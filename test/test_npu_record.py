"""The record holds what the tools print, and neither names nor paths of a person or a machine."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from test import npu_texts
from test.helpers import ROOT
from test.test_tools import assert_ended, wait_for_pids
from x3d.ascend.npu_smi import parse_info
from x3d.errors import InputError
from x3d.pipeline import npu_record
from x3d.pipeline.npu_record import Mask, record

BOARD = """\
        NPU ID                         : 24
        Product Name                   : IT21PDDA01
        Serial Number                  : 2106030700ZEM3000042
        Chip Count                     : 1
        Firmware Version               : 1.84.15.1.310
        VDie ID                        : 0A1B2C3D
"""


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user, a host and a home of their own, and no tool but Python's."""
    home = tmp_path / "home" / "li.wei"
    (home / "project x").mkdir(parents=True)
    monkeypatch.chdir(home / "project x")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "liwei")
    monkeypatch.setenv("LOGNAME", "liwei")
    monkeypatch.setattr("platform.node", lambda: "bms-42.corp.example")
    monkeypatch.setenv("PATH", str(tmp_path / "no_tools"))
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(npu_record, "ROOT", tmp_path / "Ascend")


def outputs(content):
    return {one["command"]: (one["exit_status"], "\n".join(one["output"])) for one in content["commands"]}


def add_tools(stand_ins):
    stand_ins.add(
        "npu-smi",
        f"table, board = {npu_texts.IDLE_310P!r}, {BOARD!r}\n"
        "sys.stdout.write(table if arguments == ['info'] else board if 'board' in arguments else '')",
    )
    stand_ins.prints("atc", "usage: /home/li/atc of liwei on bms-42\n  --precision_mode_v2 mode\n")
    stand_ins.prints("python", "Python 3.11.9\n")


def test_all_tools(stand_ins, tmp_path):
    add_tools(stand_ins)
    content = record(tmp_path / "record.json")
    assert json.loads((tmp_path / "record.json").read_text()) == content
    found = outputs(content)
    assert parse_info(found["npu-smi info"][1])[0].npu == 24
    assert found["python --version"] == (0, "Python 3.11.9")
    assert "--precision_mode_v2 mode" in found["atc --help"][1]
    assert [word for call in stand_ins.calls for word in call if word.startswith("--model=")] == [
        "--model=missing.onnx"
    ]
    board = ["npu-smi", "info", "-t", "board", "-i", "24"]
    assert [call for call in stand_ins.calls if "board" in call] == [board, [*board, "-c", "0"]]
    assert content["about"] == npu_record.ABOUT
    assert content["system"]["machine"]


def test_nothing_private_is_recorded(stand_ins, tmp_path, monkeypatch):
    home = str(tmp_path / "home" / "li.wei")
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", f"{home}/Ascend/latest")
    Path(home, "Ascend", "latest", "x-linux").mkdir(parents=True)
    info = f"version=8.1.RC1\npath={home}/Ascend/8.1.RC1\n"
    Path(home, "Ascend", "latest", "x-linux", "ascend_toolkit_install.info").write_text(info)
    add_tools(stand_ins)
    stand_ins.prints("atc", f'{home}/x.py {home}: "{home}/a" bms-42.corp.example bms-42 liwei@bms-42\n')
    text = json.dumps(record(tmp_path / "record.json"))
    for private in (home, "li.wei", "project x", "liwei", "bms-42", "corp.example", "2106030700ZEM3000042", "0A1B2C3D"):
        assert private not in text, private
    content = json.loads(text)
    assert outputs(content)["atc --help"][1] == '<home> <home>: "<home>" <host> <host> <user>@<host>'
    assert "Serial Number                  : <masked>" in outputs(content)["npu-smi info -t board -i 24"][1]
    assert content["system"]["CANN"] == "8.1.RC1"
    assert content["files"]["x-linux/ascend_toolkit_install.info"] == ["version=8.1.RC1", "path=<home>"]


@pytest.mark.parametrize("name", ["info", "python", "npu-smi", "atc", "OK", "310P3", "0"])
def test_a_user_whose_name_is_a_word_of_the_tools(name, stand_ins, tmp_path, monkeypatch):
    monkeypatch.setenv("USER", name)
    monkeypatch.setenv("LOGNAME", name)
    add_tools(stand_ins)
    found = outputs(record(tmp_path / "record.json"))
    commands = ["atc --help", "npu-smi info", "npu-smi info -t board -i 24", "python -m ais_bench --help"]
    assert set(commands) <= found.keys()
    assert not re.search(rf"(?<![\w-]){name}(?![\w-])", found["npu-smi info"][1])


def test_a_home_is_masked_by_each_of_its_paths(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "link" / "li.wei"))
    monkeypatch.chdir(tmp_path)
    assert (
        Mask()(f"{tmp_path}/link/li.wei/a {tmp_path}/home/li.wei/b {tmp_path}/c") == "<home> <home> <current folder>/c"
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a_stop_leaves_nothing(stand_ins, tmp_path, monkeypatch, number, status):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    stand_ins.add("npu-smi", "print(os.getpid(), file=open(os.environ['PIDS'], 'w'), flush=True); time.sleep(60)")
    command = [sys.executable, str(ROOT / "x3d_npu.py"), "record", "--output", str(tmp_path / "record.json")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    pids = wait_for_pids(tmp_path / "pids")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (status, False)
    assert_ended(pids)
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "record.json").exists()


def test_a_name_within_a_word_is_kept():
    assert Mask()("liwei liweima bms-42x /opt/bms-42") == "<user> liweima bms-42x /opt/<host>"


def test_without_any_tool(tmp_path):
    content = record(tmp_path / "record.json")
    assert {status for status, _ in outputs(content).values()} == {None}
    assert all("is not on PATH" in text for _, text in outputs(content).values())


def test_tools_that_fail_hang_and_print_garbage(stand_ins, tmp_path, monkeypatch):
    monkeypatch.setattr(npu_record, "TIMEOUT_SECONDS", 2)
    stand_ins.prints("npu-smi", "dcmi module initialize failed. ret is -8005\n", status=1)
    stand_ins.add("atc", "print('started', flush=True); time.sleep(60)")
    stand_ins.add("python", r"os.write(1, b'\xff\x00\n')")
    found = outputs(record(tmp_path / "record.json"))
    assert found["npu-smi info"] == (1, "dcmi module initialize failed. ret is -8005")
    status, text = found["atc --help"]
    assert status is None
    assert text == "started\natc did not end within 2 s and was ended: started"
    assert found["python --version"] == (0, "\\xff\x00")


def test_a_measurement(stand_ins, tmp_path):
    add_tools(stand_ins)
    stand_ins.add(
        "python",
        "if '--loop' in arguments:\n"
        "    given = dict(zip(arguments[2::2], arguments[3::2]))\n"
        "    assert open(given['--model']).read() == 'an om'\n"
        "    assert not os.path.islink(given['--model'])\n"
        "    summary = given['--output'] + '/' + given['--output_dirname'] + '_summary.json'\n"
        "    open(summary, 'w').write('{\"throughput\": 9}')\n"
        f"    print('[INFO] load model ' + given['--model'])\n    print({npu_texts.AIS_BENCH!r})",
    )
    Path("secret customer.om").write_text("an om")
    Path("secret customer_atc.log").write_text("ATC run success on bms-42\n")
    content = record(tmp_path / "record.json", "secret customer.om")
    [(status, text)] = [found for command, found in outputs(content).items() if "--loop 20" in command]
    assert status == 0
    assert "[INFO] load model <temporary folder>/model.om" in text
    assert "[INFO] throughput 1000*batchsize.mean(64)" in text
    assert content["files"]["measured_summary.json"] == ['{"throughput": 9}']
    assert content["files"]["atc.log"] == ["ATC run success on <host>"]
    assert "secret" not in json.dumps(content)


def test_an_om_that_cannot_be_copied_is_recorded_as_such(stand_ins, tmp_path, monkeypatch):
    def fail(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    add_tools(stand_ins)
    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(shutil, "copyfile", fail)
    Path("x3d.om").touch()
    found = outputs(record(tmp_path / "record.json", "x3d.om"))
    [ran] = [one for command, one in found.items() if "--loop 20" in command]
    assert ran == (None, "--om cannot be copied: No space left on device")


def test_a_file_of_another_origin_is_kept(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes.txt is no file of this suite and would be replaced"):
        record(tmp_path / "notes.txt")
    record(tmp_path / "record.json")
    record(tmp_path / "record.json")
