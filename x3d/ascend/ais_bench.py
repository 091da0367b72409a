"""The command lines of ais_bench."""

import re

from x3d.errors import InputError

_MISSING = re.compile(r"No module named '?(ais_bench|aclruntime)\b")


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


def check_installed(output: str) -> None:
    """Check in what `python -m ais_bench` printed that it found ais_bench and aclruntime.

    Raises:
        InputError: it did not.
    """
    if match := _MISSING.search(output):
        raise InputError(
            f"`python` on PATH has no {match[1]}; activate the environment that has ais_bench and aclruntime, or build "
            "both from github.com/Ascend/tools, ais-bench_workload/tool/ais_bench, and install them there"
        )


def _command(model: str, device: str) -> list[str]:
    """Begin a command; without a device ais_bench takes the first, several are joined by commas."""
    return ["python", "-m", "ais_bench", "--model", model, *(["--device", device] if device else [])]
