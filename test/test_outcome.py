"""The result of one video."""

import pickle

from x3d.dataset.annotations import Video
from x3d.execution.outcome import Outcome, in_order
from x3d.execution.process_pool import TRIES

VIDEO = Video(3, "a.mp4", "/data/a.mp4", 7)


def test_an_outcome_has_a_value_and_no_reason_unless_one_is_given():
    outcome = Outcome(VIDEO, 5)
    assert (outcome.value, outcome.reason, outcome.text) == (5, "", "")
    failure: Outcome[int] = Outcome(VIDEO, reason="empty", text="a.mp4: the file has no bytes")
    assert (failure.value, failure.reason) == (None, "empty")


def test_an_outcome_survives_pickling():
    assert pickle.loads(pickle.dumps(Outcome(VIDEO, 5))) == Outcome(VIDEO, 5)


def test_outcomes_come_in_the_order_of_their_videos_as_soon_as_they_can():
    videos = [Video(index, f"{index}.mp4", "", 0) for index in (4, 2, 7, 9)]
    taken = []

    def outcomes():
        for index in (7, 4, 9, 2):
            taken.append(index)
            yield Outcome(next(video for video in videos if video.index == index), index)

    ordered = in_order(outcomes(), videos)
    assert (next(ordered).value, taken) == (4, [7, 4])
    assert [outcome.value for outcome in ordered] == [2, 7, 9]


def test_outcomes_after_one_that_does_not_come_are_left_out():
    videos = [Video(index, f"{index}.mp4", "", 0) for index in range(3)]
    assert [outcome.value for outcome in in_order([Outcome(videos[0], 0), Outcome(videos[2], 2)], videos)] == [0]


def test_a_video_is_tried_twice_as_the_reasons_say():
    assert TRIES == 2
