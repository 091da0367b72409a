"""Parse the table of `npu-smi info`, of every chip that has one.

A chip takes two lines. The columns are those of the 310, 310B and 310P, with a device number; of the 910, with a second
memory (HBM); of the 910_93, with two chips per NPU; and of the 950, with no chip number. A table of processes follows,
or none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from x3d.errors import InputError, one_line, shorten_text
from x3d.files import printable

COMMAND = ("npu-smi", "info")

_RULER = re.compile(r"[|+][-=+|]+[|+]")
_UNKNOWN = ("NA", "-", "-200", str(2**32 - 1))
"""The numbers are what is printed where the driver gives no temperature or load; power and memory are negative then."""
_FIRST = re.compile(r"(?P<npu>\d+)\s+(?P<name>\S.*)")
_READINGS = re.compile(r"(?P<power>-?\d+(?:\.\d+)?|NA|-)\s+(?P<temperature>-?\d+|NA|-)(\s+\S.*)?")
_SECOND = re.compile(r"(?P<chip>\d+)?(\s+(?P<device>\d+|NA))?")
_USAGES = re.compile(r"(?P<load>\d+|NA|-)(?P<pairs>(\s+(-?\d+|NA)\s*/\s*\d+)+)")
_PROCESS = re.compile(r"(?P<npu>\d+)(\s+(?P<chip>\d+))?")


@dataclass(frozen=True)
class Process:
    """A process that uses a chip."""

    pid: int
    name: str
    memory_mb: int


@dataclass(frozen=True)
class Chip:
    """A chip as npu-smi shows it; None: not shown, or not available.

    Attributes:
        npu: number of the NPU that the chip is part of, which may be any, such as 24.
        chip: number within that NPU, from 0.
        device: number that `--device` of ais_bench takes, from 0.
        name: such as 310P3, 310B1, 910B4; Ascend910 on an NPU of two chips.
        health: OK, Warning, Alarm, Critical or another word.
        memory_used_mb, memory_total_mb: 0 where hbm_used_mb and hbm_total_mb are the chip's memory.
        aicore_percent: load of the AI Cores.
    """

    npu: int
    chip: int
    device: int
    name: str
    health: str
    power_watts: float | None
    temperature_c: int | None
    bus_id: str | None
    aicore_percent: int | None
    memory_used_mb: int | None
    memory_total_mb: int
    hbm_used_mb: int | None = None
    hbm_total_mb: int | None = None
    processes: tuple[Process, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """True if nothing is wrong with the chip."""
        return self.health == "OK"

    @property
    def is_idle(self) -> bool:
        """True if no process uses the chip and its load is 0 or unknown; some tables list no processes."""
        return not self.processes and not self.aicore_percent


def soc_version(chip: Chip) -> str:
    """Return what `--soc_version` of ATC takes for a chip, such as Ascend310P3.

    Raises:
        InputError: the table does not show it, as of the 910_93.
    """
    if not re.match(r"\d", chip.name):
        raise InputError(
            f"npu-smi shows NPU {chip.npu} as {chip.name}, which is no SoC version; give --soc: the Chip Name and NPU "
            f"Name of `npu-smi info -t board -i {chip.npu} -c {chip.chip}`, joined as in Ascend910_9392"
        )
    return f"Ascend{chip.name}"


def parse_info(text: str) -> list[Chip]:
    """Parse what `npu-smi info` prints; lines outside of its table are ignored.

    Raises:
        InputError: no table, no chip in it, or a line of it that is cut off or of another form; the text quotes it.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    table = [line for line in lines if line.startswith(("|", "+"))]
    heads = [number for number, line in enumerate(table) if re.match(r"\|\s*NPU\s.*\bHealth\b", line)]
    if not heads:
        quoted = _quote(lines[-1]) if lines else "nothing"
        raise InputError(f"npu-smi printed {quoted} and no table of chips; check the driver with `npu-smi info`")
    if not _RULER.fullmatch(table[-1]):
        raise _unreadable(table[-1], "the table is cut off after it")
    chips, processes = _split(table[heads[0] + 2 :])
    parsed = list(_parse_chips(chips, table[heads[0] + 1]))
    if not parsed:
        raise InputError("npu-smi lists no chip; check the driver, and in a container that /dev/davinci* is passed on")
    return _add_processes(parsed, processes)


def _split(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the lines below the head into those of chips and of processes, without rulers and heads."""
    rows = [line for line in lines if not _RULER.fullmatch(line)]
    for line in rows:
        if not (line.startswith("|") and line.endswith("|") and len(line) > 1):
            raise _unreadable(line, "a row begins and ends with |")
    start = next((number for number, row in enumerate(rows) if "Process id" in row), len(rows))
    return rows[:start], rows[start + 1 :]


def _parse_chips(rows: Sequence[str], head: str) -> Iterator[Chip]:
    if len(rows) % 2:
        raise _unreadable(rows[-1], "a chip has two lines")
    for number, (first, second) in enumerate(zip(rows[::2], rows[1::2], strict=True)):
        chip = _parse_chip(first, second, head.count("-Usage(MB)"))
        yield chip if re.search(r"\bDevice\b", head) else replace(chip, device=number)


def _parse_chip(first: str, second: str, num_usages: int) -> Chip:
    """Parse the two lines of a chip; where the head has no column Device its device is to be set."""
    name, health, readings = _cells(first)
    numbers, bus_id, usages = _cells(second)
    of_name, of_readings = _match(_FIRST, name, first), _match(_READINGS, readings, first)
    of_numbers, of_usages = _match(_SECOND, numbers, second), _match(_USAGES, usages, second)
    pairs = re.findall(r"(-?\w+)\s*/\s*(\d+)", of_usages["pairs"])
    if len(pairs) != num_usages or not health:
        raise _unreadable(second, f"{num_usages} memories as in the head are expected")
    hbm = pairs[1] if num_usages > 1 else ("NA", "NA")
    return Chip(
        npu=int(of_name["npu"]),
        chip=int(of_numbers["chip"] or 0),
        device=_int(of_numbers["device"]) or 0,
        name=of_name["name"],
        health=health,
        power_watts=None if of_readings["power"].startswith(("-", "NA")) else float(of_readings["power"]),
        temperature_c=_int(of_readings["temperature"]),
        bus_id=None if bus_id in _UNKNOWN else bus_id,
        aicore_percent=_int(of_usages["load"]),
        memory_used_mb=_used(pairs[0][0]),
        memory_total_mb=int(pairs[0][1]),
        hbm_used_mb=_used(hbm[0]),
        hbm_total_mb=_int(hbm[1]),
    )


def _add_processes(chips: list[Chip], rows: Sequence[str]) -> list[Chip]:
    found: dict[tuple[int, int], list[Process]] = {(chip.npu, chip.chip): [] for chip in chips}
    for row in rows:
        if "No running processes" in row:
            continue
        numbers, pid, name, memory, *_ = [*row.strip("|").split("|"), *[""] * 4]
        match = _match(_PROCESS, numbers.strip(), row)
        key = int(match["npu"]), int(match["chip"] or 0)
        if key not in found or not pid.strip().isdigit() or not memory.strip().isdigit():
            raise _unreadable(row, "a process of a chip in the table is expected")
        found[key].append(Process(int(pid), name.strip(), int(memory)))
    return [replace(chip, processes=tuple(found[chip.npu, chip.chip])) for chip in chips]


def _cells(row: str) -> tuple[str, str, str]:
    """Split a row into three cells; the first two of the 950's four are one of the others."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    if len(cells) == 4:
        cells = [f"{cells[0]} {cells[1]}".strip(), *cells[2:]]
    if len(cells) != 3:
        raise _unreadable(row, "three cells are expected")
    return cells[0], cells[1], cells[2]


def _match(pattern: re.Pattern[str], cell: str, row: str) -> re.Match[str]:
    match = pattern.fullmatch(cell)
    if match is None:
        raise _unreadable(row, f"{cell!r} is not understood")
    return match


def _int(text: str | None) -> int | None:
    return None if text is None or text in _UNKNOWN else int(text)


def _used(text: str) -> int | None:
    """Parse the memory in use."""
    return None if text.startswith("-") else _int(text)


def _quote(line: str) -> str:
    return f"'{one_line(printable(shorten_text(line)))}'"


def _unreadable(line: str, reason: str) -> InputError:
    return InputError(
        f"the table of npu-smi cannot be read at {_quote(line)}: {reason}; check it with `npu-smi info`, and attach "
        "what x3d_npu.py record collects to an issue"
    )
