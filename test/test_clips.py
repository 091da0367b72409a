import itertools
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from test.videos import frame_numbers, swap_pts, write_video
from x3d.errors import VideoError
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Sampling, plan_clips

S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


class CountingReader(VideoReader):
    """Counts the frames decoded in each pass, and predicts the order of the frames by `predict`, if there is one."""

    predict = None

    def __init__(self, path):
        super().__init__(str(path))
        self.decoded = []

    def frames(self):
        self.decoded.append(0)
        for frame in super().frames():
            self.decoded[-1] += 1
            yield frame

    def expected_pts(self):
        pts = super().expected_pts()
        return self.predict(pts) if self.predict else pts


def list_clips(reader, sampling=S):
    """Decode clips and read the numbers of their frames; each clip must come once, in order."""
    clips = []
    for number, frames in decode_clips(reader, sampling, lambda frame: frame):
        assert number == len(clips)
        clips.append(frame_numbers(frames))
    return clips


def read_clips(path, sampling=S):
    with VideoReader(str(path)) as reader:
        return list_clips(reader, sampling)


def planned_clips(path, sampling=S):
    """Apply the rules to all frames of a file, decoded without the reader."""
    with av.open(str(path)) as container:
        decoded = [(frame.pts, frame_numbers([frame.to_rgb().to_ndarray()])[0]) for frame in container.decode(video=0)]
    with VideoReader(str(path)) as reader:
        plan = plan_clips([pts for pts, _ in decoded], reader.stream.header, sampling)
    return [[decoded[position][1] for position in row] for row in plan.positions]


VIDEOS = {
    "30 fps": {"num_frames": 200},
    "6 fps": {"num_frames": 60, "rate": 6},
    "60 fps": {"num_frames": 210, "rate": 60},
    "29.97 fps": {"num_frames": 150, "rate": Fraction(30000, 1001)},
    "five frames": {"num_frames": 5},
    "one frame": {"num_frames": 1},
    "portrait": {"num_frames": 90, "width": 48, "height": 64},
    "odd width": {"num_frames": 90, "width": 65, "height": 48, "pixel_format": "yuv444p"},
    "B frames": {"num_frames": 200, "options": {"qp": "0", "bf": "3", "g": "20"}},
    "variable frame rate": {"num_frames": 100, "pts": [n + n * n // 60 for n in range(100)]},
    "late start": {"num_frames": 100, "pts": list(range(12, 112))},
}


NOT_IN_AVI = {"B frames", "variable frame rate", "late start"}
"""AVI has no timestamps of its own."""


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        (kind, suffix)
        for kind in VIDEOS
        for suffix in (".mp4", ".mkv", ".avi")
        if suffix != ".avi" or kind not in NOT_IN_AVI
    ]
    + [("30 fps", ".ts"), ("B frames", ".ts"), ("variable frame rate", ".webm")],
)
def test_frames_are_those_of_the_plan(kind, suffix, tmp_path):
    codec = {".avi": "ffv1", ".webm": "libvpx-vp9"}.get(suffix, "libx264")
    options = {"lossless": "1", "cpu-used": "8", "deadline": "realtime"} if suffix == ".webm" else None
    path = write_video(tmp_path / f"video{suffix}", codec=codec, **({"options": options} | VIDEOS[kind]))
    with CountingReader(path) as reader:
        assert list_clips(reader) == planned_clips(path)
        assert len(reader.decoded) == 1


def test_hand_computed_frames_of_an_mp4(tmp_path):
    clips = read_clips(write_video(tmp_path / "video.mp4", 218))
    assert clips[0] == [0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77]
    assert clips[5] == [70 + number for number in clips[0]]


def test_matroska_has_no_duration_and_takes_clips_over_all_frames(tmp_path):
    path = write_video(tmp_path / "video.mkv", 178)
    with VideoReader(str(path)) as reader:
        assert reader.stream.header.duration is None
    assert read_clips(path)[5] == [50 + number for number in (0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77)]


def test_a_file_is_opened_and_each_frame_decoded_and_each_taken_frame_converted_once(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.mp4", 200)
    opened, converted = [], []
    real = av.open
    monkeypatch.setattr(av, "open", lambda *args, **kwargs: opened.append(args) or real(*args, **kwargs))
    with CountingReader(path) as reader:
        for _ in decode_clips(reader, S, lambda frame: converted.append(frame_numbers([frame])[0])):
            pass
        assert len(reader.decoded) == 1
    assert len(opened) == 1
    assert sorted(converted) == sorted({number for frames in planned_clips(path) for number in frames})


def test_decoding_stops_after_the_last_clip(tmp_path):
    path = write_video(tmp_path / "video.mp4", 219)
    with CountingReader(path) as reader:
        clips = list_clips(reader)
        assert max(clips[-1]) < reader.decoded[0] <= max(clips[-1]) + 3


def test_a_clip_is_yielded_when_its_window_ends(tmp_path):
    with CountingReader(write_video(tmp_path / "video.mp4", 219)) as reader:
        for number, frames in decode_clips(reader, S, lambda frame: frame_numbers([frame])[0]):
            if number < 9:
                assert reader.decoded[0] <= max(frames) + 3


def count_held(path):
    """Decode clips, each dropped at once.

    Returns:
        The largest number of prepared frames that existed at one time.
    """
    alive = most = 0

    class Frame:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    with VideoReader(str(path)) as reader:
        for _clip, frames in decode_clips(reader, S, lambda frame: Frame()):
            del frames
    return most


def test_frames_are_released_after_their_last_clip(tmp_path):
    assert count_held(write_video(tmp_path / "video.mp4", 219)) < 90


def test_without_a_duration_the_frames_of_all_clips_are_held(tmp_path):
    assert count_held(write_video(tmp_path / "video.mkv", 219)) <= 130


def test_an_edit_list_costs_no_second_pass(tmp_path):
    source = write_video(tmp_path / "whole.mp4", 200, options={"qp": "0", "g": "25", "bf": "2"})
    path = tmp_path / "cut.mp4"
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.pts -= 20 * 512
                packet.dts -= 20 * 512
                packet.stream = stream
                writer.mux(packet)
    with CountingReader(path) as reader:
        assert list_clips(reader)[0][0] == 20
        assert len(reader.decoded) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("swapped", [(50, 55), (60, 63), (75, 80), (150, 153), (190, 199)])
def test_a_file_whose_frames_are_out_of_pts_order_is_decoded_twice(swapped, suffix, tmp_path):
    source = write_video(tmp_path / f"source{suffix}", 200, codec="ffv1")
    path = swap_pts(source, tmp_path / f"video{suffix}", *swapped)
    with CountingReader(path) as reader:
        assert list_clips(reader) == planned_clips(path)
        assert len(reader.decoded) == (2 if swapped[0] < 190 or suffix == ".mkv" else 1)


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


def test_frames_decoded_in_another_order_each_time_are_an_error(tmp_path):
    class Unsteady(CountingReader):
        def frames(self):
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

    def frames(self):
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
