"""Pair the videos of two runs: by path if both know the paths, else by position in the list."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from x3d.dataset.annotations import UNLABELLED
from x3d.errors import MAX_NAMED, InputError, counted, shorten_list
from x3d.scoring.table import UNKNOWN_LABEL, UNKNOWN_SOURCE, ScoreTable

NONE = -1
"""Position or row of what a run does not have."""
COMMON = "--common compares what both have"


@dataclass(frozen=True)
class Pairs:
    """The videos that both runs scored.

    Attributes:
        reference, candidate: (m,) int64, their rows in the table of each run.
        num_left_out: listed videos that are not compared.
        left_out: which these are, a text per cause.
        by_position: whether nothing but positions and labels shows that the pairs are of one video.
    """

    reference: np.ndarray
    candidate: np.ndarray
    num_left_out: int
    left_out: Sequence[str]
    by_position: bool


def pair_videos(reference: ScoreTable, candidate: ScoreTable, common: bool = False) -> Pairs:
    """Pair the scored videos of two runs that have one list, or what two lists have in common.

    A path that is listed several times is paired by occurrence. A video that failed in both runs is left out.

    Args:
        common: leave out what only one run lists or scores, what both list with another label, and what they scored
            from files of another content; accept another order and another number of views.
    Raises:
        InputError: the runs have other numbers of classes, no video in common, or other lists of which the paths are
            unknown; or, unless `common`, other lists, labels, contents of files, numbers of views or scored videos.
    """
    if reference.num_classes != candidate.num_classes:
        numbers = f"{reference.num_classes} classes, {candidate.folder} of {candidate.num_classes}"
        raise InputError(f"{reference.folder} holds scores of {numbers}: give two runs of one set of classes")
    lists = _Lists(reference, candidate)
    lists.check_digests()
    if not common:
        lists.check()
    pairs = lists.pair()
    if not len(pairs.reference):
        causes = "; ".join(pairs.left_out) or "no video is scored"
        raise InputError(f"{reference.folder} and {candidate.folder} have no scored video in common: {causes}")
    return pairs


@dataclass(frozen=True)
class _Lists:
    """Two lists, and which of their videos belong together."""

    reference: ScoreTable
    candidate: ScoreTable

    @cached_property
    def have_paths(self) -> bool:
        """Whether both runs know all paths."""
        return all(bool(run.listed_paths) and all(run.listed_paths) for run in (self.reference, self.candidate))

    @cached_property
    def partners(self) -> np.ndarray:
        """The position in the candidate's list of each video of the reference's, NONE if not listed: (N,) int64."""
        if self.have_paths:
            theirs = {path: position for position, path in enumerate(_occurrences(self.candidate))}
            return np.array([theirs.get(path, NONE) for path in _occurrences(self.reference)], dtype=np.int64)
        partners = np.arange(len(self.reference.listed_labels))
        partners[len(self.candidate.listed_labels) :] = NONE
        known = zip(self.reference.listed_paths, self.candidate.listed_paths, strict=False)
        partners[[position for position, (one, other) in enumerate(known) if one and other and one != other]] = NONE
        return partners

    @cached_property
    def both(self) -> np.ndarray:
        """Positions in the reference's list of the videos that both list: int64."""
        return np.flatnonzero(self.partners != NONE)

    @cached_property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels that each run lists `both` with; UNKNOWN_LABEL where nothing records it."""
        return self.reference.listed_labels[self.both], self.candidate.listed_labels[self.partners[self.both]]

    @cached_property
    def other_labels(self) -> np.ndarray:
        """Which of `both` have two labels: bool."""
        ours, theirs = self.labels
        return np.asarray((ours != theirs) & (ours != UNKNOWN_LABEL) & (theirs != UNKNOWN_LABEL))

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The row of each of `both` in the tables of the runs, NONE if it is not scored."""
        return _rows_of(self.reference, self.both), _rows_of(self.candidate, self.partners[self.both])

    @cached_property
    def other_content(self) -> np.ndarray:
        """Which of `both` have one label and were scored from two files, as far as that is recorded: bool."""
        ours, theirs = map(_sources_of, (self.reference, self.candidate), self.rows)
        known = (ours != UNKNOWN_SOURCE) & (theirs != UNKNOWN_SOURCE)
        return np.asarray(known & (ours != theirs) & ~self.other_labels)

    @cached_property
    def digests(self) -> Sequence[object]:
        """The digests of both lists, None if unknown."""
        return [_list_digest(run) for run in (self.reference, self.candidate)]

    def check_digests(self) -> None:
        """Reject two lists that are known to differ and not in what: their videos cannot be paired."""
        if all(self.digests) and self.digests[0] != self.digests[1] and not self.have_paths:
            names = f"{self.reference.folder} and {self.candidate.folder}"
            raise InputError(f"{names} were made from other lists, whose paths are not recorded; give runs of one list")

    def check(self) -> None:
        """Reject two runs that differ in more than their scores."""
        names = f"{self.reference.folder} and {self.candidate.folder}"
        if other := self._listed_once():
            raise InputError(f"{names} have other lists: {'; '.join(other)}; give runs of one list, or {COMMON}")
        moved = np.flatnonzero(self.partners != np.arange(len(self.partners)))
        if len(moved):
            first = f"{self.reference.path(moved[0])} is video {moved[0]} of one and {self.partners[moved[0]]} of the"
            raise InputError(f"{names} have lists in another order, such as {first} other; {COMMON}")
        if self.other_labels.any():
            texts = "; ".join(self._describe_labels())
            raise InputError(f"{names} have other labels: {texts}; score both with one list, or {COMMON}")
        if other := self._describe_content():
            remedy = "run the command of the earlier run again, which scores changed videos anew, or leave them out"
            raise InputError(f"{names} scored other files: {other[0]}; {remedy} with --common")
        if self.reference.num_views != self.candidate.num_views:
            numbers = f"{self.reference.num_views} and {self.candidate.num_views} views per video"
            raise InputError(f"{names} have {numbers}; score both with the same number, or {COMMON}")
        if scored := self._scored_once():
            raise InputError(f"{names} scored other videos: {'; '.join(scored)}; score the rest, or {COMMON}")
        if unfinished := self._describe(self._unfinished(), "scored by neither run, and nothing records why"):
            raise InputError(f"{names} are not finished: {unfinished[0]}; score the rest, or {COMMON}")

    def _unfinished(self) -> np.ndarray:
        """Which of `both` no run scored or recorded as failed, as of evaluations that are running or stopped: bool."""
        ours, theirs = self.rows
        open_ones = np.asarray((ours == NONE) & (theirs == NONE))
        for place in np.flatnonzero(open_ones).tolist():
            one, other = int(self.both[place]), int(self.partners[self.both[place]])
            open_ones[place] = not (self.reference.reason(one) or self.candidate.reason(other))
        return open_ones

    def pair(self) -> Pairs:
        """Pair what both runs scored with one label, and describe the rest."""
        ours, theirs = self.rows
        paired = (ours != NONE) & (theirs != NONE) & ~self.other_labels & ~self.other_content
        neither = self._describe((ours == NONE) & (theirs == NONE) & ~self.other_labels, "scored by neither run")
        differing = [*self._describe_labels(), *self._describe_content()]
        left_out = [*self._listed_once(), *differing, *self._scored_once(), *neither]
        num_listed = len(self.reference.listed_labels) + len(self.candidate.listed_labels) - len(self.both)
        by_position = not self.have_paths and not all(self.digests)
        return Pairs(ours[paired], theirs[paired], num_listed - int(paired.sum()), left_out, by_position)

    def _listed_once(self) -> list[str]:
        """Describe the videos that only one run lists."""
        ours = np.flatnonzero(self.partners == NONE)
        theirs = np.setdiff1d(np.arange(len(self.candidate.listed_labels)), self.partners)
        return [
            *_describe(self.reference, ours, "listed by the reference only"),
            *_describe(self.candidate, theirs, "listed by the candidate only"),
        ]

    def _scored_once(self) -> list[str]:
        """Describe the videos that both list with one label and only one run scored."""
        ours, theirs = self.rows
        return [
            *self._describe((ours != NONE) & (theirs == NONE) & ~self.other_labels, "scored by the reference only"),
            *self._describe((ours == NONE) & (theirs != NONE) & ~self.other_labels, "scored by the candidate only"),
        ]

    def _describe_labels(self) -> list[str]:
        """Describe the videos with two labels, by the classes, most videos first."""
        ours, theirs = self.labels
        swaps = Counter(zip(ours[self.other_labels].tolist(), theirs[self.other_labels].tolist(), strict=True))
        texts = []
        for (one, other), _ in swaps.most_common(MAX_NAMED):
            ending = f"listed with {_class(one)} in one and {_class(other)} in the other"
            texts += self._describe(self.other_labels & (ours == one) & (theirs == other), ending)
        num_more = sum(swaps.values()) - sum(count for _, count in swaps.most_common(MAX_NAMED))
        return texts + ([f"{counted(num_more, 'more video')} with two labels"] if num_more else [])

    def _describe_content(self) -> list[str]:
        return self._describe(self.other_content, "of other content in the candidate than in the reference")

    def _describe(self, chosen: np.ndarray, ending: str) -> list[str]:
        """Describe some of the videos that both list.

        Args:
            chosen: of `both`, bool.
        """
        return _describe(self.reference, self.both[chosen], ending)


def _list_digest(table: ScoreTable) -> object:
    """Look up the digest of the list in the conditions, of an evaluation or of results; None if it is unknown."""
    views = table.conditions.get("provenance", {}).get("views") or {}
    return table.conditions.get("list_digest") or views.get("list_digest")


def _occurrences(table: ScoreTable) -> list[tuple[str, int]]:
    """Pair each listed path with how often it was listed before."""
    seen: Counter[str] = Counter()
    occurrences = []
    for path in table.listed_paths:
        occurrences.append((path, seen[path]))
        seen[path] += 1
    return occurrences


def _rows_of(table: ScoreTable, positions: np.ndarray) -> np.ndarray:
    """Find the rows of listed videos in a table."""
    rows = np.full(len(table.listed_labels), NONE, dtype=np.int64)
    rows[table.videos] = np.arange(len(table.videos))
    return np.asarray(rows[positions])


def _sources_of(table: ScoreTable, rows: np.ndarray) -> np.ndarray:
    """Look up the hashes of the files that rows were scored from; UNKNOWN_SOURCE where there is none: uint64."""
    sources = np.full(len(rows), UNKNOWN_SOURCE, dtype=np.uint64)
    if table.sources is not None:
        sources[rows != NONE] = table.sources[rows[rows != NONE]]
    return sources


def _describe(table: ScoreTable, positions: np.ndarray, ending: str) -> list[str]:
    """Count listed videos and name the first; of none, no text."""
    if not len(positions):
        return []
    verb = "is" if len(positions) == 1 else "are"
    names = [table.path(position) for position in positions.tolist()]
    return [f"{counted(len(positions), 'video')} {verb} {ending} ({shorten_list(names)})"]


def _class(label: int) -> str:
    return "no label" if label == UNLABELLED else f"class {label}"
