"""setup_env.sh finds a recent Python, and completes an environment whose creation was stopped; it needs no HOME."""

import shutil
import subprocess
from pathlib import Path

import pytest

from test.helpers import ROOT


def put_python(path: Path, status: int) -> None:
    """Write an interpreter that creates only what setup_env.sh needs of an environment, and records how it is called.

    Args:
        status: with which it answers whether it is recent enough.
    """
    path.parent.mkdir(exist_ok=True)
    lines = [
        "#!/bin/sh",
        f"[ $1 = -c ] && exit {status}",
        'echo "${0##*/} $*" >>calls',
        'mkdir -p .venv/bin && cp "$0" .venv/bin/python',
        "echo 'PATH=$PWD/.venv/bin:$PATH' >.venv/bin/activate",
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    """A folder with setup_env.sh, empty requirements, and a python3.11 in bin/ that does not work, as pyenv's may."""
    shutil.copy(ROOT / "setup_env.sh", tmp_path)
    for name in ("requirements.txt", "constraints.txt"):
        (tmp_path / name).touch()
    put_python(tmp_path / "bin/python3.11", 127)
    return tmp_path


def source_setup(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", "-c", "set -euo pipefail; . ./setup_env.sh requirements.txt"]
    settings = {"PATH": f"{folder}/bin:/usr/bin:/bin", **environment}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=60)


def test_setup_takes_python3_where_python311_does_not_work(setup):
    put_python(setup / "bin/python3", 0)
    ran = source_setup(setup)
    assert ran.returncode == 0, ran.stderr
    assert (setup / "calls").read_text().splitlines()[0] == "python3 -m venv .venv"


def test_setup_creates_an_environment_whose_creation_was_stopped_again(setup):
    put_python(setup / "bin/python3", 0)
    assert source_setup(setup).returncode == 0
    (setup / ".venv/bin/activate").unlink()
    for _ in range(2):  # the second finds it whole
        assert source_setup(setup).returncode == 0
    assert (setup / "calls").read_text().splitlines().count("python3 -m venv .venv") == 2


@pytest.mark.parametrize(
    ("environment", "names"), [({}, "python3.11 or python3"), ({"PYTHON": "./old py"}, "./old py")]
)
def test_setup_without_a_recent_python_names_what_to_set(environment, names, setup):
    put_python(setup / "bin/python3", 0 if environment else 1)  # one that PYTHON names is not replaced by another
    put_python(setup / "old py", 1)
    ran = source_setup(setup, **environment)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"{names} must be Python 3.11 or later; set PYTHON to the path of one\n"
    assert not (setup / ".venv").exists()
