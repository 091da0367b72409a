"""setup_env.sh chooses an interpreter, names why a .venv cannot be used, installs the pins, and ends no shell."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from test.helpers import ROOT, finish, wait_until

TOOLS = ("bash", "cat", "chmod", "cksum", "cp", "flock", "grep", "mkdir", "rm", "sleep")
PYTHON = """#!{bash}
if [[ $1 = -m && $2 = pip ]]; then
    echo "${{@:3}}" >>commands
    while [ -f wait ]; do sleep 0.05; done
    exit $(cat pip_status 2>/dev/null || echo 0)
elif [[ $1 = -m && $2 = venv ]]; then
    [[ $3 != --clear ]] || rm -rf .venv/*
    mkdir .venv/bin && cp "$0" .venv/bin/python
    echo "${{@:2}}" >>commands
    printf '%s\\n' "VIRTUAL_ENV='$PWD/.venv' PATH='$PWD/.venv/bin':\\$PATH" >.venv/bin/activate
elif [[ $2 = *version_info* ]]; then
    echo {version}
else
    [[ {lacks} != *"${{2#import }}"* ]]
fi
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with setup_env.sh and the requirements; a PATH of bin/ there has the shell's tools and no Python."""
    folder = tmp_path / "a clone"
    (folder / "bin").mkdir(parents=True)
    for name in ("setup_env.sh", "requirements.txt", "requirements-samples.txt", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / "bin" / tool).symlink_to(found)
    return folder


def add_python(clone: Path, name: str, version: str, lacks: str = "nothing") -> Path:
    """Add an interpreter that says its version, imports all but what it lacks, and records venv and pip."""
    path = clone / "bin" / name
    path.write_text(PYTHON.format(bash=shutil.which("bash"), version=version, lacks=f"'{lacks}'"))
    path.chmod(0o755)
    return path


def set_up(clone: Path, *files: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    names = " ".join(files or ["requirements.txt"])
    command = f"set -euo pipefail; . ./setup_env.sh {names}; command -v python"
    return subprocess.run(
        [clone / "bin" / "bash", "-c", command], cwd=clone, env={"PATH": str(clone / "bin")} | environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def commands(clone: Path) -> list[str]:
    return (clone / "commands").read_text().splitlines()


INSTALL = "install --quiet --use-pep517 --constraint constraints.txt --requirement requirements.txt"


def test_the_first_interpreter_that_can_be_used_makes_the_environment(clone):
    add_python(clone, "python3.11", "3.11", lacks="ensurepip, venv")
    add_python(clone, "python3.13", "3.13")
    add_python(clone, "python3", "3.12")
    ran = set_up(clone)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{clone}/.venv/bin/python\n", "")
    assert "echo 3.13" in (clone / ".venv/bin/python").read_text()
    assert commands(clone) == ["venv --clear .venv", INSTALL]


def test_what_is_installed_is_not_installed_again_until_a_file_changes(clone):
    add_python(clone, "python3", "3.12")
    for _ in range(2):
        assert set_up(clone).returncode == 0
    assert len(commands(clone)) == 2
    with open(clone / "constraints.txt", "a") as file:
        file.write("six==1.17.0\n")
    assert set_up(clone).returncode == 0
    assert commands(clone)[2:] == [INSTALL]


def test_torch_comes_from_its_index_and_the_samples_alone(clone):
    add_python(clone, "python3", "3.12")
    files = ("requirements.txt", "requirements-samples.txt")
    assert set_up(clone, *files, TORCH_INDEX_URL="https://index.example/cpu").returncode == 0
    [torch] = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("torch==")]
    assert commands(clone)[1:] == [
        f"install --quiet --use-pep517 --no-deps --index-url https://index.example/cpu {torch}",
        INSTALL,
        "install --quiet --use-pep517 --no-deps --requirement requirements-samples.txt",
    ]


@pytest.mark.parametrize(
    ("version", "lacks", "objection"),
    [
        ("3.10", "nothing", "{name} is Python 3.10"),
        ("3.14", "nothing", "{name} is Python 3.14"),
        ("3.12", "ensurepip, venv", "{name} is Python 3.12 without ensurepip, venv"),
        ("", "nothing", "{name} does not run"),
    ],
    ids=["old", "new", "without venv", "shim"],
)
@pytest.mark.parametrize("given", [True, False])
def test_an_interpreter_that_cannot_be_used_is_named_with_what_to_install(given, version, lacks, objection, clone):
    python = add_python(clone, "python3", version, lacks)
    if not version:
        python.write_text("#!/bin/sh\nexit 127\n")
    ran = set_up(clone, **({"PYTHON": str(python)} if given else {}))
    missing = "" if given else "".join(f"python3.{minor} does not run, " for minor in (11, 12, 13))
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: the package python3.11-venv, python3.12-venv or "
        "python3.13-venv) is needed; install one, or set PYTHON to one: "
        f"{missing}{objection.format(name=python if given else 'python3')}"
    ]
    assert not list((clone / ".venv").iterdir())


def test_the_package_asks_for_the_oldest_of_these_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [versions] = re.findall(r"^ +((?:3\.\d+ \| )+3\.\d+)\)", (ROOT / "setup_env.sh").read_text(), flags=re.MULTILINE)
    assert project["requires-python"] == f">={versions.partition(' ')[0]}"


def test_an_environment_that_was_not_finished_is_made_again(clone):
    add_python(clone, "python3", "3.12")
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to("/no/such/python")
    assert set_up(clone).returncode == 0
    assert commands(clone) == ["venv --clear .venv", INSTALL]


def spoil(clone: Path, how: str) -> dict[str, str]:
    """Make .venv one that cannot be used; returns the environment to set up with."""
    if how == "PYTHON":
        return {"PYTHON": str(add_python(clone, "other", "3.13"))}
    if how == "moved":
        (clone / ".venv/bin/activate").write_text("VIRTUAL_ENV=/elsewhere/.venv\n")
    elif how == "gone":
        (clone / ".venv/bin/python").write_text("#!/no/such/interpreter\n")
    else:
        version, lacks = ("3.10", "nothing") if how == "old" else ("3.12", "pip")
        add_python(clone, "other", version, lacks).rename(clone / ".venv/bin/python")
    return {}


@pytest.mark.parametrize(
    ("how", "objection"),
    [
        ("PYTHON", "it is of Python 3.12, unlike PYTHON={clone}/bin/other"),
        ("moved", "it was created as /elsewhere/.venv"),
        ("gone", ".venv/bin/python does not run"),
        ("old", ".venv/bin/python is Python 3.10"),
        ("pip", ".venv/bin/python is Python 3.12 without pip"),
    ],
)
def test_an_environment_that_cannot_be_used_is_kept_and_named_with_why(how, objection, clone):
    add_python(clone, "python3", "3.12")
    assert set_up(clone).returncode == 0
    ran = set_up(clone, **spoil(clone, how))
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        f"{clone}/.venv cannot be used; remove it, and run this again: {objection.format(clone=clone)}"
    ]
    assert len(commands(clone)) == 2
    assert (clone / ".venv/bin/activate").exists()


def test_what_pip_could_not_install_is_installed_by_the_next_run(clone):
    add_python(clone, "python3", "3.12")
    (clone / "pip_status").write_text("1")
    assert set_up(clone).returncode == 1
    (clone / "pip_status").unlink()
    assert set_up(clone).returncode == 0
    assert commands(clone) == ["venv --clear .venv", INSTALL, INSTALL]


def test_of_two_runs_one_waits_until_the_other_has_installed(clone):
    add_python(clone, "python3", "3.12")
    for name in ("wait", "waiting", "commands"):
        (clone / name).touch()
    command = [clone / "bin" / "bash", "-c", "set -e; . ./setup_env.sh requirements.txt 2>>waiting"]
    settings = {"cwd": clone, "env": {"PATH": str(clone / "bin")}, "start_new_session": True}
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **settings) for _ in range(2)]
    try:
        wait_until(lambda: "waiting for it" in (clone / "waiting").read_text())
        wait_until(lambda: len(commands(clone)) == 2)
        assert [run.poll() for run in runs] == [None, None]
        (clone / "wait").unlink()
        assert [run.wait(60) for run in runs] == [0, 0]
    finally:
        (clone / "wait").unlink(missing_ok=True)
        for run in runs:
            finish(run)
    assert commands(clone) == ["venv --clear .venv", INSTALL]


def source_without_e(clone: Path) -> str:
    ran = subprocess.run(
        [clone / "bin" / "bash", "-c", ". ./setup_env.sh requirements.txt; echo still here"],
        cwd=clone, env={"PATH": str(clone / "bin")}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return ran.stdout


def test_an_error_ends_the_set_up_and_not_the_shell_that_sources_it(clone):
    add_python(clone, "python3", "3.9")
    assert source_without_e(clone) == "still here\n"
    add_python(clone, "python3", "3.12")
    (clone / "pip_status").write_text("1")
    for _ in range(2):
        assert source_without_e(clone) == "still here\n"
    assert commands(clone) == ["venv --clear .venv", INSTALL, INSTALL]
