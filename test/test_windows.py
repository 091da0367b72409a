"""Steps of a long video: their edges, the frames of their clips, and the windows around them."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from test.videos import frame_numbers, remux, write_video
from x3d.errors import VideoError
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Sampling
from x3d.video.windows import SlidingClips, Timeline, cut_steps

S = Sampling(num_frames=4, sampling_rate=3, target_fps=30, num_clips=10)
"""Clips of 12 frames, 0.4 s, at 30 fps."""


def timeline(seconds: float, fps: float = 30, first: int = 0) -> Timeline:
    """A video with pts in thousandths of a second."""
    num_frames = round(seconds * fps)
    return Timeline(first, first + round(1000 * (num_frames - 1) / fps), num_frames, seconds, 0.001, fps)


@pytest.mark.parametrize(
    ("seconds", "every", "edges"),
    [
        (6, 2, [0, 2, 4, 6]),
        (6.9, 2, [0, 2, 4, 6.9]),
        (7, 2, [0, 2, 4, 6, 7]),
        (0.5, 2, [0, 0.5]),
        (1, 1e308, [0, 1]),
        (0.1, 0.001, [0, 1 / 30, 2 / 30, 0.1]),
    ],
)
def test_the_last_step_is_longer_or_shorter_and_none_is_shorter_than_a_frame(seconds, every, edges):
    np.testing.assert_allclose(cut_steps(timeline(seconds), every), edges)


def test_timestamps_that_span_years_give_no_more_steps_and_clips_than_frames():
    broken = dataclasses.replace(timeline(1), seconds=1e15)
    assert len(cut_steps(broken, 2)) == 31
    assert SlidingClips.of_steps(np.array([0, 1e15]), broken, S).num_clips == 30


@pytest.mark.parametrize(("every", "num_per_step"), [(0.4, 1), (1, 1), (2, 2), (5, 5), (10, 10), (20, 20)])
def test_a_step_has_its_share_of_the_clips_of_ten_seconds(every, num_per_step):
    long = timeline(40)
    edges = cut_steps(long, every)
    clips = SlidingClips.of_steps(edges, long, S)
    assert (clips.num_per_step, clips.num_clips, clips.num_frames) == (num_per_step, 40 / every * num_per_step, 4)
    centres = np.array([start / 1000 + 0.2 for start, _ in clips.spans]).reshape(-1, num_per_step)
    assert (centres >= edges[:-1, None]).all()
    assert (centres <= edges[1:, None]).all()


def test_clips_stay_within_the_video_from_its_first_frame_on():
    late = timeline(4, first=500)
    spans = SlidingClips.of_steps(cut_steps(late, 0.1), late, S).spans
    assert spans[0] == (500, 500 + 366)
    assert spans[-1] == (500 + 3600, 500 + 3600 + 366)


def test_a_clip_longer_than_the_video_starts_with_it():
    short = timeline(0.2)
    assert SlidingClips.of_steps(cut_steps(short, 2), short, S).spans == [(0, 366)]


def test_a_clip_does_not_start_after_the_last_frame():
    held = dataclasses.replace(timeline(1), seconds=9.0)
    spans = SlidingClips.of_steps(cut_steps(held, 3), held, S).spans
    assert max(first for first, _ in spans) == held.last


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_the_frames_of_each_clip_are_those_around_its_centre(suffix, tmp_path):
    made = write_video(tmp_path / f"made{suffix}", 240, codec="mpeg4" if suffix == ".avi" else "libx264")
    path = remux(made, tmp_path / f"video{suffix}")
    with VideoReader(str(path)) as reader:
        found = Timeline.from_reader(reader)
        assert found.seconds == pytest.approx(8, abs=0.05)
        clips = SlidingClips.of_steps(cut_steps(found, 2), found, S)
        frames = [frame_numbers(clip) for _, clip in decode_clips(reader, clips, lambda frame: frame)]
    assert clips.num_per_step == 2
    expected = [[round(30 * centre) - 6 + step for step in (0, 3, 7, 11)] for centre in np.arange(0.5, 8, 1)]
    assert np.abs(np.array(frames) - expected).max() <= 1
    assert all(len(set(clip)) == 4 for clip in frames)


def test_clips_that_overlap_share_frames_and_are_decoded_once(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 90)
    num_decoded = []
    with VideoReader(str(path)) as reader:
        found = Timeline.from_reader(reader)
        clips = SlidingClips.of_steps(cut_steps(found, 0.1), found, S)
        assert len(list(decode_clips(reader, clips, num_decoded.append))) == 30
    assert 30 < len(num_decoded) <= 90


@pytest.mark.parametrize(
    ("every", "windows"),
    [
        (2, [(0, 6), (0, 8), (0, 10), (2, 12), (4, 14), (6, 16), (8, 18), (10, 20), (12, 20), (14, 20)]),
        (10, [(0, 10), (10, 20)]),
        (20, [(0, 20)]),
    ],
)
def test_the_window_of_a_step_has_the_clips_of_ten_seconds_around_it(every, windows):
    long = timeline(20)
    assert SlidingClips.of_steps(cut_steps(long, every), long, S).windows() == windows


def test_a_clip_without_frames_is_named():
    clips = SlidingClips(S, np.array([0.0, 5.0, 10.0]), 1, [(0, 300), (5000, 5300)])
    with pytest.raises(ValueError, match="clip 1 of 2 has no frames: the video ends before it"):
        clips.plan(range(0, 1000, 33), Header(30.0, 0, None))


def test_only_frames_near_a_clip_are_held_however_long_the_video_is():
    long = timeline(3600)
    clips = SlidingClips.of_steps(cut_steps(long, 2), long, S)
    plan = clips.plan((np.arange(108_000) * 1000 / 30).astype(np.int64).tolist(), Header(30.0, 0, None))
    assert (np.diff(plan.num_frames_needed) > 0).all()
    assert (plan.num_frames_needed - plan.positions.min(axis=1)).max() <= 14


def test_a_file_without_frames_has_no_timeline(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 3)
    with VideoReader(str(path)) as reader:
        monkeypatch.setattr(reader, "expected_pts", list)
        with pytest.raises(VideoError) as raised:
            Timeline.from_reader(reader)
    assert raised.value.reason == "no_frames"


def test_the_plan_of_an_hour_takes_little_memory():
    long = timeline(3600)
    pts = (np.arange(108_000) * 1000 / 30).astype(np.int64)
    clips = SlidingClips.of_steps(cut_steps(long, 10), long, S)
    tracemalloc.start()
    clips.plan(pts, Header(30.0, 0, None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
