"""Options that several commands of x3d_npu.py have, and their values."""

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Callable

from x3d.ascend.cann import CannVersion, find_toolkit, installed_version
from x3d.ascend.chips import common_soc, name_soc, read_chips
from x3d.ascend.precision_modes import DEFAULT_MODE
from x3d.errors import InputError, counted
from x3d.files import short_path

logger = logging.getLogger(__name__)

MAX_NUMBER = 100_000


def batch_sizes(text: str) -> tuple[int, ...]:
    """Parse batch sizes that are separated by commas.

    Raises:
        ArgumentTypeError: something else, or one of them twice.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 0 < int(word) <= MAX_NUMBER for word in words):
        raise argparse.ArgumentTypeError(
            f"positive numbers with commas between them are expected, such as 1,4,8: {text!r}"
        )
    numbers = tuple(map(int, words))
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"a batch size is given twice: {text!r}")
    return numbers


def whole_number(lowest: int) -> Callable[[str], int]:
    """Return an argparse type that takes numbers from `lowest` on."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= MAX_NUMBER):
            raise argparse.ArgumentTypeError(f"a number from {lowest} to {MAX_NUMBER} is expected: {text!r}")
        return int(text)

    return parse


def add_conversion_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide a conversion."""
    parser.add_argument("--model", required=True, metavar="FILE", help="the .onnx of x3d_pth2onnx.py")
    parser.add_argument("--soc", metavar="NAME", help="chip, such as 310P3 (default: that of `npu-smi info`)")
    parser.add_argument(
        "--batchsize", type=batch_sizes, metavar="N,...", help="(default: 1,4,8,16,32,64, or the model's only one)"
    )
    parser.add_argument(
        "--precision_mode",
        default=DEFAULT_MODE,
        metavar="MODE",
        help=f"of ATC, names of --precision_mode_v2 too (default: {DEFAULT_MODE})",
    )
    parser.add_argument("--input_fp16_nodes", metavar="NAME", help="the model's input, if the views are float16")


def find_soc(name: str | None) -> str:
    """Return the SoC version of --soc or of this machine's chips, and warn about chips that are not healthy.

    Raises:
        InputError: the name is none, or npu-smi is missing or lists no chip, or several kinds.
    """
    if name is not None:
        return name_soc(name)
    try:
        chips = read_chips()
        soc = common_soc(chips)
    except InputError as error:
        raise InputError(f"{error}; or give --soc, such as 310P3") from error
    for chip in chips:
        if not chip.is_healthy:
            logger.warning("NPU %d, chip %d (%s) is in state %s", chip.npu, chip.chip, chip.name, chip.health)
    logger.info("npu-smi: %s, %s", counted(len(chips), "chip"), soc)
    return soc


def find_cann() -> CannVersion | None:
    """Return the installed version of CANN, and log it, or that every precision mode of the chip is accepted."""
    version = installed_version()
    if version is None:
        toolkit = find_toolkit()
        state = f"the version of CANN in {toolkit} is unknown" if toolkit else "CANN is not installed here"
        logger.info("%s; precision modes that only later versions have are accepted", state)
    else:
        logger.info("CANN %s", version)
    return version


def suite_python() -> str:
    """Return the command that runs this suite: `python`, or a path where that is the Python of another environment."""
    found = shutil.which("python")
    if found and os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable):
        return "python"
    return short_path(sys.executable)


def takes_float16(input_fp16_nodes: str | None, input_name: str) -> bool:
    """Check that --input_fp16_nodes names the model's input.

    Raises:
        InputError: it names another.
    """
    if input_fp16_nodes is not None and input_fp16_nodes != input_name:
        raise InputError(f"--input_fp16_nodes {input_fp16_nodes!r}: the model's input is {input_name!r}")
    return input_fp16_nodes is not None
