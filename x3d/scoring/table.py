"""Scores of the videos of a run, from results or from score rows.

Dimensions: N listed videos, n of them with scores, V views per video, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from x3d.dataset.annotations import UNLABELLED

UNKNOWN_LABEL = -2
"""Label of a listed video that nothing records."""
UNKNOWN_SOURCE = 0
"""Hash of a video file of which nothing records one."""


@dataclass(frozen=True)
class Failure:
    """Why a listed video has no scores.

    Attributes:
        reason: one of x3d.errors.REASONS; empty if none is recorded.
        text: names the video and what is missing.
    """

    reason: str
    text: str


@dataclass(frozen=True)
class ScoreTable:
    """Scores of the videos that have all their views, and what is wrong or missing.

    Attributes:
        folder: what the scores were read from.
        videos: (n,) int64, positions in the list, increasing; videos without a label are among them.
        labels: (n,) int64, -1 without a label.
        scores: (n, C) float32, aggregated over the views; they decide the ranking of the classes.
        view_classes: (n, V) int32, the best class of each view, of equal ones the lowest.
        view_probabilities: (n, V) float32, the probability that each view gave it.
        listed_labels: (N,) int64, of every listed video, UNKNOWN_LABEL where nothing records it.
        expected_from: where the list comes from: test.csv, a summary, or the highest view found.
        listed_paths: of every listed video, as listed; empty where nothing records it; no item if none is recorded.
        failures: of every listed video without scores, by its position, in order.
        means: (n, C) float32, the mean of the views' probabilities, if `scores` is not their sum.
        sources: (n,) uint64, xxh3-64 of the content of each video's file, UNKNOWN_SOURCE where nothing records it; None
            if nothing records any.
        conditions: what the scores were made and aggregated with.
        problems: unexpected, contradictory or unusable content; a table with problems is not scored.
        reference_line: the final line of PySlowFast's meter, with X3D_POSTPROCESS.BACKEND slowfast.
    """

    folder: str
    videos: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    view_classes: np.ndarray
    view_probabilities: np.ndarray
    listed_labels: np.ndarray
    expected_from: str
    listed_paths: Sequence[str] = ()
    failures: Mapping[int, Failure] = field(default_factory=dict)
    means: np.ndarray | None = None
    sources: np.ndarray | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[str] = ()
    reference_line: Mapping[str, str] | None = None

    @property
    def num_views(self) -> int:
        """Views per video."""
        return int(self.view_classes.shape[1])

    @property
    def num_classes(self) -> int:
        """Classes that have scores."""
        return int(self.scores.shape[1])

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The mean of the views' probabilities, whatever the ensemble: (n, C) float32."""
        return self.scores / np.float32(self.num_views) if self.means is None else self.means

    @cached_property
    def labelled(self) -> np.ndarray:
        """Which of the videos with scores take part in the accuracy: (n,) bool."""
        return np.asarray(self.labels != UNLABELLED)

    @property
    def unlabelled(self) -> list[int]:
        """Positions of the listed videos without a label."""
        return np.flatnonzero(self.listed_labels == UNLABELLED).tolist()

    @property
    def incomplete(self) -> list[int]:
        """Positions of the videos with a label and without scores."""
        return [video for video in self.failures if self.listed_labels[video] != UNLABELLED]

    @property
    def missing(self) -> list[str]:
        """What is missing of each incomplete video."""
        return [self.failures[video].text for video in self.incomplete]

    def reason(self, video: int) -> str:
        """Why a listed video has no scores, empty if none is recorded."""
        return self.failures[video].reason if video in self.failures else ""

    def path(self, video: int) -> str:
        """Name a listed video by its path, or by its number if nothing records the path."""
        return (self.listed_paths[video] if len(self.listed_paths) else "") or f"video {video}"
