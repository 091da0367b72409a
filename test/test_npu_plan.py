"""The plan of a 310P3 has the recipe's commands word for word, and its script is one that bash takes."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from test.made_up_onnx import write_onnx
from x3d.ascend.precision_modes import choose_mode
from x3d.errors import InputError
from x3d.network.onnx_input import OnnxInput
from x3d.pipeline.npu_plan import BATCH_SIZES, Plan, choose_batch_sizes

CFG = "SlowFast/configs/Kinetics/X3D_S.yaml"
RECIPE = """\
atc --framework=5 --model=x3d_s.onnx --output=x3d_s_bs${bs} --input_format=NCHW \
--input_shape="image:${bs},3,13,182,182" --log=error --soc_version=Ascend310P3 --precision_mode=allow_mix_precision
python -m ais_bench --model x3d_s_bs${bs}.om --batchsize ${bs} --loop 100
python -m ais_bench --model x3d_s_bs${bs}.om --input ./prep_data/ --output ./ --output_dirname result_bs${bs} \
--batchsize ${bs}
python x3d_postprocess.py --cfg SlowFast/configs/Kinetics/X3D_S.yaml X3D_POSTPROCESS.ENABLE True \
X3D_POSTPROCESS.OM_OUTPUT_PATH result_bs${bs}
"""
X3D_S = OnnxInput("image", None, (3, 13, 182, 182))


def make_plan(**changes):
    settings = {
        "cfg": CFG,
        "model": "x3d_s.onnx",
        "onnx_input": X3D_S,
        "soc": "Ascend310P3",
        "mode": choose_mode("allow_mix_precision", "Ascend310P3", None),
        "batch_sizes": BATCH_SIZES,
        "views": "./prep_data/",
        "float16_input": False,
        "set_env": "/usr/local/Ascend/ascend-toolkit/set_env.sh",
    }
    return Plan(**settings | changes)


def words(text):
    """Split commands into their words, without comments and control structures."""
    commands = [line.strip().partition("  # ")[0].partition(" || ")[0] for line in text.splitlines()]
    return [shlex.split(line) for line in commands if line and not line.startswith("#")]


def recipe(batch_size):
    return words(RECIPE.replace("${bs}", str(batch_size)))


def test_the_commands_of_every_batch_size_are_the_recipe_s():
    blocks = make_plan().text().split("\n\n")
    assert [block.partition("\n")[0] for block in blocks] == ["# once", *(f"# batch size {bs}" for bs in BATCH_SIZES)]
    for batch_size, block in zip(BATCH_SIZES, blocks[1:], strict=True):
        own = [command for command in words(block) if command[1] not in ("x3d_npu.py", "x3d_compare.py")]
        assert own == recipe(batch_size)


def test_conversions_are_checked_and_judged():
    commands = [shlex.join(command) for command in words(make_plan(batch_sizes=(8,)).text())]
    assert commands[:3] == [
        "source /usr/local/Ascend/ascend-toolkit/set_env.sh",
        "npu-smi info",
        "python x3d_infer.py --model x3d_s.onnx --input ./prep_data/ --output ./ --output_dirname result_onnx "
        "--batchsize 8",
    ]
    assert commands[4] == "python x3d_npu.py check --model x3d_s.onnx --om x3d_s_bs8.om --input ./prep_data/"
    assert commands[8] == f"python x3d_compare.py --cfg {CFG} --reference result_onnx --candidate result_bs8"


def run_script(tmp_path, plan, variables=(), **statuses):
    """Run the script with tools that append their words to a file, and return them."""
    calls = tmp_path / "calls"
    for tool in ("atc", "npu-smi", "python", "suite python"):
        path = tmp_path / "bin" / tool
        path.parent.mkdir(exist_ok=True)
        cases = "".join(f'case "$*" in *{name}*) exit {status};; esac\n' for name, status in statuses.items())
        path.write_text(f'#!/bin/sh\nprintf "%s\\0" "{tool}" "$@" >> "$CALLS"\nprintf "\\n" >> "$CALLS"\n{cases}')
        path.chmod(0o755)
    (tmp_path / "set env.sh").write_text('echo "$UNSET_VARIABLE"\nexport SOURCED=1\n')
    script = tmp_path / "ascend.sh"
    script.write_text(plan.script() + "\n")
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "CALLS": str(calls), **dict(variables)}
    ran = subprocess.run(["bash", script], check=False, env=environment, capture_output=True, text=True, cwd=tmp_path)
    return ran, [line.rstrip("\0").split("\0") for line in calls.read_text().split("\n") if line]


def test_the_script_runs_the_same_commands(tmp_path):
    plan = make_plan(set_env="set env.sh", batch_sizes=(1, 8))
    ran, called = run_script(tmp_path, plan)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert called == words(plan.text())[1:]


def test_the_suite_s_steps_run_with_a_python_of_their_own(tmp_path):
    plan = make_plan(set_env="set env.sh", batch_sizes=(1, 8))
    ran, called = run_script(tmp_path, plan, {"X3D_PYTHON": f"{tmp_path}/bin/suite python"})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [command[1] for command in called if command[0] == "python"] == ["-m"] * 4
    suite = [command[1] for command in called if command[0] == "suite python"]
    assert suite == ["x3d_infer.py", *["x3d_npu.py", "x3d_postprocess.py", "x3d_compare.py"] * 2]
    assert [command[1:] for command in called] == [command[1:] for command in words(plan.text())[1:]]


def test_names_with_special_characters_reach_the_tools(tmp_path):
    name = "a b \"$(touch hacked)` \\s'/x3d"
    plan = make_plan(set_env="set env.sh", model=f"{name}.onnx", views="my views/$HOME", batch_sizes=(4,))
    ran, called = run_script(tmp_path, plan)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert called == words(plan.text())[1:]
    assert f"--output={name}_bs4" in called[2]
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("statuses", "status", "num_calls"),
    [
        ({"check": 3, "compare": 3}, 3, 14),
        ({"compare": 3}, 3, 14),
        ({"check": 2}, 2, 4),
        ({"check": 1}, 1, 4),
        ({"compare": 1}, 1, 8),
        ({"framework": 255}, 255, 3),
    ],
)
def test_a_failure_stops_the_script_and_an_undecided_step_does_not(tmp_path, statuses, status, num_calls):
    ran, called = run_script(tmp_path, make_plan(set_env="set env.sh", batch_sizes=(1, 8)), **statuses)
    assert (ran.returncode, len(called)) == (status, num_calls)


@pytest.mark.parametrize("model", ["x3d_s.onnx", "a b's/x3d.onnx", "models/x3d.v2.ONNX"])
def test_the_script_passes_a_check_of_its_syntax(model, tmp_path):
    script = make_plan(model=model).script()
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script
    assert "\nfor bs in 1 4 8 16 32 64; do\n" in script
    assert subprocess.run(["bash", "-n"], input=script, check=False, capture_output=True, text=True).stderr == ""
    assert not re.search(r'(?<!")\$\{bs\}(?![^"\n]*")', script), "an unquoted variable"


def test_float16_views():
    [atc] = [
        command for command in words(make_plan(float16_input=True, batch_sizes=(8,)).text()) if command[0] == "atc"
    ]
    assert atc == [*recipe(8)[0], "--input_fp16_nodes=image"]


def test_the_reference_has_the_fixed_batch_size_of_the_model():
    plan = make_plan(onnx_input=OnnxInput("image", 4, X3D_S.view_shape), batch_sizes=(4,))
    assert plan.first_steps()[2].command[-2:] == ["--batchsize", "4"]


@pytest.mark.parametrize(("name", "option"), [("cfg", "--cfg"), ("model", "--model"), ("views", "--input")])
@pytest.mark.parametrize("text", ["a\nb", "a\x1b[2J", "a\0"])
def test_control_characters_are_not_printed(name, option, text):
    with pytest.raises(InputError, match=f"{option} 'a.*' holds control characters; rename"):
        make_plan(**{name: text})


@pytest.mark.parametrize("name", ["x3d s.onnx", "-x3d.onnx", "x3d$s.onnx"])
def test_a_name_that_atc_does_not_take(name):
    with pytest.raises(InputError, match=f"ATC takes names of letters.*; rename '{re.escape(name)}'"):
        make_plan(model=f"models/{name}")


@pytest.mark.parametrize(("mode", "text"), [("allow_mix_precision", ""), ("origin", ", with CANN 6.2.RC2 or later")])
def test_the_cann_that_the_mode_needs_is_named(mode, text):
    plan = make_plan(mode=choose_mode(mode, "Ascend310P3", None))
    assert plan.text().splitlines()[0] == f"# once{text}"
    assert plan.script().splitlines()[1] == f"# x3d_s.onnx on Ascend310P3{text}; made by x3d_npu.py plan"


@pytest.mark.parametrize(
    ("asked", "fixed", "expected"),
    [(None, None, BATCH_SIZES), ((2, 3), None, (2, 3)), (None, 8, (8,)), ((8,), 8, (8,))],
)
def test_batch_sizes(asked, fixed, expected):
    assert choose_batch_sizes(asked, OnnxInput("image", fixed, X3D_S.view_shape)) == expected


@pytest.mark.parametrize("asked", [(4,), (4, 8)])
def test_a_model_with_another_fixed_batch_size(asked):
    with pytest.raises(InputError, match="the model has the fixed batch size 8; leave it out, or export"):
        choose_batch_sizes(asked, OnnxInput("image", 8, X3D_S.view_shape))


def test_a_written_model_s_input(tmp_path: Path):
    from x3d.network.onnx_input import read_onnx_input

    model, found = read_onnx_input(str(write_onnx(tmp_path / "x3d_s.onnx", (8, 3, 13, 160, 160), "clip")))
    assert (found, len(model.digest)) == (OnnxInput("clip", 8, (3, 13, 160, 160)), 16)
