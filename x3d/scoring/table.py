"""Aggregated scores of the videos of a run, from results or from score rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ScoreTable:
    """Aggregated scores of the complete videos, and what is wrong or missing.

    Attributes:
        folder: what the scores were read from.
        scores: (n, num_classes) float32.
        labels: (n,) int64.
        expected_from: where the expected videos come from: test.csv, a summary, or the highest view found.
        conditions: what the scores were made and aggregated with.
        incomplete: indices of labelled videos without a score or with missing views.
        unlabelled: indices of the videos without a label, which are in none of the others.
        missing: the missing views of each incomplete video, one text each.
        problems: unexpected, contradictory or unusable content; a table with problems is not scored.
        reference_line: the final line of PySlowFast's meter, with X3D_POSTPROCESS.BACKEND slowfast.
    """

    folder: str
    scores: np.ndarray
    labels: np.ndarray
    expected_from: str
    conditions: Mapping[str, Any] = field(default_factory=dict)
    incomplete: Sequence[int] = ()
    missing: Sequence[str] = ()
    problems: Sequence[str] = ()
    unlabelled: Sequence[int] = ()
    reference_line: Mapping[str, str] | None = None
