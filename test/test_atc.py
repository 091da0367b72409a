"""ATC's command is the recipe's, and what it prints is understood."""

import shlex
from pathlib import Path

import pytest

from test import npu_texts
from x3d.ascend.atc import atc_command, check_success, explain_failure
from x3d.ascend.precision_modes import choose_mode
from x3d.ascend.tools import ToolResult
from x3d.errors import InputError, RunError

RECIPE = (
    'atc --framework=5 --model=x3d_s.onnx --output=x3d_s_bs8 --input_format=NCHW --input_shape="image:8,3,13,182,182" '
    "--log=error --soc_version=Ascend310P3 --precision_mode=allow_mix_precision"
)


def command(mode="allow_mix_precision", **more):
    soc = "Ascend310P3"
    return atc_command(
        "x3d_s.onnx",
        "x3d_s_bs8",
        more.pop("name", "image"),
        (8, 3, 13, 182, 182),
        soc,
        choose_mode(mode, soc, None),
        **more,
    )


def result(output, exit_status=0):
    return ToolResult(["/usr/bin/atc"], exit_status, output, Path("atc.log"), 1.0)


def test_the_recipe_s_command():
    assert command() == shlex.split(RECIPE)


def test_float16_views():
    assert command(float16_input=True) == [*shlex.split(RECIPE), "--input_fp16_nodes=image"]


def test_the_mode_decides_the_option():
    assert command("origin")[-1] == "--precision_mode_v2=origin"
    assert command("must_keep_origin_dtype")[-1] == "--precision_mode=must_keep_origin_dtype"


@pytest.mark.parametrize("name", ["image:0", "a;b", "", "a b", "a\nb"])
def test_a_name_that_atc_would_take_apart(name):
    with pytest.raises(
        InputError, match=r"ATC takes no input named .*; export the model with x3d_pth2onnx.py"
    ) as caught:
        command(name=name)
    assert "\n" not in str(caught.value)


def test_success():
    check_success(result(npu_texts.ATC_SUCCESS))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("E10001", r"E10001: Value \[-1\] for parameter \[input_2\] is invalid"),
        ("E10007", r"E10007: \[--framework\] is required"),
        ("E19010", r"E19010: No parser is registered .* \(the model was exported with another opset"),
        ("E40000", r"E40000: Failed to import te.platform.log_util. \(the first `python3` on PATH, which ATC runs"),
        ("EC0010", r"EC0010: Failed to import Python module .*'decorator'.*\(the first `python3` on PATH"),
        ("EZ3003", r"EZ3003: No supported Ops kernel .* \(the chip has no such operator; check --soc"),
        ("E19999", r"E19999: \[Remove\]\[Node\] of Mul_7 failed.FUNC"),
        ("EZ9999", r"EZ9999: \[InferShape\] of Conv3D_1 failed.FUNC"),
    ],
)
def test_failures(code, message):
    with pytest.raises(RunError, match=rf"atc failed with exit status 255: {message}.*; log: atc.log$"):
        check_success(result(npu_texts.ATC_FAILURES[code], 255))


def test_a_library_of_the_driver_is_missing():
    assert "libascend_hal.so: cannot open" in explain_failure(npu_texts.ATC_NO_DRIVER)
    assert "add its lib64/driver to LD_LIBRARY_PATH" in explain_failure(npu_texts.ATC_NO_DRIVER)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "atc printed no 'ATC run success': it printed nothing; log"),
        ("\x1b[2J??\n", r"no 'ATC run success': \\x1b\[2J\?\?; log"),
        ("E19999: Inner Error!\n", "no 'ATC run success': E19999: Inner Error!; log"),
        (npu_texts.ATC_FAILURES["E10007"], "no 'ATC run success': E10007: .*--framework"),
    ],
)
def test_status_0_without_success(output, message):
    with pytest.raises(RunError, match=message):
        check_success(result(output))


def test_an_error_that_nobody_knows_is_quoted():
    with pytest.raises(RunError, match="status 1: Segmentation fault; log"):
        check_success(result("Segmentation fault\n", 1))
