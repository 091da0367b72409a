from pathlib import Path

import pytest

from x3d.pipeline.summary import RunSummary


@pytest.mark.parametrize(
    ("num_videos", "num_done", "num_failed", "num_not_reached", "complete"),
    [(9, 9, 0, 0, True), (9, 6, 3, 0, False), (9, 4, 3, 2, False), (0, 0, 0, 0, True)],
)
def test_done_failed_and_not_reached_add_up(num_videos, num_done, num_failed, num_not_reached, complete):
    summary = RunSummary(num_videos, num_done, num_failed * [{"reason": "empty"}], Path("manifest.json"))
    assert (summary.num_not_reached, summary.complete, summary.num_rotated) == (num_not_reached, complete, 0)
