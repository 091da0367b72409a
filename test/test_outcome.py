"""The result of one video."""

import pickle

from x3d.dataset.annotations import Video
from x3d.execution.outcome import Outcome
from x3d.execution.process_pool import TRIES

VIDEO = Video(3, "a.mp4", "/data/a.mp4", 7)


def test_an_outcome_has_a_value_and_no_reason_unless_one_is_given():
    outcome = Outcome(VIDEO, 5)
    assert (outcome.value, outcome.reason, outcome.text) == (5, "", "")
    failure: Outcome[int] = Outcome(VIDEO, reason="empty", text="a.mp4: the file has no bytes")
    assert (failure.value, failure.reason) == (None, "empty")


def test_an_outcome_survives_pickling():
    assert pickle.loads(pickle.dumps(Outcome(VIDEO, 5))) == Outcome(VIDEO, 5)


def test_a_video_is_tried_twice_as_the_reasons_say():
    assert TRIES == 2
