"""Aggregated scores of the videos of a run, whatever they were read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class ScoreTable:
    """Joined scores of the complete videos, and what is wrong or missing.

    Attributes:
        scores: (n, num_classes) float32.
        labels: (n,) int64.
        source: who says what should be there.
        conditions: what the scores were made and joined with.
        incomplete: videos that should be there and are not, or not in full.
        missing: what is missing of them, one text each.
        faults: what should not be there; a table with faults is not scored.
        reference_line: the final line as PySlowFast's meter gives it, with X3D_POSTPROCESS.BACKEND slowfast.
    """

    scores: np.ndarray
    labels: np.ndarray
    source: str
    conditions: Mapping[str, Any]
    incomplete: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    reference_line: dict[str, str] | None = None
