"""Made-up reports, small ones and one of a whole validation set."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from demo.made_up_run import degrade, leave_out, make_run
from x3d.dataset.annotations import UNLABELLED
from x3d.dataset.class_names import ClassNames
from x3d.pipeline.compare import comparison_to_dict
from x3d.report.document import build_report
from x3d.scoring.accuracy import measure_accuracy
from x3d.scoring.comparison import compare_tables
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import ScoreTable

MARGIN_POINTS = 0.735
HOSTILE = (
    "<script>window.attacked = 1</script>",
    '"><img src=x onerror="window.attacked = 1">',
    "</title></style></script><h1>gone</h1>",
    "{{ 7 * 7 }} {% raw %} &amp; &lt;b&gt;",
    "\u202egnp.exe \u2066\x1b[31m\x00 \ud800",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "w" * 3000,
    "' onmouseover='window.attacked = 1",
)
"""Names of classes and files that try to run, to end an element, to reorder or to widen the page."""


def make_table(
    num_videos: int = 300, num_classes: int = 8, num_views: int = 3, num_failed: int = 4, labelled: bool = True
) -> ScoreTable:
    """Make up a run, of which some videos have no scores or none has a label."""
    table = make_run(num_videos, num_classes, num_views, signal=3.0)
    if not labelled:
        unlabelled = np.full(num_videos, UNLABELLED)
        table = dataclasses.replace(table, labels=unlabelled, listed_labels=unlabelled)
    return leave_out(table, list(range(0, num_failed * 7, 7)))


def make_report(table: ScoreTable, names: Sequence[str] | None = None, compared: bool = False) -> dict[str, Any]:
    """Make the report of a made-up run, compared with one from which a conversion made it."""
    known = ClassNames(names, "made up") if names else ClassNames()
    accuracy = measure_accuracy(table, allow_missing=True) if table.labelled.any() else None
    comparison = None
    if compared:
        changed = compare_tables(table, degrade(table, 0.4), MARGIN_POINTS)
        comparison = comparison_to_dict(changed, known)
    return build_report(Predictions.of_table(table), accuracy, known, comparison)


def make_hostile_report() -> dict[str, Any]:
    """Make a report whose classes, files and conditions have hostile names, and whose warnings quote them."""
    table = make_table(num_classes=len(HOSTILE))
    paths = [f"{HOSTILE[label]}/{number}.mp4" for number, label in enumerate(table.listed_labels)]
    failures = {
        video: dataclasses.replace(failure, text=f"{paths[video]}: {failure.text}")
        for video, failure in table.failures.items()
    }
    table = dataclasses.replace(
        table, folder=HOSTILE[2], listed_paths=paths, failures=failures, conditions={name: name for name in HOSTILE}
    )
    report = make_report(table, HOSTILE, compared=True)
    return report | {"warnings": list(HOSTILE)}
