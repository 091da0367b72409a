"""Compare two runs on the same videos, and describe the comparison: the content of comparison.json."""

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from x3d.errors import InputError
from x3d.files import describe_no_folder
from x3d.pipeline.comparison_text import describe_decision, list_differences
from x3d.pipeline.comparison_warnings import find_warnings
from x3d.pipeline.postprocess import DEFAULTS, ScoringSettings, read_table
from x3d.report.lost_classes import describe_lost_classes, lost_class_rows
from x3d.report.shares import share
from x3d.scoring import ScoreTable, check_problems
from x3d.scoring.comparison import ClassChange, Comparison, PairedPredictions, compare_tables
from x3d.scoring.noninferiority import MARGIN_POINTS

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

MAX_FLIPS = 200
"""Flips in comparison.json; flips.csv has all."""
KINDS = ("lost", "gained", "changed")
"""Kinds of flips, in the order of their list."""
PERCENTILE = 99


def compare(
    reference_dir: str,
    candidate_dir: str,
    settings: ScoringSettings = DEFAULTS,
    margin_points: float = MARGIN_POINTS,
    common: bool = False,
) -> Comparison:
    """Compare two folders of results or of rows of x3d_evaluate.py.

    Args:
        margin_points: the loss of top-1 that is accepted, in points.
        common: compare what both runs have.
    Raises:
        InputError: no such folder, it contradicts the settings, or the runs cannot be paired.
        ScoringError: views are unexpected or unusable.
    """
    reference, candidate = (read_complete(folder, settings) for folder in (reference_dir, candidate_dir))
    return compare_tables(reference, candidate, margin_points, common)


def read_complete(folder: str, settings: ScoringSettings) -> ScoreTable:
    """Read the complete videos of a folder, by the native backend.

    Raises:
        InputError: no such folder, or it contradicts the settings.
        ScoringError: views are unexpected or unusable.
    """
    if not os.path.isdir(folder):
        problem = describe_no_folder(folder)
        raise InputError(f"{problem}; give a folder that x3d_evaluate.py, ais_bench or x3d_infer.py wrote")
    table = read_table(folder, dataclasses.replace(settings, allow_missing=True, slowfast_cfg=None))
    check_problems(table, allow_missing=True)
    return table


def comparison_to_dict(comparison: Comparison, names: "ClassNames") -> dict[str, Any]:
    """Convert a comparison to JSON values: the content of comparison.json, beside its schema."""
    ours, theirs = comparison.of_reference, comparison.of_candidate
    decision = comparison.decision
    lost_classes = lost_class_rows(comparison, names)
    return {
        "reference": _describe_run(comparison.reference, ours, comparison.num_labelled),
        "candidate": _describe_run(comparison.candidate, theirs, comparison.num_labelled),
        "num_videos": comparison.num_videos,
        "num_labelled": comparison.num_labelled,
        "num_left_out": comparison.pairs.num_left_out,
        "left_out": list(comparison.pairs.left_out),
        "warnings": [*find_warnings(comparison, names), *describe_lost_classes(lost_classes)],
        "common": comparison.common,
        "num_views_reference": comparison.reference.num_views,
        "num_views_candidate": comparison.candidate.num_views,
        "differences": list_differences(comparison.reference.conditions, comparison.candidate.conditions),
        "decision": {**dataclasses.asdict(decision), "text": describe_decision(comparison)} if decision else None,
        **_describe_changes(comparison),
        "agreement": _describe_agreement(comparison),
        "max_difference": comparison.max_difference,
        "mean_difference": comparison.mean_difference,
        "kl_mean": float(comparison.divergences.mean()),
        "kl_p99": float(np.percentile(comparison.divergences, PERCENTILE)),
        "views": _describe_views(comparison),
        "classes": [_describe_class(change, names) for change in comparison.changed_classes()],
        "lost_classes": lost_classes,
        "num_flips": int(comparison.changed.sum()),
        "flips": list_flips(comparison, names)[:MAX_FLIPS],
    }


def _describe_run(table: ScoreTable, predictions: PairedPredictions, num_labelled: int) -> dict[str, Any]:
    """Describe a run: its scored videos, and its accuracy on the compared ones with a label."""
    num_correct = {"top1": int(predictions.correct.sum()), "top5": int(predictions.in_top5.sum())}
    shares = {name: share(count, num_labelled) if num_labelled else None for name, count in num_correct.items()}
    return {"folder": table.folder, "num_scored": len(table.videos), **shares}


def _describe_agreement(comparison: Comparison) -> dict[str, Any]:
    described = share(int((~comparison.changed).sum()), comparison.num_videos)
    return {"num_agreeing": described.pop("num_correct"), **described}


def _describe_changes(comparison: Comparison) -> dict[str, Any]:
    """Count the labelled videos that are right in both runs, one or none."""
    ours, theirs = comparison.of_reference, comparison.of_candidate
    return {
        "lost": int(comparison.lost.sum()),
        "gained": int(comparison.gained.sum()),
        "both_right": int((ours.correct & theirs.correct).sum()),
        "both_wrong": comparison.num_labelled - int((ours.correct | theirs.correct).sum()),
        "mcnemar_p": comparison.mcnemar_p if comparison.num_labelled else None,
        "top5_lost": int((ours.in_top5 & ~theirs.in_top5).sum()),
        "top5_gained": int((theirs.in_top5 & ~ours.in_top5).sum()),
    }


def _describe_views(comparison: Comparison) -> dict[str, Any] | None:
    views = comparison.views
    if views is None:
        return None
    return {
        "num_views": views.num_views,
        "num_agreeing": views.num_agreeing,
        "percent": 100 * views.num_agreeing / views.num_views,
        "num_labelled": views.num_labelled,
        "lost": views.num_lost,
        "gained": views.num_gained,
    }


def _describe_class(change: ClassChange, names: "ClassNames") -> dict[str, Any]:
    return {
        "class": change.label,
        "name": names.name(change.label),
        "num_videos": change.num_videos,
        "lost": change.num_lost,
        "gained": change.num_gained,
        "drop_points": change.drop_points,
        "low_points": change.low_points,
        "high_points": change.high_points,
    }


def list_flips(comparison: Comparison, names: "ClassNames") -> list[dict[str, Any]]:
    """List every video with two best classes: lost, gained, others; of each those first that both are confident of."""
    ours, theirs = comparison.of_reference, comparison.of_candidate
    confidences = np.minimum(ours.confidences, theirs.confidences)
    changed = np.flatnonzero(comparison.changed)
    flips = []
    for number in changed[np.argsort(-confidences[changed], kind="stable")].tolist():
        label, was, becomes = (int(values[number]) for values in (comparison.labels, ours.classes, theirs.classes))
        flips.append(
            {
                "path": comparison.path(number),
                "label": label if label >= 0 else None,
                "label_name": names.name(label) if label >= 0 else None,
                "reference": was,
                "reference_name": names.name(was),
                "reference_probability": float(ours.confidences[number]),
                "candidate": becomes,
                "candidate_name": names.name(becomes),
                "candidate_probability": float(theirs.confidences[number]),
                "kind": "lost" if was == label else "gained" if becomes == label else "changed",
            }
        )
    return sorted(flips, key=lambda flip: KINDS.index(flip["kind"]))
