"""Plan the Ascend route of an ONNX model: the commands from ATC to the verdict, per batch size."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from x3d.ascend.ais_bench import pure_command, results_command
from x3d.ascend.atc import SUFFIX, atc_command, check_model_name
from x3d.ascend.precision_modes import PrecisionMode
from x3d.ascend.published import PUBLISHED
from x3d.errors import InputError
from x3d.files import printable
from x3d.network.onnx_input import OnnxInput

BATCH_SIZES = tuple(PUBLISHED)
"""The recipe's."""
LOOP = 100

_BS = "\0"
"""Stands for the batch size in the words of a script, until it is ${bs}."""
_SUITE = "\1"
"""Stands for the Python of this suite, as `python` may be the one that has ais_bench."""
_REFERENCE = "result_onnx"
_HOST_BATCH_SIZE = 8


@dataclass(frozen=True)
class Step:
    """A command, and why it is run.

    Attributes:
        may_be_undecided: its exit status 3 does not stop the script.
    """

    purpose: str
    command: Sequence[str]
    may_be_undecided: bool = False


@dataclass(frozen=True)
class Plan:
    """What to convert, how, and for which data.

    Attributes:
        cfg: of the scripts that score.
        soc: such as Ascend310P3.
        views: the folder of views.
        python: runs this suite.
        float16_input: the views are float16.
        set_env: path of CANN's set_env.sh.
    """

    cfg: str
    model: str
    onnx_input: OnnxInput
    soc: str
    mode: PrecisionMode
    batch_sizes: Sequence[int]
    views: str
    float16_input: bool
    set_env: str
    python: str = "python"

    def __post_init__(self) -> None:
        for name, text in (("--cfg", self.cfg), ("--model", self.model), ("--input", self.views)):
            if printable(text) != text or "\n" in text:
                raise InputError(f"{name} {text!r} holds control characters; rename the file or folder")
        check_model_name(self.model)

    @property
    def _needs(self) -> str:
        return f", with CANN {self.mode.since} or later" if self.mode.since else ""

    def first_steps(self) -> list[Step]:
        """Return what is done once."""
        batch_size = self.onnx_input.batch_size or _HOST_BATCH_SIZE
        infer = [_SUITE, "x3d_infer.py", "--model", self.model, "--input", self.views, "--output", "./"]
        return [
            Step("set CANN's environment", ["source", self.set_env]),
            Step("see whether every chip is healthy and idle", ["npu-smi", "info"]),
            Step(
                "reference: the ONNX model on this host",
                [*infer, "--output_dirname", _REFERENCE, "--batchsize", str(batch_size)],
            ),
        ]

    def steps(self, batch_size: int | str) -> list[Step]:
        """Return what is done for a batch size."""
        om, results = f"{om_stem(self.model, batch_size)}{SUFFIX}", f"result_bs{batch_size}"
        shape = (batch_size, *self.onnx_input.view_shape)
        convert = atc_command(
            self.model, om.removesuffix(SUFFIX), self.onnx_input.name, shape, self.soc, self.mode, self.float16_input
        )
        check = [_SUITE, "x3d_npu.py", "check", "--model", self.model, "--om", om, "--input", self.views]
        score = ["X3D_POSTPROCESS.ENABLE", "True", "X3D_POSTPROCESS.OM_OUTPUT_PATH", results]
        compare = [_SUITE, "x3d_compare.py", "--cfg", self.cfg, "--reference", _REFERENCE, "--candidate", results]
        return [
            Step("convert", convert),
            Step("compare outputs with the ONNX model's", check, may_be_undecided=True),
            Step("throughput", pure_command(om, batch_size, LOOP)),
            Step("results", results_command(om, batch_size, self.views, "./", results)),
            Step("accuracy", [_SUITE, "x3d_postprocess.py", "--cfg", self.cfg, *score]),
            Step("verdict", compare, may_be_undecided=True),
        ]

    def text(self) -> str:
        """Return the commands, with their purposes, for a terminal."""
        blocks = [(f"once{self._needs}", self.first_steps())]
        blocks += [(f"batch size {size}", self.steps(size)) for size in self.batch_sizes]
        python = shlex.quote(self.python)
        return "\n\n".join(
            "\n".join([f"# {title}", *(_line(step, python) for step in steps)]) for title, steps in blocks
        )

    def script(self) -> str:
        """Return a script of bash that runs the commands, with a loop over the batch sizes."""
        source, *once = self.first_steps()
        sizes = " ".join(map(str, self.batch_sizes))
        python = f'"${{X3D_PYTHON:-{_in_double_quotes(self.python)}}}"'
        looped = [f"  {line}" for step in self.steps(_BS) for line in _commented(step, python)]
        head = [
            "#!/usr/bin/env bash",
            f"# {self.model} on {self.soc}{self._needs}; made by x3d_npu.py plan",
            f"# X3D_PYTHON: the Python of x3d-eval (default: {self.python}); ATC and ais_bench are those on PATH",
            "# The exit status is 3 if a check or a verdict is UNDECIDED, and that of a step that fails",
            "set -euo pipefail",
            "status=0",
            'undecided() { [ "$1" -eq 3 ] || exit "$1"; status=3; }',
            "",
        ]
        environment = [
            f"# {source.purpose}",
            "set +u  # it reads variables that may be unset",
            _line(source, python),
            "set -u",
            "",
        ]
        return "\n".join(
            [*head, *environment, *(line for step in once for line in _commented(step, python)), ""]
            + [f"for bs in {sizes}; do", *looped, "done", 'exit "$status"']
        )


def choose_batch_sizes(asked: Sequence[int] | None, onnx_input: OnnxInput) -> Sequence[int]:
    """Return the batch sizes to convert for: those that are asked for, else the recipe's, or the model's only one.

    Raises:
        InputError: the model has another, fixed batch size.
    """
    fixed = onnx_input.batch_size
    if fixed is None:
        return asked or BATCH_SIZES
    if asked and tuple(asked) != (fixed,):
        raise InputError(
            f"--batchsize {','.join(map(str, asked))}: the model has the fixed batch size {fixed}; leave it out, or "
            "export the model with X3D_PTH2ONNX.BATCH_SIZE 0"
        )
    return (fixed,)


def om_stem(model: str, batch_size: int | str) -> str:
    """Name the .om of a batch size, beside the model and without suffix: x3d_s_bs8."""
    return f"{Path(model).with_suffix('')}_bs{batch_size}"


def _commented(step: Step, python: str) -> list[str]:
    return [f"# {step.purpose}", f"{_line(step, python)}{' || undecided $?' if step.may_be_undecided else ''}"]


def _line(step: Step, python: str) -> str:
    """Format a command for the shell.

    Args:
        python: replaces _SUITE, as it stands.
    """
    return " ".join(python if word == _SUITE else _quote(word) for word in step.command)


def _quote(word: str) -> str:
    """Quote a word for the shell; one with the batch size in double quotes, in which it is expanded."""
    if _BS not in word:
        return shlex.quote(word)
    return f'"{_in_double_quotes(word)}"'.replace(_BS, "${bs}")


def _in_double_quotes(word: str) -> str:
    for character in ("\\", '"', "$", "`"):
        word = word.replace(character, f"\\{character}")
    return word
