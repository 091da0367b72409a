"""What stands out in a report, as sentences for somebody who knows nothing of the run, the most important first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from x3d.files import printable
from x3d.report.folders import FolderConflict, find_folder_conflicts
from x3d.report.formats import quantity
from x3d.report.lost_classes import describe_lost_classes
from x3d.scoring.class_order import MIN_VIDEOS
from x3d.scoring.label_check import SuspiciousPair, find_suspicious_pairs, min_agreeing
from x3d.scoring.predictions import Predictions

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

MAX_PAIRS = 2
MAX_REASONS = 3
TOO_LOW = "too low"
MIN_CLASSES = 3
LOW_CLASS_QUANTILE = 0.25
"""A class is clearly below the rest if its upper limit is below this quantile of the other classes' lower limits."""
MAX_DIVIDED_SHARE = 0.1
"""It is a finding if in more than this share of the videos fewer than half of the views agree."""


def find_remarkable(predictions: Predictions, report: Mapping[str, Any], names: "ClassNames") -> list[dict[str, str]]:
    """Name what stands out, each as kind, text and the part of the page that shows it.

    Args:
        report: report.json without its findings.
    """
    comparison = report["comparison"]
    lost_classes = comparison["lost_classes"] if comparison else []
    lost = describe_lost_classes(lost_classes)
    pairs = [] if report["warnings"] else find_suspicious_pairs(predictions)
    pairs = [pair for pair in pairs if pair.label not in {row["class"] for row in lost_classes}][:MAX_PAIRS]
    conflicts = [] if report["warnings"] else find_folder_conflicts(predictions.table, names)
    explained = bool(report["warnings"] or pairs or conflicts or lost)
    texts = {
        ("class_order", "confusions"): report["warnings"],
        ("comparison", "comparison"): _decision(comparison),
        ("comparison_warning", "comparison"): _comparison_warnings(comparison, lost, report["warnings"]),
        ("class_lost", "comparison"): [f"{text}." for text in lost],
        ("failures", "failures"): _failures(report["run"], report["failures"]),
        ("folders", "confusions"): _describe_conflicts(conflicts, names),
        ("labels", "confusions"): [_describe_pair(pair, report) for pair in pairs],
        ("class", "classes"): [] if explained else _lowest_class(report["classes"]),
        ("calibration", "calibration"): _calibration(report["calibration"], report["run"]["num_views"]),
        ("views", "views"): _divided(report["run"]["num_scored"], report["views"]["agreement"]),
    }
    return [{"kind": kind, "text": text, "anchor": anchor} for (kind, anchor), found in texts.items() for text in found]


def checked_without_finding(report: Mapping[str, Any]) -> list[str]:
    """Name what was checked and gave no finding, so that silence is no riddle; not what could not be checked.

    Args:
        report: report.json.
    """
    found = {finding["kind"] for finding in report["findings"]}
    num_labelled, comparison = report["run"]["num_labelled"], report["comparison"]
    checks = {
        "class order": num_labelled >= MIN_VIDEOS and "class_order" not in found,
        "lost classes": comparison and comparison["decision"] and "class_lost" not in found,
        "labels": num_labelled and not found & {"class_order", "class_lost", "labels", "folders"},
        "calibration": num_labelled and "calibration" not in found,
        "failed or missing videos": "failures" not in found,
    }
    return [name for name, is_silent in checks.items() if is_silent]


def _decision(comparison: Mapping[str, Any] | None) -> Iterator[str]:
    if comparison and comparison["decision"]:
        yield comparison["decision"]["text"]


def _comparison_warnings(
    comparison: Mapping[str, Any] | None, lost: Sequence[str], warnings: Sequence[str]
) -> Iterator[str]:
    """Yield the warnings of the comparison that no other finding repeats: that of a lost class or of the run."""
    for text in comparison["warnings"] if comparison else ():
        if text not in lost and not any(warning in text for warning in warnings):
            yield f"{text}."


def _describe_conflicts(conflicts: Sequence[FolderConflict], names: "ClassNames") -> Iterator[str]:
    for conflict in conflicts[:MAX_PAIRS]:
        verb = "lies" if conflict.num_videos == 1 else "lie"
        yield (
            f'{_videos(conflict.num_videos)} listed as "{names.name(conflict.label)}" {verb} in the folder of '
            f'"{names.name(conflict.folder)}", such as {printable(conflict.path)}: check the list.'
        )
    if others := sum(conflict.num_videos for conflict in conflicts[MAX_PAIRS:]):
        verb = "is" if others == 1 else "are"
        yield f"{_videos(others)} more {verb} listed with another class than their folder's."


def _failures(run: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not failures:
        return
    reasons = [f"{row['num_videos']:,} {row['reason']} ({row['meaning']})" for row in failures[:MAX_REASONS]]
    if others := sum(row["num_videos"] for row in failures[MAX_REASONS:]):
        reasons.append(f"{others:,} for other reasons")
    verb = "has" if run["num_failed"] == 1 else "have"
    yield f"{run['num_failed']:,} of {run['num_listed']:,} listed videos {verb} no scores: {', '.join(reasons)}."


def _describe_pair(pair: SuspiciousPair, report: Mapping[str, Any]) -> str:
    num_views = report["run"]["num_views"]
    views = f" and by at least {min_agreeing(num_views)} of {num_views} views" if num_views > 1 else ""
    label, predicted = (f'"{report["classes"][number]["name"]}"' for number in (pair.label, pair.predicted))
    reverse = f"; the other way round it is {pair.num_reverse:,} of {pair.num_predicted:,}" if pair.num_reverse else ""
    return (
        f"{pair.num_confused:,} of {_videos(pair.num_label)} listed as {label} are recognised as {predicted}, "
        f"{pair.num_certain:,} of them as confidently as correct videos{views}{reverse}: check their labels."
    )


def _lowest_class(classes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known = [row for row in classes if row["num_videos"]]
    if len(known) < MIN_CLASSES:
        return
    lowest = min(known, key=lambda row: row["high"])
    others = [row["low"] for row in known if row is not lowest]
    if lowest["high"] < np.quantile(others, LOW_CLASS_QUANTILE):
        lost = lowest["lost_to"]
        yield (
            f'"{lowest["name"]}" is clearly the class with the lowest accuracy: {lowest["num_correct"]:,} of '
            f"{_videos(lowest['num_videos'])} correct ({lowest['percent']:.1f} %, 95 % interval "
            f'{lowest["low"]:.1f} to {lowest["high"]:.1f}); {lost["count"]:,} are recognised as "{lost["name"]}".'
        )


def _calibration(calibration: Mapping[str, Any] | None, num_views: int) -> Iterator[str]:
    found = calibration["videos"] if calibration else None
    direction = _describe_direction(found) if found else ""
    if direction == TOO_LOW and num_views > 1:  # by construction, as the mean of several views
        return
    if found and found["ece_percent"] > found["null_high_percent"]:
        yield (
            f"The probabilities are {direction}: the mean is "
            f"{found['mean_confidence_percent']:.1f} %, and {found['accuracy_percent']:.1f} % of the videos are "
            f"correct (calibration error {found['ece_percent']:.1f} %; a perfectly calibrated run of this size shows "
            f"{found['null_ece_percent']:.1f} %)."
        )


def _describe_direction(found: Mapping[str, Any]) -> str:
    """Describe whether most of the calibration error has one sign, as the mean has."""
    excess = found["mean_confidence_percent"] - found["accuracy_percent"]
    if 2 * abs(excess) < found["ece_percent"]:
        return "too high for some videos and too low for others"
    return "too high" if excess > 0 else TOO_LOW


def _divided(num_videos: int, agreement: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    num_views = len(agreement) - 1
    divided = [row for row in agreement if 2 * row["num_agreeing"] < num_views]
    num_divided = sum(row["num_videos"] for row in divided)
    if num_divided > MAX_DIVIDED_SHARE * num_videos:
        num_labelled = sum(row["num_labelled"] for row in divided)
        correct = f"; {sum(row['num_correct'] for row in divided):,} of them are correct" if num_labelled else ""
        yield (
            f"In {num_divided:,} of {_videos(num_videos)} fewer than half of the {num_views} views agree with "
            f"the video's class{correct}."
        )


def _videos(number: int) -> str:
    return quantity(number, "video")
