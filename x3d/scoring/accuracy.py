"""Top-k accuracy of aggregated scores, as a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.errors import ScoringError, counted, format_problems
from x3d.scoring.class_order import check_class_order
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.predictions import label_ranks
from x3d.scoring.table import ScoreTable

TOP_K = (1, 5)
WITHOUT_MISSING = "X3D_POSTPROCESS.ALLOW_MISSING True scores the complete videos"


@dataclass(frozen=True)
class Share:
    """A number of correct videos out of a total."""

    num_correct: int
    num_videos: int

    @property
    def percent(self) -> str:
        """Format the share as PySlowFast does: float32 arithmetic, two decimals."""
        return f"{float(np.float32(self.num_correct) / np.float32(self.num_videos) * np.float32(100)):.2f}"

    @property
    def interval(self) -> tuple[float, float]:
        """Compute the 95 % Wilson score interval, in percent (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

        37 of 49 is 75.5 %, with an interval from 61.9 to 85.4.
        """
        return wilson_interval(self.num_correct, self.num_videos)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.percent} % ({self.num_correct} of {self.num_videos}, 95 % interval {low:.2f} to {high:.2f})"


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a run, its denominators and its conditions.

    Attributes:
        num_correct: for each k, the videos whose label is among the k best classes.
        num_scored: videos with all their views.
        num_listed: those and the incomplete ones.
        num_unlabelled: videos without a label, which count nowhere else.
        incomplete: indices of the videos that are not scored.
        missing: the missing views of each incomplete video, one text each.
        expected_from: where the expected videos come from, such as the path of test.csv.
        conditions: what the scores were made and aggregated with.
        line: PySlowFast's final line.
        warnings: why the accuracy may mean something else than it seems to.
    """

    num_correct: Mapping[int, int]
    num_scored: int
    num_listed: int
    incomplete: Sequence[int]
    missing: Sequence[str]
    expected_from: str
    conditions: Mapping[str, Any]
    line: Mapping[str, str]
    num_unlabelled: int = 0
    warnings: Sequence[str] = ()

    @property
    def complete(self) -> bool:
        """Check whether every labelled video is scored."""
        return not self.incomplete

    def of_scored(self, k: int) -> Share:
        """Top-k accuracy over the scored videos."""
        return Share(self.num_correct[k], self.num_scored)

    def of_listed(self, k: int) -> Share:
        """Top-k accuracy over the listed videos, of which the incomplete ones count as wrong."""
        return Share(self.num_correct[k], self.num_listed)

    def to_dict(self) -> dict[str, Any]:
        """Convert everything to JSON values: the content of `<folder>_accuracy.json`."""
        return {
            **self.line,
            "correct": {f"top{k}": count for k, count in self.num_correct.items()},
            "interval": {f"top{k}_acc": list(self.of_scored(k).interval) for k in self.num_correct},
            "videos_scored": self.num_scored,
            "videos_listed": self.num_listed,
            "videos_unlabelled": self.num_unlabelled,
            "of_listed": {f"top{k}_acc": self.of_listed(k).percent for k in self.num_correct},
            "incomplete_videos": list(self.incomplete),
            "missing": list(self.missing),
            "expected_from": self.expected_from,
            "warnings": list(self.warnings),
            "conditions": dict(self.conditions),
        }


def measure_accuracy(
    table: ScoreTable, allow_missing: bool = False, class_names: Sequence[str] | None = None
) -> Accuracy:
    """Compute the accuracy of aggregated scores, and check the class order of the list.

    Args:
        allow_missing: score the complete videos although others are incomplete.
        class_names: of all classes, to recognise a list in another order; None if unknown.
    Raises:
        ScoringError: the table has problems, videos are incomplete, or none is complete or labelled; all are listed.
    """
    check_problems(table, allow_missing)
    labels = table.labels[table.labelled]
    if table.unlabelled and not len(labels) and not table.incomplete:
        raise ScoringError(f"{table.folder} is not scored: no video has a label, all are listed with {UNLABELLED}")
    if not len(labels):
        raise ScoringError(f"{table.folder} is not scored: no video has all its views")
    num_scored = len(labels)
    num_correct = {k: count_top_k(table.scores[table.labelled], labels, k) for k in TOP_K}
    warning = check_class_order(table.scores.argmax(axis=1), table.labels, class_names)
    return Accuracy(
        num_correct=num_correct,
        num_scored=num_scored,
        num_listed=num_scored + len(table.incomplete),
        incomplete=table.incomplete,
        missing=table.missing,
        expected_from=table.expected_from,
        conditions=table.conditions,
        line=table.reference_line or final_line(num_correct, num_scored),
        num_unlabelled=len(table.unlabelled),
        warnings=[warning] if warning else [],
    )


def check_problems(table: ScoreTable, allow_missing: bool = False) -> None:
    """Reject a table with problems.

    Args:
        allow_missing: accept missing views and videos.
    Raises:
        ScoringError: the table has problems; the text lists them.
    """
    problems = [*table.problems, *([] if allow_missing else table.missing)]
    if problems:
        advice = "" if table.problems else f" ({WITHOUT_MISSING})"
        count = counted(len(problems), "problem")
        raise ScoringError(f"{table.folder} is not scored, {count}{advice}:\n{format_problems(problems)}")


def count_top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> int:
    """Count the videos whose label is among the k best classes; of equal scores the lower class comes first.

    Args:
        scores: (num_videos, num_classes) float32.
        labels: (num_videos,) int.
    """
    return int((label_ranks(scores, labels) <= k).sum())


def final_line(num_correct: Mapping[int, int], num_videos: int) -> dict[str, str]:
    """Make PySlowFast's final line: the percentage of videos whose label is among the k best classes, for each k."""
    return {"split": "test_final"} | {
        f"top{k}_acc": Share(count, num_videos).percent for k, count in num_correct.items()
    }
