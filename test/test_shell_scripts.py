"""run_demo.sh and run_tests.sh run in their own folder, and the demo removes only a folder that it made."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from test.helpers import ROOT

MARKER = ".made_by_run_demo"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the scripts; setup_env.sh there lets every command but those of the shell do nothing."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("run_demo.sh", "run_tests.sh"):
        shutil.copy(ROOT / name, folder)
    stub = 'pwd\nfor name in python ruff lint-imports mypy; do eval "$name() { :; }"; done\n'
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
    assert (ran.returncode, ran.stdout) == (0, f"{clone}\n"), ran.stderr
    assert (decoy / "demo_run").exists()


def test_the_demo_replaces_its_own_folder(clone):
    assert run(clone / "run_demo.sh", clone).returncode == 0
    (clone / "demo_run" / "left").touch()
    assert run(clone / "run_demo.sh", clone).returncode == 0
    assert [path.name for path in (clone / "demo_run").iterdir()] == [MARKER]


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
