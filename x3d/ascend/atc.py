"""The command line of ATC, and what it prints."""

import re
from collections.abc import Sequence
from pathlib import Path

from x3d.ascend.precision_modes import PrecisionMode
from x3d.ascend.tools import ToolResult
from x3d.errors import InputError, RunError, one_line, shorten_text
from x3d.files import printable

SUCCESS = "ATC run success"
SUFFIX = ".om"
"""What ATC appends to --output."""
LOG_SUFFIX = "_atc.log"
"""Of the log beside an .om, after its stem."""

_ERROR = re.compile(
    r"^(?P<code>E[A-Z0-9]\d{4}): (?:Inner Error\b.*\n\s*(?:(?P=code):?\s+)?)?(?:\[PID: \d+\] \S+ )?(?P<text>\S.*)$",
    re.MULTILINE,
)
"""The cause of an inner error is in the line after it."""
_PACKAGES = "the first `python3` on PATH, which ATC runs, is without a package that CANN needs, or too new"
_HINTS = {
    "E10016": "the input's name differs from the model's",
    "E19010": "the model was exported with another opset or operator than x3d_pth2onnx.py's",
    "E40000": _PACKAGES,
    "EC0010": _PACKAGES,
    "EZ3003": "the chip has no such operator; check --soc, and that the operators of that chip are installed",
}
_NO_DRIVER = re.compile(r"^.*(libascend_hal\.so|libc_sec\.so): cannot open shared object file.*$", re.MULTILINE)


def check_model_name(model: str) -> None:
    """Check that ATC takes the name of a model's file.

    Raises:
        InputError: it does not.
    """
    name = Path(model).name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"model {model}: ATC takes names of letters, digits, '_', '-' and '.'; rename {name!r}")


def atc_command(
    model: str,
    output: str,
    input_name: str,
    shape: Sequence[int | str],
    soc: str,
    mode: PrecisionMode,
    float16_input: bool = False,
) -> list[str]:
    """Return the command that converts an ONNX model.

    Args:
        output: path without SUFFIX, which ATC appends.
        shape: of the input, (N, 3, T, C, C).
        soc: such as Ascend310P3.
        float16_input: the .om takes float16 views.
    Raises:
        InputError: ATC cannot take the input's name.
    """
    if not re.fullmatch(r"[\w./-]+", input_name):
        raise InputError(f"ATC takes no input named {one_line(input_name)!r}; export the model with x3d_pth2onnx.py")
    axes = ",".join(map(str, shape))
    return [
        "atc",
        "--framework=5",
        f"--model={model}",
        f"--output={output}",
        "--input_format=NCHW",
        f"--input_shape={input_name}:{axes}",
        "--log=error",
        f"--soc_version={soc}",
        f"--{mode.option}={mode.name}",
        *([f"--input_fp16_nodes={input_name}"] if float16_input else []),
    ]


def takes_path(path: str) -> bool:
    """Check whether ATC takes the path of a model."""
    return bool(re.fullmatch(r"[\w./][\w./-]*", path))


def check_success(result: ToolResult) -> None:
    """Check that ATC converted the model.

    Raises:
        RunError: it failed, or printed no success; the text gives its error and the log.
    """
    result.check(explain_failure(result.output))
    if SUCCESS not in result.output:
        raise RunError(result.failure(f"printed no {SUCCESS!r}", explain_failure(result.output)))


def explain_failure(output: str) -> str:
    """Return the first error that ATC printed, with its likely cause if that is known; empty without one."""
    if missing := _NO_DRIVER.search(output):
        remedy = "it is a library of the driver; add its lib64/driver to LD_LIBRARY_PATH"
        text = f"{shorten_text(missing[0].strip())} ({remedy})"
    elif error := _ERROR.search(output):
        hint = _HINTS.get(error["code"])
        text = f"{error['code']}: {shorten_text(error['text'].strip())}" + (f" ({hint})" if hint else "")
    else:
        return ""
    return one_line(printable(text))
