"""The command lines of ais_bench."""


def results_command(
    model: str, batch_size: int | str, views: str, output: str, output_name: str, device: str = ""
) -> list[str]:
    """Return the command that runs an .om over a folder of views and writes `<output>/<output_name>/`."""
    folders = ["--input", views, "--output", output, "--output_dirname", output_name]
    return [*_command(model, device), *folders, "--batchsize", str(batch_size)]


def pure_command(model: str, batch_size: int | str, loop: int, device: str = "", all_times: bool = False) -> list[str]:
    """Return the command that measures an .om on zeros.

    Args:
        loop: number of batches.
        all_times: print the times of the copies too.
    """
    more = ["--display_all_summary", "True"] if all_times else []
    return [*_command(model, device), "--batchsize", str(batch_size), "--loop", str(loop), *more]


def _command(model: str, device: str) -> list[str]:
    """Begin a command; without a device ais_bench takes the first, several are joined by commas."""
    return ["python", "-m", "ais_bench", "--model", model, *(["--device", device] if device else [])]
