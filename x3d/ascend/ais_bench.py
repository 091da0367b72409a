"""The command lines of ais_bench, its input files, and whether it is installed."""

import os
import shlex
import shutil
from pathlib import Path

from x3d.ascend.cann import find_set_env
from x3d.ascend.tools import run_tool
from x3d.errors import InputError, RunError, shorten_text
from x3d.files import printable

TIMEOUT_SECONDS = 120.0


def results_command(
    model: str, batch_size: int | str, views: str, output: str, output_name: str, device: str = ""
) -> list[str]:
    """Return the command that runs an .om over a folder of views and writes `<output>/<output_name>/`."""
    folders = ["--input", views, "--output", output, "--output_dirname", output_name]
    return [*_command(model, device), *folders, "--batchsize", str(batch_size)]


def pure_command(model: str, batch_size: int | str, loop: int) -> list[str]:
    """Return the command that measures an .om on zeros.

    Args:
        loop: number of batches.
    """
    return [*_command(model, ""), "--batchsize", str(batch_size), "--loop", str(loop)]


def measuring_command(model: str, loop: int, device: str, output: str, output_name: str) -> list[str]:
    """Return the command that measures an .om on zeros, with the times of the copies, and writes a summary.

    It gives no batch size, for ais_bench would compute the throughput from a wrong one without comparing it with the
    model's.

    Args:
        loop: number of batches.
        output, output_name: the summary is `<output>/<output_name>_summary.json`, beside or in the folder of results.
    """
    folders = ["--output", output, "--output_dirname", output_name]
    return [*_command(model, device), "--loop", str(loop), "--display_all_summary", "True", *folders]


def check_installed() -> None:
    """Check that `python` on PATH has ais_bench, and that aclruntime finds the libraries of CANN.

    Raises:
        InputError: it has not, does not, or hangs.
    """
    command = ["python", "-c", "import aclruntime, ais_bench"]
    try:
        result = run_tool(command, TIMEOUT_SECONDS)
    except RunError as error:
        raise InputError(f"{error}; check it with `{shlex.join(command)}`") from error
    if result.exit_status:
        [*_, reason] = result.output.strip().splitlines() or [f"exit status {result.exit_status}"]
        raise InputError(
            f"`python` on PATH cannot run ais_bench ({printable(shorten_text(reason))}); activate the environment that "
            f"has ais_bench and aclruntime, and run `source {find_set_env()}`"
        )


def link_or_copy(path: Path, target: Path) -> None:
    """Link a file for ais_bench to read, or copy it to another file system; later releases reject symbolic links.

    Raises:
        OSError: it cannot be copied.
    """
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)


def _command(model: str, device: str) -> list[str]:
    """Begin a command; without a device ais_bench takes the first, several are joined by commas."""
    return ["python", "-m", "ais_bench", "--model", model, *(["--device", device] if device else [])]
