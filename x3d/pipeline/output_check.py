"""Check the results of a run as they are read."""

from collections.abc import Sequence

import numpy as np

from x3d.errors import MAX_LISTED_PROBLEMS, counted
from x3d.scoring.outputs import Outputs, explain_unusable, find_unusable
from x3d.storage.result_folder import Result


class OutputCheck:
    """Collects the results that are not what a model should return; a cause common to many is reported once."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._texts: list[str] = []
        self._num_unusable = 0
        self._num_videos = 0
        self._first: np.ndarray | None = None

    def add(self, rows: np.ndarray, results: Sequence[Result]) -> bool:
        """Check the rows of a video, (V, num_classes) float32."""
        bad = np.flatnonzero(find_unusable(rows, self._outputs))
        self._num_unusable += len(bad)
        for row in bad[: MAX_LISTED_PROBLEMS - len(self._texts)]:
            self._texts.append(f"{results[row].path} {explain_unusable(rows[row], self._outputs)}")
        if not self._num_videos:
            self._first = rows[0].copy()
        self._num_videos += 1
        if self._first is not None and not (rows == self._first).all():
            self._first = None
        return not len(bad)

    def problems(self, folder: str) -> list[str]:
        """List the unusable results, or report that all rows are alike."""
        if self._num_unusable > MAX_LISTED_PROBLEMS:
            return [f"{self._texts[0]} ({counted(self._num_unusable - 1, 'other result')} likewise)"]
        if not self._texts and self._first is not None and self._num_videos > 1:
            return [
                f"{folder} holds the same scores for every view of {counted(self._num_videos, 'video')}: the model "
                "ignores its input or was not run; check it, and infer again"
            ]
        return self._texts
