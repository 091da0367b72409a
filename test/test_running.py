"""The accuracy so far."""

import numpy as np

from x3d.scoring.accuracy import Share
from x3d.scoring.running import RunningTop1

SCORES = np.eye(4, dtype=np.float32)


def test_no_video_has_no_accuracy():
    running = RunningTop1()
    assert str(running) == ""
    running.add(SCORES[:0], np.zeros(0, dtype=np.int64))
    running.add(SCORES[:1], np.array([-1]))
    assert str(running) == ""


def test_videos_are_counted_as_they_come_with_the_interval_of_their_share():
    running = RunningTop1()
    running.add(SCORES, np.array([0, 1, 2, 0]))
    running.add(SCORES[:2], np.array([0, -1]))
    assert str(running) == "top-1 80.0 % (37.6 to 96.4)"
    assert [f"{limit:.1f}" for limit in Share(4, 5).interval] == ["37.6", "96.4"]


def test_of_equal_scores_the_lower_class_is_the_best():
    for label, text in ((0, "top-1 100.0 % (20.7 to 100.0)"), (1, "top-1 0.0 % (0.0 to 79.3)")):
        running = RunningTop1()
        running.add(np.ones((1, 4), dtype=np.float32), np.array([label]))
        assert str(running) == text
