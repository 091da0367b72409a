"""run_demo.sh and run_tests.sh run in their own folder; the demo removes only a folder that it made, and compares."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from test.helpers import ROOT, kill, wait_until

MARKER = ".made_by_run_demo"
PYTHON = """
python() {
    case $1 in
        x3d_compare.py) echo "{}"; return ${VERDICT:-3};;
        x3d_report.py) echo "the page";;
        x3d_evaluate.py) echo "the accuracy";;
    esac
}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the scripts; setup_env.sh there lets every command but those of the shell do nothing.

    Evaluation, comparison and report print a line; the comparison ends with the status $VERDICT.
    """
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("run_demo.sh", "run_tests.sh"):
        shutil.copy(ROOT / name, folder)
    stub = 'pwd\nfor name in ruff lint-imports mypy; do eval "$name() { :; }"; done\n' + PYTHON
    (folder / "setup_env.sh").write_text(stub)
    return folder


def run(script: Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(script)]
    settings = os.environ | environment
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, check=False, timeout=60)


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
    command = ["flock", str(clone), "sleep", "600"]
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
    assert ran.stderr.splitlines()[-1] == f"report: {clone}/demo_run/report/index.html"
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


@pytest.mark.parametrize(("verdict", "status"), [(0, 0), (3, 0), (1, 1), (2, 1)])
def test_with_the_real_data_the_two_routes_may_pass(verdict, status, clone):
    (clone / "x3d_s.pyth").touch()
    (clone / "Kinetics-400").mkdir()
    (clone / "Kinetics-400" / "test.csv").touch()
    ran = run(clone / "run_demo.sh", clone, VERDICT=str(verdict))
    assert ran.returncode == status
    assert "DATA.CLASS_NAMES" not in ran.stderr
