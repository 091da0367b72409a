"""Check the results of a run as they are read."""

from collections.abc import Sequence

import numpy as np

from x3d.errors import counted, group_problems
from x3d.scoring.outputs import Outputs, explain_unusable, find_unusable
from x3d.storage.result_folder import Result


class OutputCheck:
    """Collects the results that cannot be used; a cause common to many is reported once, with their number."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._unusable: list[tuple[str, str]] = []
        self._num_videos = 0
        self._first: np.ndarray | None = None

    def add(self, rows: np.ndarray, results: Sequence[Result], unread: Sequence[tuple[str, str]]) -> bool:
        """Check the results of a video.

        Args:
            rows: (V, num_classes) float32.
            unread: path and cause of each file that could not be read.
        Returns:
            Whether all of them can be used.
        """
        self._unusable += unread
        if unread:
            return False
        unusable = np.flatnonzero(find_unusable(rows, self._outputs))
        for row in unusable.tolist():
            self._unusable.append((results[row].path, explain_unusable(rows[row], self._outputs)))
        self._compare_with_first(rows)
        return not len(unusable)

    def _compare_with_first(self, rows: np.ndarray) -> None:
        if not self._num_videos:
            self._first = rows[0].copy()
        self._num_videos += 1
        if self._first is not None and not (rows == self._first).all():
            self._first = None

    def problems(self, folder: str) -> list[str]:
        """List the results that cannot be used, or report that all rows are alike."""
        problems = group_problems(self._unusable, "result")
        if not problems and self._first is not None and self._num_videos > 1:
            problems.append(
                f"{folder} holds the same scores for every view of {counted(self._num_videos, 'video')}: the model "
                "ignores its input or was not run; check it, and infer again"
            )
        return problems
