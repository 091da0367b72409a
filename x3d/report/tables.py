"""The rows of the csv files of a report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from x3d.scoring.predictions import NUM_BEST, Predictions
from x3d.storage.csv_file import path_cell, text_cell, value_cell

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

PREDICTION_COLUMNS = (
    *("path", "index", "label", "label_name"),
    *(f"top{place}_{column}" for place in range(1, NUM_BEST + 1) for column in ("class", "name", "probability")),
    *("rank", "margin", "entropy", "views_agreeing", "reason", "text"),
)
CLASS_COLUMNS = ("name", "class", "num_videos", "num_correct", "percent", "low", "high", "num_top5", "num_predicted")
LOST_TO_COLUMNS = ("name", "class", "count")
CONFUSION_COLUMNS = (
    *("true_name", "predicted_name", "true", "predicted"),
    *("count", "reverse_count", "num_true", "num_reverse"),
)
BIN_COLUMNS = ("low", "high", "num_videos", "confidence", "accuracy", "accuracy_low", "accuracy_high")


def prediction_rows(predictions: Predictions, names: "ClassNames") -> Iterator[Sequence[object]]:
    """Yield the header and a row per listed video, in the order of the list."""
    table = predictions.table
    entropies = predictions.entropies
    rows = {video: row for row, video in enumerate(table.videos.tolist())}
    class_names = [text_cell(names.name(number)) for number in range(table.num_classes)]
    yield PREDICTION_COLUMNS
    for video, label in enumerate(table.listed_labels.tolist()):
        named = [label, class_names[label]] if label >= 0 else ["", ""]
        row = rows.get(video)
        if row is None:
            failure = table.failures.get(video)
            result: list[object] = [""] * (3 * NUM_BEST + 4)
            result += [failure.reason, text_cell(failure.text)] if failure else ["", ""]
        else:
            result = [*_result_cells(predictions, row, class_names, float(entropies[row])), "", ""]
        yield [path_cell(table.path(video)), video, *named, *result]


def _result_cells(predictions: Predictions, row: int, class_names: Sequence[str], entropy: float) -> list[object]:
    best, probabilities = predictions.best[row].tolist(), predictions.probabilities[row].tolist()
    cells: list[object] = []
    for number, probability in zip(best, probabilities, strict=True):
        cells += [number, class_names[number], value_cell(probability)]
    cells += [""] * (3 * (NUM_BEST - len(best)))
    margin = value_cell(probabilities[0] - probabilities[1]) if len(best) > 1 else ""
    rank = int(predictions.ranks[row])
    return [*cells, rank or "", margin, value_cell(entropy), int(predictions.num_agreeing[row])]


def class_table(classes: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    """Yield the header and a row per class, the class with the lowest upper limit of its accuracy first.

    Args:
        classes: of report.json.
    """
    yield [*CLASS_COLUMNS, *(f"lost_to_{column}" for column in LOST_TO_COLUMNS)]
    for row in sorted(classes, key=lambda row: 101 if row["high"] is None else row["high"]):
        yield [*_cells(row, CLASS_COLUMNS), *_cells(row["lost_to"] or {}, LOST_TO_COLUMNS)]


def confusion_table(confusions: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    """Yield the header and a row per pair of confused classes."""
    yield CONFUSION_COLUMNS
    for row in confusions:
        yield _cells(row, CONFUSION_COLUMNS)


def calibration_table(calibration: Mapping[str, Any] | None) -> Iterator[Sequence[object]]:
    """Yield the header and a row per bin, of the videos and of the views.

    Args:
        calibration: of report.json.
    """
    yield ["of", *BIN_COLUMNS]
    for of, found in (calibration or {}).items():
        for row in found["bins"]:
            yield [of, *_cells(row, BIN_COLUMNS)]


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[object]:
    return [value_cell(row.get(column)) for column in columns]
