"""A tool is found, logged, limited in time and ended with what it started; each failure is one clear error."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from test.helpers import ROOT
from x3d.ascend import tools
from x3d.ascend.tools import HangingToolError, find_tool, last_lines, run_tool
from x3d.errors import InputError, RunError

SLEEPS_WITH_CHILD = """
import subprocess
ignores = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", ignores])
with open(os.environ["PIDS"], "w") as file: print(os.getpid(), child.pid, file=file)
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "atc.log"


def wait_for_pids(path: Path) -> list[int]:
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.01)
    return [int(pid) for pid in path.read_text().split()]


def assert_ended(pids: list[int]) -> None:
    """Wait for the end of processes; a process that was killed may take a moment."""
    deadline = time.monotonic() + 20
    while running := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, running
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_output_is_returned_and_kept(stand_ins, log):
    stand_ins.add("atc", "print('out', flush=True); print('err', file=sys.stderr)")
    result = run_tool(["atc", "--model=a b.onnx"], 20, log)
    assert (result.exit_status, result.output, log.read_text()) == (0, "out\nerr\n", "out\nerr\n")
    assert stand_ins.calls == [["atc", "--model=a b.onnx"]]
    assert result.seconds > 0
    result.check()


def test_a_tool_runs_in_another_folder(stand_ins, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "stand_ins")
    stand_ins.add("atc", "print(os.getcwd())")
    result = run_tool(["atc"], 20, Path("atc.log"), folder=Path("scratch"))
    assert result.output == f"{tmp_path}/scratch\n"
    assert (tmp_path / "atc.log").exists()


def test_the_environment_is_that_of_the_caller(stand_ins, log):
    stand_ins.add("atc", "print(os.environ.get('ASCEND_DEVICE'))")
    assert run_tool(["atc"], 20, log, {**os.environ, "ASCEND_DEVICE": "3"}).output == "3\n"


def test_the_log_is_written_as_the_output_comes(stand_ins, log, tmp_path):
    stand_ins.add("atc", "print('started', flush=True)\nwhile not os.path.exists(arguments[0]): time.sleep(0.01)")
    go_on = tmp_path / "go_on"
    run = threading.Thread(target=run_tool, args=(["atc", str(go_on)], 20, log))
    run.start()
    while not (log.exists() and log.read_text() == "started\n"):
        time.sleep(0.01)
    go_on.touch()
    run.join()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("atc", r"atc is not on PATH; run `source /usr/local/Ascend/ascend-toolkit/set_env.sh`, from where CANN is"),
        ("npu-smi", r"npu-smi is not on PATH; install the driver, which puts it in /usr/local/bin"),
    ],
)
def test_a_missing_tool(name, message, monkeypatch, tmp_path, log):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=message):
        run_tool([name], 20, log)
    assert not log.exists()


def test_the_set_env_of_this_installation_is_named(monkeypatch, tmp_path):
    (tmp_path / "latest").mkdir()
    (tmp_path / "set_env.sh").touch()
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path / "latest"))
    with pytest.raises(InputError, match=f"`source {tmp_path}/set_env.sh`"):
        find_tool("atc-of-nobody")


def test_without_a_log_none_is_named(stand_ins, tmp_path):
    stand_ins.add("atc", "print('failing', flush=True); time.sleep(60 if arguments else 0); sys.exit(1)")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=r"^atc failed with exit status 1: failing$"):
        run_tool(["atc"], 20).check()
    with pytest.raises(HangingToolError, match=r"^atc did not end within 1 s and was ended: failing$") as caught:
        run_tool(["atc", "--hang"], 1)
    assert caught.value.output == "failing\n"
    assert sorted(tmp_path.rglob("*")) == sorted([*before, stand_ins.folder / "calls.jsonl"])


def test_a_tool_of_another_machine(stand_ins, log):
    (stand_ins.folder / "atc").write_bytes(b"\x7fELF no executable")
    (stand_ins.folder / "atc").chmod(0o755)
    with pytest.raises(InputError, match=r"stand_ins/atc cannot be started: Exec format error"):
        run_tool(["atc"], 20, log)


def test_a_failing_tool(stand_ins, log):
    stand_ins.prints("atc", "one\ntwo\nthree\nfour\n", status=7)
    result = run_tool(["atc"], 20, log)
    assert result.exit_status == 7
    with pytest.raises(RunError, match=rf"^atc failed with exit status 7: two \| three \| four; log: {log}$"):
        result.check()
    with pytest.raises(RunError, match=rf"^atc failed with exit status 7: E1: no; log: {log}$"):
        result.check("E1: no")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            r"was ended by signal 9 \(Killed\), perhaps because the memory was full: it printed",
        ),
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"was ended by signal 11 \(Segmentation fault\): it printed nothing"),
        ("os.kill(os.getpid(), signal.SIGRTMIN)", r"was ended by signal 34 \(Real-time signal 0\): it printed nothing"),
        ("sys.exit(137)", "failed with exit status 137, perhaps because the memory was full: it printed nothing"),
        ("sys.exit(139)", "failed with exit status 139: it printed nothing"),
    ],
)
def test_a_tool_that_crashes(body, message, stand_ins, log):
    stand_ins.add("atc", body)
    with pytest.raises(RunError, match=f"^atc {message}"):
        run_tool(["atc"], 20, log).check()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(0)"])
def test_what_a_tool_leaves_running_is_ended(end, stand_ins, log, tmp_path, monkeypatch):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    stand_ins.add("atc", SLEEPS_WITH_CHILD.replace("time.sleep(60)\n", f"{end}\n"))
    assert run_tool(["atc"], 20, log).exit_status == (0 if "exit" in end else -signal.SIGKILL)
    assert_ended(wait_for_pids(tmp_path / "pids"))


def test_long_lines_are_cut(stand_ins, log):
    stand_ins.prints("atc", "\n".join(["x" * 5000] * 3), status=1)
    with pytest.raises(RunError, match=r"status 1: x{300}\.\.\. \| x{300}\.\.\. \| x{300}\.\.\.; log: "):
        run_tool(["atc"], 20, log).check()


def test_a_full_disk_is_named(stand_ins, log, monkeypatch):
    stand_ins.prints("atc", "", status=120)
    result = run_tool(["atc"], 20, log)
    full = shutil.disk_usage(log.parent)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(RunError, match=rf"status 120: it printed nothing; log: {log} \(the disk is full\)$"):
        result.check()


def test_bytes_that_are_no_text_are_escaped(stand_ins, log):
    stand_ins.add("atc", r"os.write(1, b'\xff\xfe\x1b[31mred\n'); sys.exit(1)")
    result = run_tool(["atc"], 20, log)
    assert result.output == "\\xff\\xfe\x1b[31mred\n"
    with pytest.raises(RunError, match=r"status 1: \\xff\\xfe\\x1b\[31mred; log"):
        result.check()


def test_a_tool_reads_no_input(stand_ins, log):
    stand_ins.add("atc", "print(repr(sys.stdin.read()))")
    (typed, end), stdin = os.pipe(), os.dup(0)
    os.write(end, b"typed")
    os.close(end)
    os.dup2(typed, 0)
    try:
        assert run_tool(["atc"], 20, log).output == "''\n"
    finally:
        os.dup2(stdin, 0)
        for descriptor in (typed, stdin):
            os.close(descriptor)


def test_a_tool_that_hangs_is_ended_with_what_it_started(stand_ins, log, tmp_path, monkeypatch):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(tools, "GRACE_SECONDS", 0.5)
    stand_ins.add("atc", f"print('converting', flush=True)\n{SLEEPS_WITH_CHILD}")
    with pytest.raises(RunError, match=rf"^atc did not end within 2 s and was ended: converting; log: {log}$"):
        run_tool(["atc"], 2, log)
    assert_ended(wait_for_pids(tmp_path / "pids"))


def test_a_tool_that_ignores_sigterm_is_killed(stand_ins, log, monkeypatch):
    monkeypatch.setattr(tools, "GRACE_SECONDS", 0.2)
    stand_ins.add("atc", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)")
    with pytest.raises(RunError, match="did not end within 1 s"):
        run_tool(["atc"], 1, log)


@pytest.mark.parametrize(
    ("number", "status", "lines"),
    [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 1), (signal.SIGHUP, -signal.SIGHUP, 0)],
)
def test_a_stopped_script_ends_the_tool(number, status, lines, stand_ins, log, tmp_path, monkeypatch):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    stand_ins.add("atc", SLEEPS_WITH_CHILD)
    script = (
        "import sys; from pathlib import Path\n"
        "from x3d.signals import end_on_stop_signals; end_on_stop_signals()\n"
        "from x3d.ascend import tools; tools.GRACE_SECONDS = 0.5\n"
        "tools.run_tool(['atc'], 60, Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(log)], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    pids = wait_for_pids(tmp_path / "pids")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors.count("stopped by") == lines
    assert "Traceback" not in errors
    assert_ended(pids)


def test_ctrl_c_in_a_notebook_ends_the_tool(stand_ins, log, tmp_path, monkeypatch):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(tools, "GRACE_SECONDS", 0.5)
    stand_ins.add("atc", SLEEPS_WITH_CHILD)

    def interrupt() -> None:
        wait_for_pids(tmp_path / "pids")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_tool(["atc"], 60, log)
    assert signal.getsignal(signal.SIGINT) is handler
    assert_ended(wait_for_pids(tmp_path / "pids"))


def test_a_signal_while_the_tool_is_started_ends_it(stand_ins, log, monkeypatch):
    stand_ins.add("atc", "time.sleep(20)")
    start = tools._start

    def start_and_interrupt(*arguments):
        signal.raise_signal(signal.SIGINT)
        started.append(start(*arguments))
        return started[0]

    started: list[subprocess.Popen] = []
    monkeypatch.setattr(tools, "_start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_tool(["atc"], 600, log)
    assert started[0].returncode == -signal.SIGTERM


def test_last_lines_are_the_last_state_of_a_progress_bar():
    assert last_lines("a\n 10%\r 50%\r100%\n\n") == "10% | 50% | 100%"
    assert last_lines("") == "it printed nothing"
