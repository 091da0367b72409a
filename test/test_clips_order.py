"""Clips of files whose frames are decoded in another order than predicted: each once, and those of the rule."""

import itertools
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from test.faults import FILES
from test.test_clips import CountingReader, S, list_clips, planned_clips
from test.videos import frame_numbers, swap_pts, write_video
from x3d.errors import VideoError
from x3d.video.clips import decode_clips
from x3d.video.sampling import Header, Sampling, plan_clips


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("swapped", [(50, 55), (60, 63), (75, 80), (150, 153), (190, 199)])
def test_a_file_whose_frames_are_out_of_pts_order_is_decoded_twice(swapped, suffix, tmp_path):
    source = write_video(tmp_path / f"source{suffix}", 200, codec="ffv1")
    path = swap_pts(source, tmp_path / f"video{suffix}", *swapped)
    with CountingReader(path) as reader:
        assert list_clips(reader) == planned_clips(path)
        assert len(reader.decoded) == (2 if swapped[0] < 190 or suffix == ".mkv" else 1)


def test_the_second_pass_decodes_a_file_that_starts_between_key_frames_as_the_first(tmp_path):
    """A flushed H.264 decoder drops the frames before the first key frame, which a new one decodes."""
    source = write_video(tmp_path / "source.mkv", 200)
    path = tmp_path / "video.ts"
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        frames = list(reader.decode(video=0))
        start = next(n for n, frame in enumerate(frames) if frame.pict_type == PictureType.I and not frame.key_frame)
        reader.seek(0)
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for number, packet in enumerate(reader.demux(video=0)):
            if packet.dts is not None and number >= start:
                packet.stream = stream
                writer.mux(packet)
    with CountingReader(path) as reader:
        reader.predict = lambda pts: pts[::-1]
        assert list_clips(reader) == planned_clips(path)
        assert reader.decoded == [200 - start] * 2


def test_clips_before_a_misprediction_are_not_decoded_again(tmp_path):
    path = swap_pts(write_video(tmp_path / "source.mp4", 200, codec="ffv1"), tmp_path / "video.mp4", 150, 153)
    converted = []
    with CountingReader(path) as reader:
        for number, _ in decode_clips(reader, S, lambda frame: converted.append(frame_numbers([frame])[0])):
            assert len(reader.decoded) == (1 if number < 6 else 2)
    assert converted.count(0) == converted.count(77) == 1


PREDICTIONS = {
    "no frame": lambda pts: [],
    "one frame less": lambda pts: pts[:-1],
    "one frame more": lambda pts: [*pts, pts[-1] + 512],
    "reversed": lambda pts: pts[::-1],
    "another time base": lambda pts: [time // 3 for time in pts],
    "one frame missing in the middle": lambda pts: pts[:120] + pts[121:],
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("predict", PREDICTIONS.values(), ids=PREDICTIONS.keys())
def test_no_prediction_changes_the_clips(predict, suffix, tmp_path):
    path = write_video(tmp_path / f"video{suffix}", 200)
    with CountingReader(path) as reader:
        reader.predict = predict
        assert list_clips(reader) == planned_clips(path)
        assert len(reader.decoded) <= 2


@pytest.mark.parametrize("predict", [lambda pts: pts, lambda pts: []])
def test_a_file_whose_first_frame_cannot_be_decoded_is_damaged_not_empty(predict, tmp_path):
    FILES["noise.mp4"][0](tmp_path / "noise.mp4")
    with CountingReader(tmp_path / "noise.mp4") as reader:
        reader.predict = predict
        with pytest.raises(VideoError, match="after 0 frames") as raised:
            list_clips(reader)
        assert raised.value.reason == "damaged"


def test_frames_decoded_in_another_order_each_time_are_an_error(tmp_path):
    class Unsteady(CountingReader):
        def frames(self, left_out=frozenset()):
            return reversed(list(super().frames())) if len(self.decoded) == 0 else super().frames()

    with Unsteady(write_video(tmp_path / "video.mp4", 100)) as reader:
        with pytest.raises(VideoError, match=r"video\.mp4: .*decoded in another order each time") as raised:
            list_clips(reader)
        assert raised.value.reason == "damaged"
        assert len(reader.decoded) == 2


class FakeReader:
    """A reader of frames that are numbers: their position in decoding order."""

    path = "fake.mp4"

    def __init__(self, decoded_pts, expected_pts, header):
        self.decoded_pts, self._expected_pts = decoded_pts, expected_pts
        self.stream = SimpleNamespace(header=header)

    def expected_pts(self):
        return self._expected_pts

    def unreferenced_pts(self):
        return set()

    def frames(self, left_out=frozenset()):
        return (SimpleNamespace(pts=pts, width=4, height=3, at=at) for at, pts in enumerate(self.decoded_pts))

    def to_rgb(self, frame):
        return frame.at


def random_videos(num_videos):
    """Yield pts in decoding order, pts as predicted, and a header; prediction and pts differ in a few places."""
    random = np.random.RandomState(0)
    for _ in range(num_videos):
        num_frames = int(random.randint(1, 300))
        expected = [int(pts) for pts in np.arange(num_frames) * 10 + random.choice([0, -30, 40])]
        decoded = list(expected)
        for _ in range(random.randint(0, 4)):
            first, second = random.randint(0, len(decoded), 2)
            decoded[first], decoded[second] = decoded[second], decoded[first]
        for _ in range(random.choice([0, 0, 3])):
            if len(decoded) > 1:
                decoded.pop(random.randint(0, len(decoded)))
        count = int(random.choice([num_frames, num_frames, 0, num_frames + 4]))
        yield decoded, expected, Header(30.0, count, None if random.rand() < 0.25 else 10 * num_frames)


def test_clips_of_random_orders_are_those_of_the_rule_each_once():
    num_compared = 0
    for (decoded, expected, header), num_clips, use_offset in itertools.product(
        random_videos(300), (10, 1), (False, True)
    ):
        sampling = Sampling(13, 6, 30, num_clips, use_offset)
        clips = decode_clips(FakeReader(decoded, expected, header), sampling, lambda position: position)
        try:
            rule = plan_clips(decoded, header, sampling).positions.tolist()
        except ValueError as error:
            with pytest.raises(VideoError, match=str(error)) as raised:
                list(clips)
            assert raised.value.reason == "truncated"
            continue
        assert list(clips) == list(enumerate(rule))
        num_compared += 1
    assert num_compared > 800


def test_a_duration_below_zero_is_no_other_rule():
    """Its windows run backwards, so that a later clip needs fewer frames than an earlier one."""
    pts, header = list(range(-60, 140)), Header(30.0, 200, -100)
    plan = plan_clips(pts, header, S)
    assert plan.num_frames_needed[1] < plan.num_frames_needed[0]
    clips = decode_clips(FakeReader(pts, pts, header), S, lambda position: position)
    assert list(clips) == list(enumerate(plan.positions.tolist()))
