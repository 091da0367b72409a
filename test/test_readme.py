"""The README is up to date: commands parse, options and keys are described, `--help` is fast."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import x3d_infer
import x3d_npu
from test.helpers import ROOT
from x3d.cli import build_parser
from x3d.config.keys import KEYS, RENAMED, SECTIONS, select_keys
from x3d.config.loading import load_cfg
from x3d.config.tables import keys_help
from x3d.dataset.class_names import kinetics400_names
from x3d.errors import REASONS

README = (ROOT / "README.md").read_text()
PARITY = (ROOT / "benchmarks" / "parity.md").read_text()
SCRIPTS = sorted(path.name for path in ROOT.glob("x3d_*.py"))


def commands() -> Iterator[list[str]]:
    """Yield every command line of README.md and benchmarks/parity.md that runs one of the scripts."""
    text = re.sub(r"\\\n", " ", README + PARITY)
    found = re.findall(r"^(?:On a host: `)?(python x3d_\w+\.py[^`\n]*)", text, flags=re.MULTILINE)
    found += re.findall(r"`(python x3d_\w+\.py[^`\n]*)`", text)
    for line in sorted(set(found)):
        yield shlex.split(line.replace("${bs}", "8").replace("$SLURM_ARRAY_TASK_ID", "7"))[1:]


def test_the_readme_runs_every_script():
    assert {command[0] for command in commands()} == set(SCRIPTS)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_of_the_readme_parses(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    script, *arguments = command
    if script == "x3d_infer.py":
        x3d_infer.build_parser().parse_args(arguments)
    elif script == "x3d_npu.py":
        x3d_npu.build_parser()[0].parse_args(arguments)
    else:
        parser = build_parser("", script in ("x3d_preprocess.py", "x3d_evaluate.py"), ())
        getattr(importlib.import_module(script.removesuffix(".py")), "add_options", lambda parser: None)(parser)
        args = parser.parse_intermixed_args(arguments)
        load_cfg(args.cfg.replace("SlowFast/configs/Kinetics/", "configs/"), args.opts)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_fast_and_every_option_is_in_the_readme(script):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        shown = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
    documented = "".join(line for line in README.splitlines() if f"`{script}`" in line and "`--" in line)
    described = shown.stdout.partition("\noptions:\n")[2] if script == "x3d_npu.py" else shown.stdout
    for option in set(re.findall(r"--\w[\w-]*", described)) - {"--help"}:
        assert f"`{option.replace('-', '_').replace('__', '--', 1)}`" in documented, option


@pytest.mark.parametrize("command", x3d_npu.COMMANDS)
def test_every_option_of_x3d_npu_is_in_the_readme(command):
    shown = x3d_npu.build_parser()[1][command].format_help()
    [row] = [line for line in README.splitlines() if line.startswith(f"| `x3d_npu.py` {command} |")]
    options = set(re.findall(r"^  (--\w+)", shown, flags=re.MULTILINE))
    assert options == set(re.findall(r"`(--\w+)`", row))


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_does_not_import_slow_packages(script):
    slow = ("torch", "openvino", "ray", "cv2", "numpy", "scipy", "jinja2")
    code = (
        f"import sys, runpy; sys.argv = ['{script}', '--help']\n"
        f"try: runpy.run_path('{script}', run_name='__main__')\nexcept SystemExit: pass\n"
        f"print([m for m in {slow} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in ("x3d_infer.py", "x3d_npu.py")])
def test_help_lists_the_keys_that_the_script_reads(script):
    reads = importlib.import_module(script.removesuffix(".py")).READS
    shown = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith(f"\n\n{keys_help(reads)}\n")
    listed = re.findall(r"^  (\w+\.\w+) \(default", shown.stdout, flags=re.MULTILINE)
    assert listed == list(select_keys(reads))
    used = {word for name, *command in commands() if name == script for word in command if word in KEYS}
    assert used
    assert used <= set(listed)


def test_the_readme_lists_every_key_that_this_suite_reads():
    rows = re.findall(r"^\| (\w+\.\w+) \| (.*?) \| (.*?) \| (.*) \|$", README, flags=re.MULTILINE)
    assert [name for name, *_ in rows] == list(select_keys(SECTIONS))
    for name, default, accepts, meaning in rows:
        key = KEYS[name]
        assert (ast.literal_eval(default), accepts, meaning) == (key.default, key.limits, key.description), name


def test_the_readme_names_every_old_key():
    for old, new in RENAMED.items():
        assert re.search(rf"{old}\b.* accepted as .*{new}\b", README)


def test_the_readme_and_help_contain_no_path_of_one_machine():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*.py"), *ROOT.glob("x3d/**/*.py"), *ROOT.glob("*.sh")]:
        assert not re.search(r"/(root|work|home|tmp)/", path.read_text()), path


def test_the_rows_of_lists_in_the_readme_have_their_labels():
    found = re.findall(r"([a-z][a-z ]*)/\w+\.mp4 (\d+)", README)
    assert found
    assert [(name, kinetics400_names()[int(label)]) for name, label in found] == [(name, name) for name, _ in found]


def test_every_reason_is_in_the_readme():
    for reason, meaning in REASONS.items():
        assert f"| `{reason}` | {meaning} |" in README
