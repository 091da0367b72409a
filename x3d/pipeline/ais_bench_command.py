"""Run views through an .om with ais_bench's command line, where its session is in another environment of Python."""

import tempfile
from pathlib import Path

import numpy as np

from x3d.ascend.ais_bench import check_installed, link_or_copy, measuring_command
from x3d.ascend.ais_bench_output import parse_output
from x3d.ascend.tools import last_lines, run_tool, unwinding_on_stop
from x3d.dataset.naming import result_stem
from x3d.errors import RunError, counted
from x3d.storage.record_reader import read_record
from x3d.storage.score_reader import read_scores
from x3d.storage.view_reader import Views

START_SECONDS, VIEW_SECONDS = 600.0, 10.0
"""Time limits: to load the model, and for each view."""


def infer_with_command(om: str, views: Views, num_classes: int, device: int) -> tuple[np.ndarray, int]:
    """Run views with `python -m ais_bench`.

    Args:
        views: of `views.dtype`.
    Returns:
        The outputs, (n, num_classes) float32, and the batch size.
    Raises:
        InputError: `python` on PATH does not have ais_bench, or an output is no row of scores.
        RunError: ais_bench fails, wrote no result of a view, or cut the views in two.
    """
    check_installed()
    with unwinding_on_stop(), tempfile.TemporaryDirectory(prefix="x3d-check-") as name:
        folder = Path(name)
        (folder / "views").mkdir()
        for path in views.paths:
            link_or_copy(Path(path), folder / "views" / Path(path).name)
        command = [*measuring_command(om, 1, str(device), name, "result"), "--input", str(folder / "views")]
        ran = run_tool(command, START_SECONDS + VIEW_SECONDS * len(views.paths))
        if ran.exit_status:
            raise RunError(f"ais_bench failed on {om} with {views.dtype} views: {last_lines(ran.output)}")
        if missing := [path for path in views.paths if not _result(folder, path).exists()]:
            count = counted(len(missing), "view")
            raise RunError(f"ais_bench wrote no result of {count}, as of {missing[0]}: {last_lines(ran.output)}")
        record = read_record(str(folder / "result"))
        if record and record.is_split:
            raise RunError(f"ais_bench cut the {views.dtype} views in two: {om} takes views of float16")
        found = [read_scores(str(_result(folder, path)), num_classes) for path in views.paths]
        return np.stack(found), parse_output(ran.output)[0].batch_size


def _result(folder: Path, view: str) -> Path:
    """Name the file of a view's scores."""
    return folder / "result" / f"{result_stem(view)}_0.bin"
