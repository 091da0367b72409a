"""Exit statuses, logging and reporting of the scripts."""

import argparse
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from test.tables import score_table
from x3d import cli
from x3d.errors import InputError, RunError, ScoringError
from x3d.pipeline.summary import RunSummary
from x3d.scoring import Accuracy, measure_accuracy

ROOT = Path(__file__).parent.parent


def raise_(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InputError("no such key"), 2, "no such key"),
        (RunError("the disk is full"), 1, "the disk is full"),
        (ScoringError("not scored"), 1, "not scored"),
        (OSError(28, "No space left", "/a/b"), 1, "No space left: '/a/b'"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 4 TB"), 1, "not enough memory"),
        (ImportError("libx.so: failed to map segment from shared object"), 1, "not enough memory"),
        (ImportError("libx.so: Cannot allocate memory"), 1, "not enough memory"),
    ],
)
def test_an_error_becomes_a_status_and_a_log_line(error, status, text, caplog):
    assert cli.guarded(lambda: raise_(error)) == status
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert text in caplog.text


def test_what_an_action_returns_is_the_status():
    assert cli.guarded(lambda: 3) == 3


def run_code(action: str, shell: str = '"$@"') -> "subprocess.CompletedProcess[str]":
    """Run an action within `guarded` in a process of its own, as a shell starts it."""
    code = (
        "import logging, os, signal, sys, threading, time\nfrom x3d import cli, console, signals\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # a job in the background ignores it
        f"def action():\n{textwrap.indent(action, '    ')}\n    return 0\n"
        "console.end(cli.guarded(action))"
    )
    command = ["bash", "-c", shell, "bash", sys.executable, "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_current_folder_that_was_removed_is_named(tmp_path, monkeypatch, caplog):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.guarded(lambda: len(os.getcwd())) == 1
    assert "the current folder does not exist any more; change to another (cd)" in caplog.text


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_an_action_with_one_line(number, status):
    action = f"threading.Timer(0.2, os.kill, [os.getpid(), signal.{number}]).start()\n"
    action += "while True:\n    sys.stderr.write('x' * 5000 + '\\n')"
    ran = run_code(action)
    assert ran.returncode == status
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("[ERROR] stopped by ") == 1


def test_the_handlers_of_a_caller_are_restored():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    inside = []
    assert cli.guarded(lambda: inside.append(signal.getsignal(signal.SIGINT)) or 0) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert inside != [before[0]]


def test_another_thread_may_run_an_action():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cli.guarded, lambda: 3).result() == 3


def test_a_bug_is_reported_with_a_log_and_without_a_traceback(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.guarded(lambda: {}["key"]) == 1
    [log] = tmp_path.iterdir()
    assert re.fullmatch(rf"this is a bug of x3d-eval [\d.]+: KeyError: 'key'; log: {log}", caplog.messages[0])
    assert len(caplog.records) == 1
    assert not caplog.records[0].exc_info
    assert "Traceback" in log.read_text()
    assert "command: " in log.read_text()


def test_a_bug_is_reported_where_no_log_can_be_written(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert cli.guarded(lambda: {}["key"]) == 1
    assert "KeyError: 'key'; log: (none: No such file or directory" in caplog.text


def test_a_bug_is_reported_whatever_the_command_line_holds(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["x3d_infer.py", "\udcff\ud800"])
    assert cli.guarded(lambda: {}["\udcff"]) == 1
    assert "\\udcff" in next(tmp_path.iterdir()).read_text()
    monkeypatch.setattr(sys, "argv", [7])
    assert cli.guarded(lambda: {}["key"]) == 1
    assert "log: (none: TypeError(" in caplog.messages[1]


def test_too_deep_a_file_is_named_in_a_log(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.guarded(lambda: raise_(RecursionError("deep"))) == 1
    assert f"nested too deeply to be read; the log {next(tmp_path.iterdir())} shows which" in caplog.text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModuleNotFoundError("No module named 'fvcore'", name="fvcore"), "fvcore is missing in "),
        (ImportError("libGL.so.1: cannot open shared object file"), "libGL.so.1: cannot open shared object file in "),
    ],
)
def test_a_missing_package_is_named_with_the_python_and_the_remedy(error, text, caplog):
    assert cli.guarded(lambda: raise_(error)) == 2
    assert caplog.messages == [
        f"{text}{sys.executable}; activate the environment (. .venv/bin/activate), or install the packages "
        "(pip install -r requirements.txt)"
    ]


def test_a_script_without_its_packages_names_the_first(tmp_path):
    bare = [sys.executable, "-S", str(ROOT / "x3d_evaluate.py")]
    ran = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert re.fullmatch(r"\[ERROR\] \w+ is missing in .*; activate .*\n", ran.stderr)


def test_an_older_python_is_named():
    code = "import sys; sys.version_info = (3, 10); import x3d"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"[ERROR] Python 3.11 or newer is required; {sys.executable} is ")


PROGRESS = "from x3d.execution.progress import progress_bar\nwith progress_bar(3) as bar:\n"
PROGRESS += "    logging.warning('a line')\n    bar.update()\nconsole.print_result('result')"


@pytest.mark.parametrize("shell", ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" <&- 2>&-'])
def test_stderr_that_cannot_be_written_ends_no_run(shell):
    ran = run_code(PROGRESS, shell)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "result\n", "")


def test_a_long_line_reaches_stderr_whole():
    ran = run_code("sys.stderr.write('x' * 1_000_000 + 'é' + chr(10))")
    assert ran.stderr == "x" * 1_000_000 + "é\n"


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ('"$@" >&-', "the result cannot be printed: stdout is closed"),
        ('"$@" >/dev/full', "the result cannot be printed to stdout: No space left on device"),
        ('set -o pipefail; "$@" | true', "the result cannot be printed to stdout: Broken pipe"),
    ],
)
def test_a_result_that_cannot_be_printed_is_an_error(shell, text):
    ran = run_code("time.sleep(0.3)\nconsole.print_result('result')", shell)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"[ERROR] {text}\n")


def test_characters_that_stdout_does_not_have_are_escaped():
    ran = run_code(
        "sys.stdout.reconfigure(encoding='ascii')\nconsole.print_result(chr(0xe9) + chr(0x2588) + chr(0xdcff))"
    )
    assert (ran.returncode, ran.stdout) == (0, "\\xe9\\u2588\\udcff\n")


def test_a_result_that_cannot_be_printed_is_one_error_of_a_console_command_too():
    code = "import sys, time\nfrom x3d import cli, console\ntime.sleep(0.3)\n"
    code += "sys.exit(cli.guarded(lambda: console.print_result('result')))"
    command = ["bash", "-c", 'unset PYTHONUNBUFFERED; set -o pipefail; "$@" | true', "bash", sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (1, "[ERROR] the result cannot be printed to stdout: Broken pipe\n")


@pytest.mark.parametrize("shell", ['"$@" 2>&-', '"$@" <&- >&- 2>&-'])
def test_a_file_gets_no_number_of_a_standard_stream(shell, tmp_path):
    path = tmp_path / "data"
    run_code(
        f"file = open({str(path)!r}, 'w')\nos.write(2, b'noise')\nfile.write(str(file.fileno()))\nfile.flush()", shell
    )
    assert int(path.read_text()) > 2


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    ran = run_code(r"logging.error('a\x1b[2Jb.mp4\nnext line')")
    assert ran.stderr == "[ERROR] a\\x1b[2Jb.mp4\nnext line\n"


def test_a_name_does_not_fake_a_message():
    ran = run_code(r"logging.error('a\n[ERROR] all is well\nnext line')")
    assert ran.stderr == "[ERROR] a\\n[ERROR] all is well\nnext line\n"


@pytest.mark.parametrize(
    ("level", "shown"), [("", ["INFO", "ERROR"]), ("error", ["ERROR"]), ("nonsense", ["INFO", "ERROR"])]
)
def test_logs_go_to_stderr_from_the_level_of_the_environment(level, shown):
    code = (
        "import logging\nfrom x3d import cli\n"
        "def action():\n    logging.info('a')\n    logging.error('b')\n    return 0\n"
        "raise SystemExit(cli.guarded(action))"
    )
    environment = os.environ | {"X3D_LOG_LEVEL": level} if level else os.environ
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    texts = {"INFO": "[INFO] a", "ERROR": "[ERROR] b"}
    assert ran.stderr.splitlines() == [texts[name] for name in shown]
    assert ran.stdout == ""


@pytest.mark.parametrize(("shard_id", "num_shards"), [(3, 3), (-1, 2), (0, 0), (1, 1_000_000)])
def test_a_shard_that_does_not_exist_is_rejected(shard_id, num_shards, caplog):
    argv = [f"--shard_id={shard_id}", f"--num_shards={num_shards}"]
    assert cli.script_main("", lambda cfg, args: 0, argv, with_shards=True) == 2
    assert (
        f"--shard_id {shard_id} --num_shards {num_shards}: shards are numbered from 0 to one less than their number"
        in caplog.text
    )


def test_the_configuration_is_loaded_logged_and_passed_on(caplog):
    caplog.set_level(logging.INFO)
    seen = []

    def run(cfg: object, args: argparse.Namespace) -> int:
        seen.append((cfg, args.shard_id))
        return 1

    assert cli.script_main("", run, ["--shard_id=1", "--num_shards=2", "TEST.BATCH_SIZE", "3"], True, ("TEST",)) == 1
    assert (seen[0][0].TEST.BATCH_SIZE, seen[0][1]) == (3, 1)
    assert "TEST.BATCH_SIZE 3" in caplog.text


def test_without_flags_the_whole_list_is_one_shard_of_x3d_s():
    seen = []
    assert cli.script_main("", lambda cfg, args: seen.append((cfg, args)) or 0, [], with_shards=True) == 0
    [(cfg, args)] = seen
    assert (args.shard_id, args.num_shards, args.cfg) == (0, 1, str(ROOT / "configs" / "X3D_S.yaml"))
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.TEST_CROP_SIZE, cfg.is_frozen()) == (13, 182, True)


def test_a_script_without_shards_has_no_such_flags(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.script_main("", lambda cfg, args: 0, ["--shard_id=0"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --shard_id=0" in capsys.readouterr().err


def test_a_failure_before_logging_is_set_up_is_logged_too(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "level", logging.CRITICAL)
    assert cli.fail("no such shard") == 2
    assert logging.getLogger().level == logging.INFO
    assert "no such shard" in caplog.text


def failed(reason: str) -> dict[str, str]:
    return {"state": "failed", "reason": reason, "text": f"x.mp4: {reason}"}


def test_a_run_is_reported_with_its_failures(caplog):
    caplog.set_level(logging.INFO)
    summary = RunSummary(
        9, 4, [failed("empty"), failed("empty"), failed("damaged")], Path("m.json"), num_rotated=2, num_corrupt=1
    )
    assert (summary.num_not_reached, summary.complete) == (2, False)
    assert cli.report_run(summary) == 1
    for text in (
        "4 of 9 videos done; manifest: m.json",
        "2 videos with rotation metadata",
        "1 video with frames that the decoder marked as damaged; they are used, as in PySlowFast",
        "2 videos not reached",
        "x.mp4: damaged",
    ):
        assert text in caplog.text


def test_a_complete_run_is_status_0_and_logs_no_failures(caplog):
    caplog.set_level(logging.INFO)
    assert cli.report_run(RunSummary(9, 9, [], Path("m.json"))) == 0
    assert [record.getMessage() for record in caplog.records] == ["9 of 9 videos done; manifest: m.json"]


def accuracy(folder: str, num_missing: int = 0) -> Accuracy:
    scores = np.eye(4, 9, dtype=np.float32)
    missing = {4 + n: f"video {4 + n}: empty" for n in range(num_missing)}
    table = score_table(scores, range(4), missing, folder=folder)
    return measure_accuracy(table, allow_missing=True)


def test_an_accuracy_is_a_line_on_stdout_and_a_file_beside_the_folder(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    folder = str(tmp_path / "res") + "/"
    assert cli.report_accuracy(accuracy(folder), folder) == 0
    assert capsys.readouterr().out == '{"split": "test_final", "top1_acc": "100.00", "top5_acc": "100.00"}\n'
    assert "top-1 of the videos scored: 100.00 % (4 of 4, 95 % interval 51.01 to 100.00)" in caplog.text
    assert "listed" not in caplog.text
    assert f"counts, intervals and conditions: {tmp_path / 'res_accuracy.json'}" in caplog.text
    assert json.loads((tmp_path / "res_accuracy.json").read_text()) == accuracy(folder).to_dict()


def test_an_incomplete_accuracy_is_status_1_and_shows_both_denominators(tmp_path, caplog):
    assert cli.report_accuracy(accuracy("res", num_missing=1), str(tmp_path / "res")) == 1
    assert "top-1 of the videos listed: 80.00 % (4 of 5" in caplog.text


def test_an_accuracy_that_cannot_be_written_is_still_printed(tmp_path, capsys, caplog):
    assert cli.report_accuracy(accuracy("res"), str(tmp_path / "missing" / "res")) == 1
    assert "res_accuracy.json cannot be written: No such file or directory" in caplog.text
    assert "top1_acc" in capsys.readouterr().out
