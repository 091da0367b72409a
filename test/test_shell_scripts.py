"""run_demo.sh and run_tests.sh run in their own folder; the demo compares, cleans up, and resumes with real data."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from demo.synthetic import synthetic_state
from test.helpers import ROOT, finish, kill, wait_until
from test.videos import write_video
from x3d.config.loading import load_cfg
from x3d.network.model import X3D, Architecture

MARKER = ".made_by_run_demo"
PYTHON = """
python() {
    case $1 in
        -c) echo "${FREE_MB:-9999}";;
        x3d_pth2onnx.py) head -c 2900000 /dev/urandom >"${@: -1}";;
        x3d_preprocess.py) mkdir demo_run/prep_data;;
        x3d_infer.py) cp -r demo_run/prep_data demo_run/views_read; return ${INFER:-0};;
        x3d_compare.py) echo "{}"; return ${VERDICT:-3};;
        x3d_report.py) echo "the page";;
        x3d_evaluate.py) [ -n "${NONE-}" ] || echo "the accuracy"; return ${EVALUATE:-0};;
    esac
}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the scripts; setup_env.sh there lets every command but those of the shell do nothing.

    Evaluation, comparison and report print a line. $FREE_MB are free on the disk; inference, evaluation and comparison
    end with the statuses $INFER, $EVALUATE and $VERDICT.
    """
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("run_demo.sh", "run_tests.sh"):
        shutil.copy(ROOT / name, folder)
    stub = 'pwd\nfor name in ruff lint-imports mypy; do eval "$name() { :; }"; done\n' + PYTHON
    (folder / "setup_env.sh").write_text(stub)
    return folder


def put_real_data(folder: Path) -> None:
    """Put empty files where the demo looks for a checkpoint and a list."""
    (folder / "Kinetics-400").mkdir()
    for name in ("x3d_s.pyth", "Kinetics-400/test.csv"):
        (folder / name).touch()


def working_clone(folder: Path) -> Path:
    """Make a folder whose demo works, with this environment, a checkpoint of X3D-S and four short videos."""
    folder.mkdir()
    for path in [*ROOT.glob("x3d*"), ROOT / "configs"]:
        (folder / path.name).symlink_to(path)
    shutil.copy(ROOT / "run_demo.sh", folder)
    (folder / "setup_env.sh").write_text(f"python() {{ '{sys.executable}' \"$@\"; }}\n")
    network = X3D(Architecture.from_cfg(load_cfg(str(ROOT / "configs/X3D_S.yaml"))))
    torch.save({"model_state": synthetic_state(network, 0)}, folder / "x3d_s.pyth")
    names = [f"{number}.mp4" for number in range(4)]
    for name in names:
        write_video(folder / "Kinetics-400/val" / name, 90, width=192, height=128)
    (folder / "Kinetics-400/test.csv").write_text("".join(f"{name} {label}\n" for label, name in enumerate(names)))
    return folder


def run(script: Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(script)]
    settings = os.environ | environment
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.parametrize("name", ["run_demo.sh", "run_tests.sh"])
def test_a_script_runs_in_its_own_folder_whatever_cdpath_is(name, clone, tmp_path):
    decoy = tmp_path / "elsewhere" / "a clone"
    (decoy / "demo_run").mkdir(parents=True)
    ran = run(Path("a clone") / name, tmp_path, CDPATH=str(tmp_path / "elsewhere"))
    accuracy = "the accuracy\n" if name == "run_demo.sh" else ""
    assert (ran.returncode, ran.stdout) == (0, f"{clone}\n{accuracy}"), ran.stderr
    assert (decoy / "demo_run").exists()


def test_the_demo_replaces_its_own_folder(clone):
    assert run(clone / "run_demo.sh", clone).returncode == 0
    (clone / "demo_run" / "left").touch()
    assert run(clone / "run_demo.sh", clone).returncode == 0
    assert not (clone / "demo_run" / "left").exists()


@pytest.mark.parametrize("link", [False, True])
def test_the_demo_keeps_a_folder_that_it_did_not_make(link, clone, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    if link:
        (tmp_path / "mine" / MARKER).touch()
        (clone / "demo_run").symlink_to(tmp_path / "mine")
    else:
        (tmp_path / "mine").rename(clone / "demo_run")
    ran = run(clone / "run_demo.sh", clone)
    assert ran.returncode == 2
    assert f"{clone}/demo_run was not made by this script" in ran.stderr
    assert (clone / "demo_run" / "file").exists()


def test_a_second_demo_beside_the_first_leaves_its_folder_alone(clone):
    assert run(clone / "run_demo.sh", clone).returncode == 0
    command = ["flock", str(clone / ".run_demo.lock"), "sleep", "600"]
    first = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: run(clone / "run_demo.sh", clone).returncode != 0)
        (clone / "demo_run" / "left").touch()
        second = run(clone / "run_demo.sh", clone)
    finally:
        kill(first)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == f"another run_demo.sh is running in {clone}; wait for it\n"
    assert (clone / "demo_run" / "left").exists()
    assert run(clone / "run_demo.sh", clone).returncode == 0


def test_the_demo_ends_with_the_accuracy_and_reports_where_its_report_lies(clone):
    ran = run(clone / "run_demo.sh", clone)
    assert ran.stdout.splitlines()[-1] == "the accuracy"
    assert ran.stderr.splitlines()[-3:] == [
        "expected: at least 95 top-1: 32 fresh clips of 16 classes the demo's network was trained for",
        f"report: {clone}/demo_run/report/index.html",
        f"left on disk: 3 MB in {clone}/demo_run/",
    ]
    for line in ("{}", "the page"):
        assert line in ran.stderr.splitlines()
    for command in ("x3d_postprocess.py", "x3d_evaluate.py", "x3d_compare.py", "x3d_report.py"):
        [called] = [line for line in ran.stderr.splitlines() if line.startswith(f"+ python {command} ")]
        assert "DATA.CLASS_NAMES demo_run/Kinetics-demo/classes.txt" in called


@pytest.mark.parametrize("verdict", [0, 1, 2, 3, 143])
def test_the_demo_accepts_only_that_its_few_videos_decide_nothing(verdict, clone):
    ran = run(clone / "run_demo.sh", clone, VERDICT=str(verdict))
    assert ran.returncode == (0 if verdict == 3 else 1)
    assert (f"x3d_compare.py ended with status {verdict} instead of 3; its log" in ran.stderr) == (verdict != 3)


def test_the_demo_removes_its_views_when_they_are_scored(clone):
    assert run(clone / "run_demo.sh", clone).returncode == 0
    assert (clone / "demo_run" / "views_read").exists()
    assert not (clone / "demo_run" / "prep_data").exists()


def test_the_demo_removes_its_views_when_it_fails(clone):
    assert run(clone / "run_demo.sh", clone, INFER="143").returncode == 143
    assert (clone / "demo_run" / "views_read").exists()
    assert not (clone / "demo_run" / "prep_data").exists()


@pytest.mark.parametrize(("real", "folder", "needed"), [(False, "demo_run", 5000), (True, "kinetics_run", 200)])
def test_the_demo_starts_only_with_enough_of_the_disk_free(real, folder, needed, clone):
    if real:
        put_real_data(clone)
    ran = run(clone / "run_demo.sh", clone, FREE_MB=str(needed - 1))
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-2:] == [
        f"disk: the run needs up to {needed} MB in {clone}/{folder}/; {needed - 1} MB are free",
        "too little is free; make room, or move this folder elsewhere",
    ]
    assert not (clone / folder).exists()
    assert run(clone / "run_demo.sh", clone, FREE_MB=str(needed)).returncode == 0


def test_with_real_data_the_demo_only_streams(clone):
    put_real_data(clone)
    ran = run(clone / "run_demo.sh", clone)
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "the accuracy")
    called = [line.split()[2] for line in ran.stderr.splitlines() if line.startswith("+ python ")]
    assert called == ["x3d_pth2onnx.py", "x3d_evaluate.py", "x3d_report.py"]
    assert "DATA.CLASS_NAMES" not in ran.stderr
    assert ran.stderr.splitlines()[-3:] == [
        "expected: about 73.5 top-1, X3D-S's published accuracy",
        f"report: {clone}/kinetics_run/report/index.html",
        f"left on disk: 3 MB in {clone}/kinetics_run/",
    ]


def test_neither_data_removes_what_the_other_left(clone):
    assert run(clone / "run_demo.sh", clone).returncode == 0
    (clone / "demo_run" / "left").touch()
    put_real_data(clone)
    assert run(clone / "run_demo.sh", clone).returncode == 0
    (clone / "kinetics_run" / "left").touch()
    assert run(clone / "run_demo.sh", clone).returncode == 0
    assert (clone / "demo_run" / "left").exists()
    (clone / "x3d_s.pyth").unlink()
    assert run(clone / "run_demo.sh", clone).returncode == 0
    assert (clone / "kinetics_run" / "left").exists()


@pytest.mark.parametrize(("status", "reports"), [(1, True), (2, False), (130, False)])
def test_videos_that_fail_are_in_the_report_and_an_evaluation_that_stopped_has_none(status, reports, clone):
    put_real_data(clone)
    ran = run(clone / "run_demo.sh", clone, EVALUATE=str(status))
    assert ran.returncode == status
    for text in ("the page", "some videos failed, and are listed in the report", "report: ", "ALLOW_MISSING True"):
        assert (text in ran.stderr) == (reports or text == "ALLOW_MISSING True"), text
    assert ran.stdout.splitlines()[1:] == ["the accuracy"] * reports


def test_generated_clips_must_all_be_scored(clone):
    ran = run(clone / "run_demo.sh", clone, EVALUATE="1", NONE="1")
    assert ran.returncode == 1
    assert "ALLOW_MISSING" not in ran.stderr
    assert "expected: " not in ran.stderr


def test_a_stopped_evaluation_of_real_data_resumes_also_without_home(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    clone = working_clone(tmp_path / "a clone")
    rows = clone / "kinetics_run/eval/manifest.rows"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(
        ["bash", clone / "run_demo.sh"], cwd=tmp_path, text=True, start_new_session=True, **pipes
    )
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})  # one core is one worker: one video at a time
    wait_until(lambda: process.poll() is not None or (rows.exists() and rows.stat().st_size), 200)
    os.killpg(process.pid, signal.SIGINT)
    out, err = finish(process)
    assert (process.returncode, out) == (130, ""), err
    scored, model = rows.read_bytes(), (clone / "kinetics_run/x3d.onnx").read_bytes()

    ran = run(clone / "run_demo.sh", tmp_path)
    assert ran.returncode == 0, ran.stderr
    [todo] = re.findall(r"4 videos of Kinetics-400/test\.csv, (\d) to do; ", ran.stderr)
    assert 0 < int(todo) < 4
    assert rows.read_bytes()[: len(scored)] == scored
    assert (clone / "kinetics_run/x3d.onnx").read_bytes() == model
    assert json.loads(ran.stdout)["split"] == "test_final"
    assert "4 of 4 videos done" in ran.stderr
    assert (clone / "kinetics_run/report/index.html").exists()
    assert not list(clone.rglob("prep_data"))
