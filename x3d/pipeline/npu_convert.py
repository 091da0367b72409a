"""Convert an ONNX model with ATC for several batch sizes, and record each conversion."""

import contextlib
import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from x3d.ascend.atc import LOG_SUFFIX, SUFFIX, atc_command, check_model_name, check_success
from x3d.ascend.cann import CannVersion
from x3d.ascend.precision_modes import PrecisionMode
from x3d.ascend.tools import ToolResult, run_tool, unwinding_on_stop
from x3d.errors import EngineError, InputError, RunError, counted, describe_os_error, shorten_list
from x3d.execution.progress import step_bar
from x3d.network.model_file import ModelFile, read_model
from x3d.network.onnx_input import OnnxInput
from x3d.pipeline.npu_plan import om_stem
from x3d.pipeline.run_line import log_run
from x3d.storage.atomic import sync_file_system, sync_folder
from x3d.storage.conversion_record import ConversionRecord, record_path, write_conversion
from x3d.storage.output_folder import created_folder
from x3d.storage.scratch import locked_scratch

TIMEOUT_SECONDS = 4 * 3600.0
LOCK = ".x3d_npu_convert.lock"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertSettings:
    """What to convert, how, and where to.

    Attributes:
        soc: such as Ascend310P3.
        cann: the installed version, None if unknown.
        float16_input: the .om takes float16 views.
        folder: for the .om, their records and ATC's logs.
    """

    model: ModelFile
    onnx_input: OnnxInput
    soc: str
    mode: PrecisionMode
    cann: CannVersion | None
    float16_input: bool
    folder: Path

    @property
    def input_dtype(self) -> str:
        """Type of the .om's input."""
        return "float16" if self.float16_input else self.onnx_input.dtype

    def om(self, batch_size: int) -> Path:
        """Name the .om of a batch size."""
        return self.folder / f"{Path(om_stem(self.model.path, batch_size)).name}{SUFFIX}"


@dataclass(frozen=True)
class Conversions:
    """What was converted.

    Attributes:
        converted: the .om by batch size.
        failed: why there is no .om, by batch size.
    """

    converted: dict[int, Path]
    failed: dict[int, str]


def convert(settings: ConvertSettings, batch_sizes: Sequence[int]) -> Conversions:
    """Convert the model for each batch size; one that fails does not stop the others.

    An .om appears with its record when it is whole. ATC's log stays beside it, that of a failure too.

    Raises:
        InputError: ATC is missing, a name is used, or the folder is in use or cannot be written; nothing is converted.
        OSError: the disk is full before anything is converted.
    """
    check_model_name(settings.model.path)
    result = Conversions({}, {})
    with _open_folder(settings.folder, [settings.om(size) for size in batch_sizes]) as scratch:
        (scratch / Path(settings.model.path).name).write_bytes(settings.model.content)
        _log_run(settings, batch_sizes)
        with step_bar(len(batch_sizes), "conversions") as bar:
            for batch_size in batch_sizes:
                bar.set_postfix_str(settings.om(batch_size).name)
                try:
                    result.converted[batch_size] = _convert_one(settings, batch_size, scratch)
                except (RunError, OSError) as error:
                    result.failed[batch_size] = describe_os_error(error) if isinstance(error, OSError) else str(error)
                    logger.warning("batch size %d: %s", batch_size, result.failed[batch_size])
                bar.update()
    return result


def _log_run(settings: ConvertSettings, batch_sizes: Sequence[int]) -> None:
    how = f"{settings.model.path} ({settings.soc}, {settings.mode.name}, {settings.input_dtype} input)"
    work = f"{counted(len(batch_sizes), 'batch size')} ({', '.join(map(str, batch_sizes))})"
    log_run(work, how, f"output {settings.folder}")


@contextlib.contextmanager
def _open_folder(folder: Path, oms: Sequence[Path]) -> Iterator[Path]:
    """Create the folder, hold its lock, check the names, and yield a scratch folder in it.

    A folder that did not exist is removed again if it stays empty.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(unwinding_on_stop())
            stack.enter_context(created_folder(folder))
            scratch = stack.enter_context(locked_scratch(folder / LOCK))
        except OSError as error:
            raise InputError(f"--output {error.filename or folder}: {error.strerror}; give another folder") from error
        used = [str(path) for om in oms for path in (om, record_path(om)) if os.path.lexists(path)]
        if used:
            raise InputError(
                f"{shorten_list(used)} would be replaced; give another --output, or other batch sizes with --batchsize"
            )
        yield scratch


def _convert_one(settings: ConvertSettings, batch_size: int, scratch: Path) -> Path:
    """Run ATC in the scratch folder, which takes its temporary files too, and move the .om out of it."""
    om = settings.om(batch_size)
    command = atc_command(
        Path(settings.model.path).name,
        om.stem,
        settings.onnx_input.name,
        (batch_size, *settings.onnx_input.view_shape),
        settings.soc,
        settings.mode,
        settings.float16_input,
    )
    result = _run_atc(command, om.with_name(f"{om.stem}{LOG_SUFFIX}"), scratch)
    partial = scratch / om.name
    record = ConversionRecord(
        command=shlex.join(command),
        cann=str(settings.cann) if settings.cann else None,
        soc=settings.soc,
        precision_mode=settings.mode.name,
        input_dtype=settings.input_dtype,
        batch_size=batch_size,
        onnx_digest=settings.model.digest,
        om_digest=_digest(partial, result),
        seconds=round(result.seconds, 1),
    )
    write_conversion(partial, record)
    num_bytes = partial.stat().st_size
    _publish(partial, om)
    logger.info("%s: %.1f MB, %.0f s", om, num_bytes / 1e6, result.seconds)
    return om


def _run_atc(command: Sequence[str], log: Path, folder: Path) -> ToolResult:
    """Run ATC; its log stays if it succeeds or fails, not if it cannot be started or this process is stopped."""
    try:
        result = run_tool(command, TIMEOUT_SECONDS, log, folder=folder)
    except (RunError, OSError):
        raise
    except BaseException:
        log.unlink(missing_ok=True)
        raise
    check_success(result)
    return result


def _digest(om: Path, result: ToolResult) -> str:
    """Return the digest of what ATC wrote.

    Raises:
        RunError: it wrote no .om, or something else.
    """
    try:
        return read_model(str(om)).digest
    except EngineError as error:
        state = "no usable" if om.is_file() else "no"
        raise RunError(result.failure(f"succeeded and wrote {state} {om.name}")) from error


def _publish(partial: Path, om: Path) -> None:
    """Move an .om and its record out of the scratch folder: both, or none."""
    sync_file_system(partial.parent)
    try:
        os.replace(record_path(partial), record_path(om))
        os.replace(partial, om)
    finally:
        if not om.exists():
            record_path(om).unlink(missing_ok=True)
    sync_folder(om.parent)
