"""The content of report.json, from which the page and the files of a report are made."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from x3d import __version__
from x3d.report.classes import class_rows, confusion_rows
from x3d.report.confidence import calibrations, coverage_rows
from x3d.report.findings import find_remarkable
from x3d.report.shares import share
from x3d.report.videos import confident_errors, disagreeing, failure_rows
from x3d.report.views import view_summary
from x3d.scoring.accuracy import TOP_K, Accuracy
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import ScoreTable

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

SCHEMA = 1
"""Number of the layout of report.json (report.schema.json), raised when a reader of the old one would misread it."""
MAX_CONFUSIONS = 100


def build_report(
    predictions: Predictions,
    accuracy: Accuracy | None,
    names: "ClassNames",
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compute everything that a report shows, as JSON values (report.schema.json describes them).

    Args:
        predictions: of at least one video.
        accuracy: None if no video with scores has a label.
        comparison: of another run with this one, as x3d.pipeline.compare makes it.
    """
    table = predictions.table
    confusions = confusion_rows(predictions, names)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": __version__,
        "run": _run(table, names),
        "accuracy": _accuracy(accuracy) if accuracy else None,
        "warnings": list(accuracy.warnings) if accuracy else [],
        "views": view_summary(predictions),
        "classes": class_rows(predictions, names),
        "confusions": confusions[:MAX_CONFUSIONS],
        "calibration": calibrations(predictions),
        "coverage": coverage_rows(predictions),
        "failures": failure_rows(table),
        "confident_errors": confident_errors(predictions, names),
        "disagreeing": disagreeing(predictions, names),
        "totals": {
            "confusions": len(confusions),
            "confident_errors": int(predictions.wrong.sum()),
            "disagreeing": int((predictions.num_agreeing < table.num_views).sum()),
        },
        "conditions": flatten(table.conditions),
        "comparison": comparison,
    }
    return {**report, "findings": find_remarkable(predictions, report, names)}


def _run(table: ScoreTable, names: "ClassNames") -> dict[str, Any]:
    num_labelled = int(table.labelled.sum())
    return {
        "folder": table.folder,
        "expected_from": table.expected_from,
        "num_listed": len(table.listed_labels),
        "num_scored": len(table.videos),
        "num_labelled": num_labelled,
        "num_unlabelled": len(table.videos) - num_labelled,
        "num_failed": len(table.failures),
        "num_views": table.num_views,
        "num_classes": table.num_classes,
        "class_names": names.source,
    }


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    shares = {
        f"top{k}": {
            "scored": share(accuracy.num_correct[k], accuracy.num_scored),
            "listed": share(accuracy.num_correct[k], accuracy.num_listed),
        }
        for k in TOP_K
    }
    return {"line": dict(accuracy.line), **shares}


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Join the keys of nested objects by dots, and format the values as text; other values than text are JSON."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat
