"""Measure the power that a chip takes while a command keeps it busy."""

import threading
from collections.abc import Sequence

from x3d.ascend.chips import find_chip
from x3d.ascend.tools import run_tool
from x3d.errors import InputError

INTERVAL_SECONDS = 1.0
READING_SECONDS = 10.0
"""Time limit of a reading, which the end of the command, or of this process, waits for."""


def measure_power(command: Sequence[str], timeout_seconds: float, device: int) -> float | None:
    """Run a command, and return the highest power that npu-smi shows of a device meanwhile.

    Returns:
        Watts; None: npu-smi showed none.
    Raises:
        InputError, RunError, OSError: as run_tool and ToolResult.check.
    """
    readings: list[float] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            try:
                power = find_chip(device, READING_SECONDS).power_watts
            except (InputError, OSError):
                continue
            if power is not None:
                readings.append(power)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        run_tool(command, timeout_seconds).check()
    finally:
        ended.set()
        thread.join()
    return max(readings, default=None)
