"""Write predictions to a csv file or a JSON file."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from x3d import __version__
from x3d.errors import InputError
from x3d.pipeline.video_predictor import Prediction
from x3d.storage.atomic import check_replaceable, check_writable, write_json
from x3d.storage.csv_file import check_csv, path_cell, value_cell, write_csv

COLUMNS = (
    *("path", "start_seconds", "end_seconds", "rank", "label", "name"),
    *("probability", "num_agreeing", "num_views"),
)
SCHEMA = 1
OWN_KEYS = frozenset(["schema", "suite", "videos", "failed"])
"""Of every JSON file, to recognise a file of the user by."""


def check_output(path: Path) -> None:
    """Check that predictions can be written to a file, and replace no other file than earlier predictions.

    Raises:
        InputError: they cannot, would replace another file, or the suffix is neither .csv nor .json.
    """
    remedy = "give another --output"
    if path.suffix == ".csv":
        check_csv(path, COLUMNS, "prediction", remedy)
    elif path.suffix == ".json":
        check_replaceable(path, OWN_KEYS)
        check_writable(path, remedy)
    else:
        suffix = f"the suffix {path.suffix}" if path.suffix else "no suffix"
        raise InputError(f"--output {path} has {suffix}; give .csv or .json")


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write predictions whole, in the format of the suffix; csv has no rows of videos that failed.

    Raises:
        OSError: the file cannot be written; an old one stays.
    """
    if path.suffix == ".csv":
        write_csv(path, [COLUMNS, *_rows(predictions)])
    else:
        write_json(path, _to_dict(predictions))


def _rows(predictions: Sequence[Prediction]) -> Iterator[Sequence[object]]:
    for prediction in predictions:
        for segment in prediction.segments:
            for rank, found in enumerate(segment.classes, 1):
                span = segment.start_seconds, segment.end_seconds
                scored = found.probability, found.num_agreeing, segment.num_views
                values = *span, rank, found.label, found.name, *scored
                yield path_cell(prediction.path), *map(value_cell, values)


def _to_dict(predictions: Sequence[Prediction]) -> dict[str, Any]:
    videos = [prediction for prediction in predictions if not prediction.reason]
    failed = [prediction for prediction in predictions if prediction.reason]
    return {
        "schema": SCHEMA,
        "suite": __version__,
        "videos": [
            {
                "path": video.path,
                "segments": [asdict(segment) for segment in video.segments],
                "warnings": list(video.warnings),
            }
            for video in videos
        ],
        "failed": [{"path": video.path, "reason": video.reason, "text": video.text} for video in failed],
    }
