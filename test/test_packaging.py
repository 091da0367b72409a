"""The project builds and installs, its console commands run from any folder, and every dependency is pinned."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from email import message_from_bytes
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from test.helpers import ROOT
from x3d import __version__

SCRIPTS = sorted(path.stem for path in ROOT.glob("x3d_*.py"))
COMMANDS = [script.replace("_", "-") for script in SCRIPTS]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STOP_AT_IMPORT = """
import os, signal, sys
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == "x3d.console":
            os.kill(os.getpid(), int(os.environ["X3D_TEST_SIGNAL"]))
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Stop())
"""
CUDA_PACKAGES = ("cuda-", "nvidia-", "triton")
"""Beginnings of the names of what torch's CUDA build brings, and its parts in turn; torch pins them."""
REQUIREMENT_FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the source, for building writes beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "SlowFast", "Kinetics*", "*.pyth")
    shutil.copytree(ROOT, source, ignore=left_out)
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip("install", wheel, "--no-deps", "--no-index", "--target", target)
    return target


def run_command(installed: Path, command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, str(installed / "bin" / command), *arguments],
        check=False,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_the_package_the_scripts_and_the_yaml_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path for path in (ROOT / "x3d").rglob("*") if path.is_file() and path.parent.name != "__pycache__"}
    package = {path.relative_to(ROOT).as_posix() for path in files}
    yaml_files = {f"x3d/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    expected = package | yaml_files | {f"{script}.py" for script in SCRIPTS}
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_the_wheel_has_the_version_the_requirements_and_the_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [path] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(path))
    assert metadata["Version"] == __version__
    assert set(metadata.get_all("Provides-Extra", [])) == {"ray", "test"}
    required = {str(Requirement(text)) for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text}
    assert required == {str(requirement) for requirement in requirements("requirements.txt")}


def test_every_script_is_a_console_command() -> None:
    assert PYPROJECT["project"]["scripts"] == {
        script.replace("_", "-"): f"x3d.commands:{script[4:]}" for script in SCRIPTS
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_shows_its_help_from_another_folder(command: str, installed: Path, tmp_path: Path) -> None:
    ran = run_command(installed, command, "--help", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"usage: {command}")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_stopped_while_it_imports_writes_one_line(
    command: str, number: int, status: int, installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STOP_AT_IMPORT)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{installed}", "X3D_TEST_SIGNAL": str(int(number))}
    run = [sys.executable, str(installed / "bin" / command), "--help"]
    ran = subprocess.run(run, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert ran.stderr.splitlines()[1:] == [ran.stderr.splitlines()[-1]]
    assert "[ERROR] stopped by" in ran.stderr


@pytest.mark.parametrize(
    "options",
    [[], ["--cfg", "{installed}/x3d/configs/X3D_M.yaml"], ["--cfg", "configs/X3D_M.yaml"]],
    ids=["default", "path", "name"],
)
def test_a_command_reads_the_yaml_files_from_another_folder(
    options: list[str], installed: Path, tmp_path: Path
) -> None:
    options = [option.format(installed=installed) for option in options]
    ran = run_command(installed, "x3d-verify", *options, "DATA.PATH_TO_DATA_DIR", "no_data", cwd=tmp_path)
    assert ran.returncode == 2
    assert "configuration: " in ran.stderr
    assert "no_data/test.csv" in ran.stderr


def test_the_changelog_describes_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text, flags=re.MULTILINE)


def requirements(name: str) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line]


def pins(name: str) -> dict[str, str]:
    """Read the version of each package of a file, by its canonical name."""
    found: dict[str, str] = {}
    for requirement in requirements(name):
        [specifier] = requirement.specifier
        assert specifier.operator == "==", requirement
        found[canonicalize_name(requirement.name)] = specifier.version
    return found


def needed(requirement: Requirement, extras: tuple[str, ...], found: dict[str, str]) -> Mapping[str, str]:
    """Collect the installed distributions that a requirement brings, itself among them."""
    name = canonicalize_name(requirement.name)
    here = [requirement.marker.evaluate({"extra": extra}) for extra in extras] if requirement.marker else [True]
    if not any(here) or (name in found and not requirement.extras):
        return found
    package = distribution(name)
    found[name] = package.version.split("+")[0]
    for text in package.requires or []:
        needed(Requirement(text), ("", *requirement.extras), found)
    return found


@pytest.mark.parametrize("name", REQUIREMENT_FILES)
def test_direct_requirements_agree_with_the_constraints(name: str) -> None:
    constraints = pins("constraints.txt")
    assert pins(name) == {package: constraints.get(package) for package in pins(name)}


def test_every_package_that_the_requirements_bring_is_pinned_and_no_other() -> None:
    found: dict[str, str] = {}
    try:
        for name in REQUIREMENT_FILES:
            for requirement in requirements(name):
                if name == "requirements-samples.txt":  # installed without its dependencies
                    found |= pins(name)
                else:
                    needed(requirement, ("",), found)
    except PackageNotFoundError as error:
        pytest.skip(f"not installed here: {error}")
    pinned = {package for package in found if not package.startswith(CUDA_PACKAGES)}
    assert pinned == pins("constraints.txt").keys()
