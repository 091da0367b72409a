from fractions import Fraction

import av
import pytest

from test.videos import B_FRAMES, frame_numbers, write_video
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling, plan_clips

S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


class CountingReader(VideoReader):
    """Counts the frames decoded in each pass, and predicts the order of the frames by `predict`, if there is one."""

    predict = None

    def __init__(self, path):
        super().__init__(str(path))
        self.decoded = []

    def frames(self, left_out=frozenset()):
        self.decoded.append(0)
        for frame in super().frames(left_out):
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
    "unusual width": {"num_frames": 90, "width": 65, "height": 48, "pixel_format": "yuv444p"},
    "B frames": {"num_frames": 200, "options": B_FRAMES},
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
    source = write_video(tmp_path / "whole.mp4", 200, options=B_FRAMES)
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
