"""Parse what ais_bench and ais_infer measured: printed text, and the JSON beside or in the folder of results."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from x3d.ascend.tools import last_lines
from x3d.errors import RunError

PERCENTILE = 99
COMPUTE, TO_DEVICE, FROM_DEVICE = "NPU_compute_time", "H2D_latency", "D2H_latency"
"""Times of a batch: of the model, and of the copies of its input and output."""
THROUGHPUT, TIMES = "throughput", "npu_compute_time_list"
STATISTICS = ("min", "max", "mean", "median", f"percentile({PERCENTILE}%)")

_NUMBER = r"([-+.\deEnaif]+)"
_TIMES = re.compile(
    rf"({COMPUTE}|{TO_DEVICE}|{FROM_DEVICE}) \(ms\): "
    + ", ".join(rf"{re.escape(key)} = {_NUMBER}" for key in STATISTICS)
)
_THROUGHPUT = re.compile(
    rf"(?:^|\] ?){THROUGHPUT} \(?1000\*batchsize(?:(?:\.mean)?\({_NUMBER}\))?"
    rf"/{COMPUTE}(?:\.mean\({_NUMBER}\))?\)?: {_NUMBER}\s*$"
)
_DEVICE = re.compile(rf"i:(\d+) device_(\d+) {THROUGHPUT}:{_NUMBER}")
_TOLERANCE = 1e-4
"""Relative: x3d_infer.py prints six digits."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds per batch."""

    min_ms: float
    max_ms: float
    mean_ms: float
    median_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Measurement:
    """What one device did.

    Attributes:
        batch_size: views per batch, throughput times mean time.
        throughput: views per second; copies and files are excluded.
        to_device, from_device: None: not printed.
        count: number of batches, None: not printed.
        device: None: the only one.
    """

    batch_size: int
    throughput: float
    compute: Latency
    to_device: Latency | None = None
    from_device: Latency | None = None
    count: int | None = None
    device: int | None = None


def parse_output(text: str) -> list[Measurement]:
    """Parse what was printed.

    Returns:
        A measurement per device.
    Raises:
        RunError: no measurement was printed, or not one for each device, or a number is no number.
    """
    lines = text.replace("\r", "\n").splitlines()
    found = list(_blocks(lines))
    devices = list(_devices(lines))
    is_of_several = bool(devices) or "multidevice" in text
    if not found or (
        is_of_several and sorted(value for value, _ in devices) != sorted(one.throughput for one in found)
    ):
        what = "a throughput of every device" if is_of_several else "a throughput"
        raise RunError(f"ais_bench did not print {what}: {last_lines(text)}")
    return [replace(one, device=_take_device(devices, one.throughput)) for one in found]


def _devices(lines: Sequence[str]) -> Iterator[tuple[float, int]]:
    """Yield throughput and number of each device that was printed."""
    for match in map(_DEVICE.search, lines):
        if match:
            try:
                yield float(match[3]), int(match[2])
            except ValueError as error:
                raise RunError(f"ais_bench printed what is no throughput: {last_lines(match[0])}") from error


def _take_device(devices: list[tuple[float, int]], throughput: float) -> int | None:
    """Remove the first device with that throughput and return its number; None: there is one device only."""
    for number, (value, device) in enumerate(devices):
        if value == throughput:
            del devices[number]
            return device
    return None


def parse_summary(content: bytes, source: str) -> Measurement:
    """Parse `<folder>_summary.json` of ais_bench, or `sumary.json` of ais_infer, which has the same keys.

    Args:
        source: its path, for messages.
    Raises:
        RunError: it is no such file.
    """
    try:
        summary = json.loads(content)
        times = {name: _latency([summary[name][key] for key in STATISTICS]) for name in _copies(summary)}
        return _measurement(times, summary[THROUGHPUT], None, _count(summary))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise RunError(f"{source} is not a summary of ais_bench: {error!r}; measure again") from error


def _blocks(lines: Sequence[str]) -> Iterator[Measurement]:
    """Yield what each block of lines that ends with a throughput measured."""
    times: list[tuple[str, Latency]] = []
    for line in lines:
        try:
            if match := _TIMES.search(line):
                times.append((match[1], _latency(match.groups()[1:])))
            elif match := _THROUGHPUT.search(line):
                yield _measurement(_take_block(times, match[2]), match[3], match[1])
        except (ValueError, OverflowError) as error:
            raise RunError(f"ais_bench printed what is no measurement: {last_lines(line)} ({error})") from error


def _take_block(times: list[tuple[str, Latency]], mean: str | None) -> dict[str, Latency]:
    """Remove the times of a block, and return those that are known to be its own.

    Blocks of several devices may mingle: the throughput repeats the mean of its compute time, and nothing shows whose
    the times of the copies are.

    Args:
        mean: None: an earlier ais_bench does not repeat it.
    """
    names = [name for name, _ in times]
    if names.count(COMPUTE) < 2:
        block = {name: latency for name, latency in times if names.count(name) == 1}
        times.clear()
        return block
    computed = [latency for name, latency in times if name == COMPUTE]
    own = next((latency for latency in computed if mean and latency.mean_ms == float(mean)), computed[0])
    computed.remove(own)
    times[:] = [(COMPUTE, latency) for latency in computed]
    return {COMPUTE: own}


def _measurement(
    times: Mapping[str, Latency], throughput: float | str, printed_size: str | None, count: int | None = None
) -> Measurement:
    if COMPUTE not in times:
        raise ValueError(f"no {COMPUTE} with {', '.join(STATISTICS)} comes before it")
    value = _positive(throughput)
    size = value * times[COMPUTE].mean_ms / 1000
    batch_size = round(size)
    if batch_size < 1 or abs(size - batch_size) > _TOLERANCE * batch_size:
        raise ValueError(f"throughput and mean time give {size:.3f} views per batch")
    if printed_size is not None and float(printed_size) != batch_size:
        raise ValueError(f"throughput and mean time give {batch_size} views per batch")
    return Measurement(batch_size, value, times[COMPUTE], times.get(TO_DEVICE), times.get(FROM_DEVICE), count)


def _latency(numbers: Sequence[float | str]) -> Latency:
    values = [float(number) for number in numbers]
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError("times are not finite")
    return Latency(*values)


def _positive(number: float | str) -> float:
    value = float(number)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"a throughput of {value} views per second")
    return value


def _copies(summary: Mapping[str, Any]) -> list[str]:
    """List the times of a summary; those of copies that were not measured are all zero."""
    return [COMPUTE, *(name for name in (TO_DEVICE, FROM_DEVICE) if any(summary.get(name, {}).values()))]


def _count(summary: Mapping[str, Any]) -> int | None:
    count = int(summary[COMPUTE].get("count", len(summary.get(TIMES, []))))
    if count < 0:
        raise ValueError(f"a count of {count}")
    return count or None
