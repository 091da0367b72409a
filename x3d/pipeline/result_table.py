"""Read a folder of results, one file per view, into a table of aggregated scores."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.errors import InputError, counted
from x3d.execution.progress import progress_bar
from x3d.files import short_path
from x3d.pipeline.output_check import OutputCheck
from x3d.scoring import Failure, ScoreTable, audit_views, find_failures, majority_labels
from x3d.scoring.aggregate import best_of_views, mean_of_views
from x3d.scoring.outputs import Outputs, to_probabilities
from x3d.scoring.table import UNKNOWN_LABEL
from x3d.storage.expected_list import ExpectedList
from x3d.storage.result_folder import Result, find_results
from x3d.storage.result_record import ResultRecord
from x3d.storage.score_reader import ScoreReader

logger = logging.getLogger(__name__)

Aggregate = Callable[[np.ndarray, int], np.ndarray]
"""Takes the (V, num_classes) float32 scores of a video's views and its label; returns (num_classes,) float32."""


@dataclass(frozen=True)
class ExpectedViews:
    """The views that a complete run has.

    Attributes:
        views: (n,) int64, sorted.
        labels: (n,) int64, the label of each.
        source: where they come from.
    """

    views: np.ndarray
    labels: np.ndarray
    source: str

    @classmethod
    def of_list(cls, listed: ExpectedList, num_views: int) -> "ExpectedViews":
        """Expect all views of the listed videos."""
        per_view = np.repeat(np.array(listed.labels, dtype=np.int64), num_views)
        return cls(np.arange(len(per_view)), per_view, listed.source)

    @classmethod
    def of_record(cls, record: ResultRecord, views: np.ndarray, labels: np.ndarray, num_views: int) -> "ExpectedViews":
        """Expect all views of the list that the views were made from, or, where that is unknown, those of the summary.

        Args:
            views, labels: (n,) int64, those found, sorted by view; their labels count where the summary has none.
        """
        named = np.array(sorted(record.labels))
        named_labels = majority_labels(named, np.array([record.labels[view] for view in named]), num_views)
        if record.num_videos is None:
            return cls(named, named_labels, "the summary")
        per_view = np.full(record.num_videos * num_views, UNKNOWN_LABEL)
        found = views < len(per_view)
        per_view[views[found]] = majority_labels(views, labels, num_views)[found]
        known = named < len(per_view)
        per_view[named[known]] = named_labels[known]
        return cls(np.arange(len(per_view)), per_view, record.views_source)

    def of_videos(self, num_views: int) -> np.ndarray:
        """Take the label of each video up to the last expected one: (N,) int64, UNKNOWN_LABEL if nothing records it."""
        labels = np.full(int(self.views[-1]) // num_views + 1, UNKNOWN_LABEL)
        np.maximum.at(labels, self.views // num_views, self.labels)
        return labels


@dataclass(frozen=True)
class AuditedResults:
    """The results of a folder, compared with the expected views.

    Attributes:
        videos: (n,) int64, positions of the complete videos.
        by_video: of each complete video, its results in order of the views.
        failures: of the other expected videos, by position.
        listed_labels: (N,) int64, of every expected video.
        listed_paths: of every expected video, if they are recorded.
        problems: unexpected, duplicate or contradictory results.
        expected_from: where the expected views come from.
        digests: of the results, as ScoreReader takes them.
    """

    folder: str
    videos: np.ndarray
    by_video: Sequence[Sequence[Result]]
    failures: Mapping[int, Failure]
    listed_labels: np.ndarray
    listed_paths: Sequence[str]
    problems: Sequence[str]
    expected_from: str
    digests: Mapping[str, str]

    @property
    def incomplete(self) -> list[int]:
        """Positions of the videos with a label whose views are not all found."""
        return [video for video in self.failures if self.listed_labels[video] != UNLABELLED]


def audit_results(
    folder: str,
    num_views: int,
    num_classes: int,
    listed: ExpectedList | None = None,
    record: ResultRecord | None = None,
) -> AuditedResults:
    """List the results that ais_bench or x3d_infer.py wrote, and compare them with the expected views.

    Args:
        num_views: per video.
        listed: the videos whose views are expected; None: those of the record, else all up to the highest one found.
        record: how the results were made.
    Raises:
        InputError: the folder does not exist or holds no results.
    """
    results, problems = find_results(folder)
    if not results:
        raise InputError(f"{folder} holds no results: files <view>_<label>_0 ending in .bin, .npy or .txt")
    views = np.array([result.view for result in results])
    labels = np.array([result.label for result in results])
    expected = _find_expected(folder, num_views, views, labels, listed, record)
    audit = audit_views(views, labels, expected.views, expected.labels, num_views)
    count, source = counted(len(expected.views), "view"), short_path(expected.source)
    logger.info("%s: %s expected, from %s; %d found", folder, count, source, len(results))
    _warn_about_gaps(expected, num_views)
    problems += [*audit.problems, *_result_problems(results, num_classes, record)]
    return AuditedResults(
        folder=folder,
        videos=audit.complete,
        by_video=[results[at : at + num_views] for at in np.searchsorted(views, audit.complete * num_views)],
        failures=find_failures(audit, num_views, record.missing_videos if record else {}),
        listed_labels=expected.of_videos(num_views),
        listed_paths=listed.paths if listed else record.listed_paths if record else (),
        problems=problems,
        expected_from=expected.source,
        digests=record.digests if record else {},
    )


def aggregate_results(
    audited: AuditedResults,
    num_views: int,
    num_classes: int,
    aggregate: Aggregate,
    allow_missing: bool = False,
    outputs: Outputs = Outputs.SOFTMAX,
    with_means: bool = False,
) -> ScoreTable:
    """Read and aggregate the views of each complete video; nothing is read if the results cannot be scored.

    Args:
        allow_missing: read the complete videos although others are incomplete.
        outputs: what the results are.
        with_means: the aggregated scores are not the sum of the views'.
    """
    if audited.problems or (audited.incomplete and not allow_missing):
        return _empty_table(audited, 0, num_views, num_classes, with_means)
    table = _empty_table(audited, len(audited.videos), num_views, num_classes, with_means)
    reader = ScoreReader(num_views, num_classes, audited.digests)
    check = OutputCheck(outputs)
    with progress_bar(len(audited.by_video), note=Path(audited.folder).name) as progress:
        for video, results in enumerate(audited.by_video):
            progress.update()
            if not check.add(reader.rows, results, reader.read(results)):
                continue
            views = to_probabilities(reader.rows, outputs)
            table.scores[video] = aggregate(views, results[0].label)
            table.view_classes[video], table.view_probabilities[video] = best_of_views(views)
            if table.means is not None:
                table.means[video] = mean_of_views(views)
    return dataclasses.replace(table, problems=check.problems(audited.folder))


def _empty_table(
    audited: AuditedResults, num_videos: int, num_views: int, num_classes: int, with_means: bool
) -> ScoreTable:
    """Make the table of the first complete videos, with zeros for scores."""
    return ScoreTable(
        folder=audited.folder,
        videos=audited.videos[:num_videos],
        labels=audited.listed_labels[audited.videos[:num_videos]],
        scores=np.zeros((num_videos, num_classes), dtype=np.float32),
        view_classes=np.zeros((num_videos, num_views), dtype=np.int32),
        view_probabilities=np.zeros((num_videos, num_views), dtype=np.float32),
        listed_labels=audited.listed_labels,
        expected_from=audited.expected_from,
        listed_paths=audited.listed_paths,
        failures=audited.failures,
        means=np.zeros((num_videos, num_classes), dtype=np.float32) if with_means else None,
        problems=audited.problems,
    )


def _result_problems(results: Sequence[Result], num_classes: int, record: ResultRecord | None) -> list[str]:
    """Describe results of another run, and those of labels that the model has no class for."""
    foreign = [record.describe_foreign(result.view, result.path.rpartition("/")[2]) for result in results if record]
    return [problem for problem in foreign if problem] + [
        f"view {result.view} has label {result.label}; MODEL.NUM_CLASSES is {num_classes}"
        for result in results
        if result.label >= num_classes
    ]


def _find_expected(
    folder: str,
    num_views: int,
    views: np.ndarray,
    labels: np.ndarray,
    listed: ExpectedList | None,
    record: ResultRecord | None,
) -> ExpectedViews:
    if listed:
        return ExpectedViews.of_list(listed, num_views)
    if record:
        return ExpectedViews.of_record(record, views, labels, num_views)
    return _expected_from_folder(folder, num_views, views, labels)


def _expected_from_folder(folder: str, num_views: int, views: np.ndarray, labels: np.ndarray) -> ExpectedViews:
    num_videos = int(views.max()) // num_views + 1
    if num_videos > len(views):
        count = counted(len(views), "result")
        raise InputError(
            f"{folder} holds {count}, the last of video {num_videos - 1}, and no summary beside it; set "
            "DATA.PATH_TO_DATA_DIR to the folder of test.csv, which names the expected videos"
        )
    per_view = np.full(num_videos * num_views, UNKNOWN_LABEL)
    per_view[views] = majority_labels(views, labels, num_views)
    return ExpectedViews(np.arange(len(per_view)), per_view, f"the highest view found, {views.max()}")


def _warn_about_gaps(expected: ExpectedViews, num_views: int) -> None:
    videos = expected.views // num_views
    gaps = np.setdiff1d(np.arange(videos[-1]), videos)
    if len(gaps):
        logger.warning(
            "%s does not expect %s before its last one, such as video %d; set DATA.PATH_TO_DATA_DIR to the folder of "
            "test.csv to expect every listed video",
            *(expected.source, counted(len(gaps), "video"), gaps[0]),
        )
