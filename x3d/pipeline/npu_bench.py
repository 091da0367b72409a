"""Measure the throughput of .om models on an idle NPU with ais_bench."""

import logging
import math
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from x3d import __version__
from x3d.ascend.ais_bench import check_installed, measuring_command
from x3d.ascend.ais_bench_output import Measurement, parse_output, parse_summary
from x3d.ascend.cann import installed_version, package_version
from x3d.ascend.chips import describe_unfit, find_chip
from x3d.ascend.npu_smi import Chip
from x3d.ascend.power import measure_power
from x3d.ascend.published import PUBLISHED
from x3d.ascend.tools import ToolResult, run_tool, unwinding_on_stop
from x3d.errors import InputError, RunError, counted, shorten_list
from x3d.execution.progress import step_bar
from x3d.network.model_file import read_model
from x3d.pipeline.npu_bench_files import open_bench, write_bench
from x3d.pipeline.run_line import log_run
from x3d.storage.conversion_record import ConversionRecord, read_conversion

START_SECONDS, BATCH_SECONDS = 600.0, 10.0
"""Time limits of ais_bench: to load a model, and for each batch."""
IDLE_ATTEMPTS, IDLE_SECONDS = 10, 1.0
"""How often and in what interval npu-smi is asked after a run whether the NPU is idle again; its load lags behind."""
POWER_SECONDS = 15.0
"""How long an NPU is kept busy to measure its power."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Om:
    """A model to measure.

    Attributes:
        conversion: its record, None without one.
    """

    path: str
    digest: str
    conversion: ConversionRecord | None

    def contradictions(self, batch_size: int) -> Iterator[str]:
        """Yield how the batch size of the model contradicts its name and its record."""
        name = re.search(r"_bs(\d+)$", Path(self.path).stem)
        if name and int(name[1]) != batch_size:
            yield f"its batch size is {batch_size}, not {name[1]} as in its name"
        if self.conversion and self.conversion.batch_size != batch_size:
            yield f"its batch size is {batch_size}, not {self.conversion.batch_size} as in the record of its conversion"


def bench(oms: Sequence[str], loop: int, device: int, folder: str) -> dict[str, Any]:
    """Measure each .om, and write the files of `folder` anew after each; one that fails does not stop the others.

    Args:
        loop: number of batches.
        device: as ais_bench numbers them.
    Returns:
        The content of npu_bench.json; "failed" lists what was not measured, "warnings" of a row what makes it doubtful.
    Raises:
        InputError: a file is no .om, the NPU is unhealthy or busy, ais_bench or npu-smi is missing or hangs, or the
            folder is in use or holds anything else; nothing is measured.
        OSError: a file cannot be written.
    """
    models = _read_models(oms)
    check_installed()
    chip = find_chip(device)
    if unfit := describe_unfit(chip):
        raise InputError(f"{unfit}; wait until it is idle and healthy, or give another --device")
    content = _begin(chip, loop)
    with unwinding_on_stop(), open_bench(folder) as root:
        write_bench(root, content)
        work = f"{counted(len(models), 'model')}, {counted(loop, 'batch', 'batches')} each"
        log_run(work, f"ais_bench on {chip.name}, device {chip.device}", f"output {folder}")
        _measure_all(models, loop, chip, root, content)
    return content


def _measure_all(models: Sequence[Om], loop: int, chip: Chip, root: Path, content: dict[str, Any]) -> None:
    """Measure each model, add its row or why there is none to the content, and write it."""
    with step_bar(len(models), "models") as bar:
        for number, om in enumerate(models, 1):
            bar.set_postfix_str(Path(om.path).name)
            log = root / f"ais_bench_{number}.log"
            try:
                row = _measure(om, loop, chip, log)
                content["rows"].append(row)
                logger.info("%s: batch size %d, %.1f views/s", om.path, row["batch_size"], row["views_per_second"])
            except RunError as error:
                content["failed"].append({"om": om.path, "reason": str(error)})
                logger.warning("%s: %s", om.path, error)
            write_bench(root, content)
            bar.update()


def _read_models(paths: Sequence[str]) -> list[Om]:
    """Read and check the models.

    Raises:
        InputError: one is no .om, is given twice, or is not the one that the record beside it describes.
    """
    models = []
    for path in paths:
        if not path.lower().endswith(".om"):
            raise InputError(f"--om {path!r}: a file that ATC writes is expected, such as x3d_s_bs8.om")
        digest = read_model(path).digest
        models.append(Om(path, digest, read_conversion(path, digest)))
    digests = [om.digest for om in models]
    if twice := [om.path for om in models if digests.count(om.digest) > 1]:
        raise InputError(f"--om {shorten_list(twice)}: the same model; give each once")
    return models


def _begin(chip: Chip, loop: int) -> dict[str, Any]:
    """Describe chip and versions, before anything is measured."""
    cann = installed_version()
    return {
        "schema": 1,
        "chip": {"name": chip.name, "npu": chip.npu, "chip": chip.chip, "device": chip.device},
        "cann": str(cann) if cann else None,
        "driver": package_version("driver"),
        "x3d_eval": __version__,
        "loop": loop,
        "rows": [],
        "failed": [],
    }


def _measure(om: Om, loop: int, chip: Chip, log: Path) -> dict[str, Any]:
    """Measure a model.

    Raises:
        RunError: ais_bench failed, or printed no measurement.
        OSError: the log cannot be written.
    """
    warnings = _check_idle(chip.device, "before")
    with tempfile.TemporaryDirectory(prefix="x3d-bench-") as scratch:
        command = measuring_command(om.path, loop, str(chip.device), scratch, "measured")
        result = run_tool(command, START_SECONDS + BATCH_SECONDS * loop, log)
        result.check()
        measured = _parse(result, Path(scratch))
    warnings += [*_check_idle(chip.device, "after"), *om.contradictions(measured.batch_size)]
    power = None
    if chip.power_watts is not None:
        power = _measure_power(om, measured, chip.device)
    return {
        "om": om.path,
        "om_digest": om.digest,
        "conversion": asdict(om.conversion) if om.conversion else None,
        "batch_size": measured.batch_size,
        "views_per_second": measured.throughput,
        "published_views_per_second": PUBLISHED.get(measured.batch_size),
        "num_batches": measured.count,
        "compute": asdict(measured.compute),
        "to_device": asdict(measured.to_device) if measured.to_device else None,
        "from_device": asdict(measured.from_device) if measured.from_device else None,
        "power_watts": power,
        "log": log.name,
        "warnings": warnings,
    }


def _parse(result: ToolResult, scratch: Path) -> Measurement:
    """Parse what ais_bench printed, and compare it with the summary that it wrote, if it wrote one.

    Raises:
        RunError: there is no measurement, there are several, or they contradict each other; the text names the log.
    """
    try:
        printed = parse_output(result.output)
        summaries = [*scratch.glob("*_summary.json"), *scratch.glob("*/sumary.json")]
        written = [parse_summary(path.read_bytes(), path.name) for path in summaries]
    except RunError as error:
        raise RunError(f"{error}; log: {result.log_path}") from error
    found, measured = [*printed, *written], printed[0]
    if not all(math.isclose(one.throughput, measured.throughput, rel_tol=1e-4) for one in found):
        rates = ", ".join(f"{one.throughput:.1f}" for one in found)
        raise RunError(result.failure("measured more than one throughput", f"{rates} views/s"))
    return replace(measured, count=written[0].count) if written else measured


def _measure_power(om: Om, measured: Measurement, device: int) -> float | None:
    """Return the highest power in W while the model runs once more; None if that fails, for it is an addition."""
    loop = math.ceil(1000 * POWER_SECONDS / measured.compute.mean_ms)
    with tempfile.TemporaryDirectory(prefix="x3d-bench-") as scratch:
        command = measuring_command(om.path, loop, str(device), scratch, "measured")
        try:
            return measure_power(command, START_SECONDS + 10 * POWER_SECONDS, device)
        except (RunError, InputError) as error:
            logger.warning("%s: its power is unknown: %s", om.path, error)
            return None


def _check_idle(device: int, when: str) -> list[str]:
    """Describe why an NPU is not idle and healthy before or after a run; a load without a process gets time to end."""
    unfit = ""
    for attempt in range(IDLE_ATTEMPTS):
        time.sleep(IDLE_SECONDS if attempt else 0)
        try:
            chip = find_chip(device)
        except InputError as error:
            return [f"{when} the run: {error}"]
        unfit = describe_unfit(chip)
        if not unfit:
            return []
        if chip.processes or not chip.is_healthy:
            break
    return [f"{when} the run: {unfit}"]
