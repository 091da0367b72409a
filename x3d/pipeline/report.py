"""Write a report of a run: report.json, csv files, the scores and the page that shows them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from x3d.dataset.class_names import ClassNames
from x3d.errors import ScoringError, format_problems
from x3d.pipeline.compare import comparison_to_dict, list_flips, read_complete
from x3d.pipeline.comparison_files import flip_rows
from x3d.pipeline.postprocess import DEFAULTS, ScoringSettings
from x3d.report.classes import confusion_rows
from x3d.report.document import build_report
from x3d.report.page import render_page
from x3d.report.tables import calibration_table, class_table, confusion_table, prediction_rows
from x3d.scoring import Accuracy, ScoreTable, measure_accuracy
from x3d.scoring.comparison import compare_tables
from x3d.scoring.noninferiority import MARGIN_POINTS
from x3d.scoring.predictions import Predictions
from x3d.storage.atomic import replace_file, write_all, write_json
from x3d.storage.csv_file import write_csv
from x3d.storage.output_folder import open_output

NAMES = (
    *("report.json", "predictions.csv", "classes.csv", "confusions.csv", "calibration.csv"),
    *("flips.csv", "scores.npy", "index.html"),
)
"""Of the files; flips.csv is of a comparison only."""
OWN_KEYS = frozenset(["schema", "suite", "run", "findings"])
"""Of every report.json, to recognise a file of the user by."""
NO_NAMES = ClassNames()


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        page: its page, index.html.
        content: of report.json.
        accuracy: None if no video with scores has a label.
    """

    page: Path
    content: Mapping[str, Any]
    accuracy: Accuracy | None

    @property
    def complete(self) -> bool:
        """Check whether every listed video has scores."""
        return not self.content["run"]["num_failed"]


def open_report(folder: str, runs: Sequence[str] = ()) -> AbstractContextManager[Path]:
    """Open the folder of a report until the block ends, and remove an earlier one from it.

    Args:
        runs: folders of the runs that are read.
    Raises:
        InputError: as open_output.
    """
    return open_output(folder, NAMES, OWN_KEYS, runs)


def write_report(
    folder: str,
    target: Path,
    settings: ScoringSettings = DEFAULTS,
    names: ClassNames = NO_NAMES,
    compare_with: str = "",
    margin_points: float = MARGIN_POINTS,
    common: bool = False,
) -> Report:
    """Report a folder of results, or of rows of x3d_evaluate.py.

    Args:
        target: the report's folder, as open_report opens it.
        compare_with: the folder of another run, the reference of a comparison.
        margin_points: the loss of top-1 that is accepted, in points.
        common: compare what both runs have.
    Raises:
        InputError: no such folder, it contradicts the settings, or the runs cannot be compared.
        ScoringError: views are unexpected or unusable, or no video has all its views.
        OSError: a file cannot be written; the error names it.
    """
    table = read_complete(folder, settings)
    if not len(table.videos):
        texts = [failure.text for failure in table.failures.values()]
        raise ScoringError(f"{folder} is not reported, no video has all its views:\n{format_problems(texts)}")
    accuracy = measure_accuracy(table, True, names.names) if table.labelled.any() else None
    comparison, flips = None, None
    if compare_with:
        compared = compare_tables(read_complete(compare_with, settings), table, margin_points, common)
        comparison, flips = comparison_to_dict(compared, names), list_flips(compared, names)
    predictions = Predictions.of_table(table)
    content = build_report(predictions, accuracy, names, comparison)
    _write(target, predictions, content, names, flips)
    return Report(target / NAMES[-1], content, accuracy)


def _write(
    target: Path,
    predictions: Predictions,
    content: Mapping[str, Any],
    names: ClassNames,
    flips: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Write all files, each of them whole; report.json marks the folder and is the first, the page is the last."""
    write_json(target / "report.json", content)
    write_csv(target / "predictions.csv", prediction_rows(predictions, names))
    write_csv(target / "classes.csv", class_table(content["classes"]))
    write_csv(target / "confusions.csv", confusion_table(confusion_rows(predictions, names)))
    write_csv(target / "calibration.csv", calibration_table(content["calibration"]))
    if flips is not None:
        write_csv(target / "flips.csv", flip_rows(flips))
    _write_scores(target / "scores.npy", predictions.table)
    with replace_file(target / "index.html") as file:
        write_all(file.fileno(), render_page(content).encode())


def _write_scores(path: Path, table: ScoreTable) -> None:
    """Write the probabilities of all listed videos, NaN for those without: (N, C) float32."""
    scores = np.full((len(table.listed_labels), table.num_classes), np.nan, np.float32)
    scores[table.videos] = table.probabilities
    with replace_file(path) as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(scores))
        write_all(file.fileno(), scores.data.cast("B"))
