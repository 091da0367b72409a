"""Read the chips of this machine, and choose what to convert for."""

import os
import re
from collections.abc import Sequence

from x3d.ascend.npu_smi import COMMAND, Chip, parse_info, soc_version
from x3d.ascend.tools import last_lines, run_tool
from x3d.errors import InputError, RunError, shorten_list
from x3d.files import printable

TIMEOUT_SECONDS = 60.0

_RENUMBERING = "ASCEND_RT_VISIBLE_DEVICES"

_FAMILIES = {"310P": "310P3", "310B": "310B1", "910_93": "910_9392", "950": "950PR_9599"}
"""Names that several chips share, and one of them; 910B is a chip of the first generation too."""


def read_chips(timeout_seconds: float | None = None) -> list[Chip]:
    """Run `npu-smi info` and parse its table.

    Args:
        timeout_seconds: None: TIMEOUT_SECONDS.
    Raises:
        InputError: npu-smi is missing, fails, hangs or lists no chip.
    """
    try:
        result = run_tool(COMMAND, timeout_seconds or TIMEOUT_SECONDS)
    except RunError as error:
        raise InputError(f"{error}; check it with `npu-smi info`") from error
    if result.exit_status:
        raise InputError(f"`npu-smi info` failed ({last_lines(result.output)}); check driver and permissions")
    return parse_info(result.output)


def name_soc(name: str) -> str:
    """Return the SoC version of a chip's name: of 310P3 and of Ascend310P3 it is Ascend310P3.

    Raises:
        InputError: no such name can be.
    """
    chip = name.removeprefix("Ascend")
    if chip in _FAMILIES:
        raise InputError(
            f"--soc {name} names a family of chips; give one that `npu-smi info` shows, as {_FAMILIES[chip]}"
        )
    if not re.fullmatch(r"\d[\w-]+", chip, re.ASCII) or re.match(r"\d+[a-z]", chip):
        raise InputError(f"--soc {name!r}: a name as `npu-smi info` shows it is expected, such as 310P3")
    return f"Ascend{chip}"


def common_soc(chips: Sequence[Chip]) -> str:
    """Return the SoC version that all chips have.

    Raises:
        InputError: they have several.
    """
    found = sorted({soc_version(chip) for chip in chips})
    if len(found) > 1:
        raise InputError(f"this machine has {' and '.join(found)}; give --soc, the one to convert for")
    return found[0]


def find_chip(device: int, timeout_seconds: float | None = None) -> Chip:
    """Find the chip that `--device` of ais_bench means.

    Args:
        timeout_seconds: as read_chips takes it.
    Raises:
        InputError: there is none, or the environment numbers the devices otherwise.
    """
    if os.environ.get(_RENUMBERING):
        raise InputError(f"{_RENUMBERING} is set, so that device {device} may be any; unset it, and give --device")
    chips = read_chips(timeout_seconds)
    for chip in chips:
        if chip.device == device:
            return chip
    devices = ", ".join(str(chip.device) for chip in chips)
    raise InputError(f"--device {device}: npu-smi lists the devices {devices}; give one of these")


def describe_unfit(chip: Chip) -> str:
    """Describe why a chip is unfit for measurements; empty: it is healthy and idle."""
    reasons = [] if chip.is_healthy else [f"is in state {chip.health}"]
    if chip.processes:
        reasons.append(f"is used by {shorten_list([f'{one.name} ({one.pid})' for one in chip.processes])}")
    elif not chip.is_idle:
        reasons.append(f"has a load of {chip.aicore_percent} %")
    name = f"NPU {chip.npu}, chip {chip.chip} ({chip.name}, device {chip.device})"
    return printable(f"{name} {' and '.join(reasons)}") if reasons else ""
