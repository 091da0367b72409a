"""README.md and docs/ are up to date: commands parse, options and keys are described, `--help` imports nothing slow."""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

import x3d_infer
import x3d_npu
from test.helpers import ROOT
from test.made_up_onnx import write_onnx
from x3d.cli import build_parser
from x3d.config.keys import KEYS, RENAMED, SECTIONS, select_keys
from x3d.config.loading import load_cfg
from x3d.config.tables import keys_help
from x3d.dataset.class_names import kinetics400_names
from x3d.errors import REASONS

README = (ROOT / "README.md").read_text()
PAGES = {path.stem: path.read_text() for path in sorted(ROOT.glob("docs/*.md")) if not path.stem.endswith(".zh-CN")}
REFERENCE = PAGES["reference"]
PARITY = (ROOT / "benchmarks" / "parity.md").read_text()
CONFIGS = {"kinetics.yaml": re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0]}
SCRIPTS = sorted(path.name for path in ROOT.glob("x3d_*.py"))


def commands() -> Iterator[list[str]]:
    """Yield every command line of README.md, docs/ and benchmarks/parity.md that runs one of the scripts."""
    text = re.sub(r"\\\n", " ", "\n".join([README, *PAGES.values(), PARITY]))
    found = re.findall(r"^(?:On a host: `)?((?:\.venv/bin/)?python x3d_\w+\.py[^`\n]*)", text, flags=re.MULTILINE)
    found += re.findall(r"`((?:\.venv/bin/)?python x3d_\w+\.py[^`\n]*)`", text)
    for line in sorted(set(found)):
        yield shlex.split(line.replace("${bs}", "8").replace("$SLURM_ARRAY_TASK_ID", "7"))[1:]


def test_the_first_screen_has_the_two_commands_with_their_last_lines():
    assert len(README.splitlines()) < 400
    first = README.splitlines()[:25]
    assert {"bash run_demo.sh", "bash run_tests.sh"} <= set(first)
    demo = (ROOT / "run_demo.sh").read_text()
    [expected] = [line for line in first if line.startswith("expected: ")]
    assert f'expected="{expected.removeprefix("expected: ")}"' in demo
    assert (
        first.index('{"split": "test_final", "top1_acc": "100.00", "top5_acc": "100.00"}') == first.index(expected) - 1
    )
    assert any(re.fullmatch(r"=+ \d+ passed, \d+ skipped in [\d.]+s \(.*\) =+", line) for line in first)


def test_the_ascend_part_is_what_plan_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    write_onnx(tmp_path / "x3d_s.onnx", ("N", 3, 13, 182, 182), "image")
    section = README[README.index("## On an Ascend NPU") :]
    [command] = re.findall(r"^python (x3d_npu.py plan .*)$", section, flags=re.MULTILINE)
    assert x3d_npu.main(shlex.split(command)[1:]) == 0
    assert f"```\n{capsys.readouterr().out}```" in section


def test_the_documents_run_every_script():
    assert {command[0] for command in commands()} == set(SCRIPTS)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_parses(command, tmp_path, monkeypatch):
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
        for name, text in CONFIGS.items():
            (tmp_path / name).write_text(text.replace("configs/", f"{ROOT}/configs/"))
            args.cfg = args.cfg.replace(name, str(tmp_path / name))
        load_cfg(args.cfg.replace("SlowFast/configs/Kinetics/", "configs/"), args.opts)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_option_is_documented(script):
    shown = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    documented = "".join(line for line in REFERENCE.splitlines() if f"`{script}`" in line and "`--" in line)
    described = shown.stdout.partition("\noptions:\n")[2] if script == "x3d_npu.py" else shown.stdout
    for option in set(re.findall(r"--\w[\w-]*", described)) - {"--help"}:
        assert f"`{option.replace('-', '_').replace('__', '--', 1)}`" in documented, option


@pytest.mark.parametrize("command", x3d_npu.COMMANDS)
def test_every_option_of_x3d_npu_is_documented(command):
    shown = x3d_npu.build_parser()[1][command].format_help()
    [row] = [line for line in REFERENCE.splitlines() if line.startswith(f"| `x3d_npu.py` {command} |")]
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


def test_the_reference_lists_every_key_that_this_suite_reads():
    rows = re.findall(r"^\| (\w+\.\w+) \| (.*?) \| (.*?) \| (.*) \|$", REFERENCE, flags=re.MULTILINE)
    assert [name for name, *_ in rows] == list(select_keys(SECTIONS))
    for name, default, accepts, meaning in rows:
        key = KEYS[name]
        assert (ast.literal_eval(default), accepts, meaning) == (key.default, key.limits, key.description), name


def test_the_reference_names_every_old_key():
    for old, new in RENAMED.items():
        assert re.search(rf"{old}\b.* accepted as .*{new}\b", REFERENCE)


def test_documents_and_help_contain_no_path_of_one_machine():
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("*.py"),
        *ROOT.glob("x3d/**/*.py"),
        *ROOT.glob("*.sh"),
    ]:
        assert not re.search(r"/(root|work|home|tmp)/", path.read_text()), path


def test_the_rows_of_lists_in_the_readme_have_their_labels():
    found = re.findall(r"([a-z][a-z ]*)/\w+\.mp4 (\d+)", README)
    assert found
    assert [(name, kinetics400_names()[int(label)]) for name, label in found] == [(name, name) for name, _ in found]


def test_every_reason_is_documented():
    for reason, meaning in REASONS.items():
        assert f"| `{reason}` | {meaning} |" in REFERENCE


def test_the_messages_of_the_readme_are_those_of_the_reference():
    section = README[README.index("## Troubleshooting") : README.index("## Speed")]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 4
    assert set(rows) <= set(REFERENCE.splitlines())
