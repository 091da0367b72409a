import math

import numpy as np
import pytest
import torch

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.video.sampling import Header, Sampling, clip_window, linspace_float32, plan_clips

S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


def by_the_book(pts, header, sampling):
    """The reference's rules, step by step and frame by frame, with torch's own linspace."""
    clips = []
    for clip in range(sampling.num_clips):
        size = sampling.sampling_rate * sampling.num_frames / sampling.target_fps * header.fps

        def span(length, k, num_clips, size=size):
            delta = max(length - size, 0)
            if not sampling.use_offset:
                return delta * k / num_clips
            return math.floor(delta / 2) if num_clips == 1 else k * math.floor(delta / (num_clips - 1))

        if header.duration is None:
            start, end = 0, math.inf
        else:
            per_frame = header.duration / (header.num_frames or len(pts))
            first = span(header.num_frames or len(pts), clip, sampling.num_clips)
            start, end = int(first * per_frame), int((first + size - 1) * per_frame)
        kept = {}
        for position, time in enumerate(pts):
            if time >= start:
                kept[time] = position
                if time > end:
                    break
        positions = [kept[time] for time in sorted(kept)]
        k, num_clips = (clip, sampling.num_clips) if header.duration is None else (0, 1)
        first = span(len(positions), k, num_clips)
        points = torch.linspace(first, first + size - 1, sampling.num_frames)
        clips.append([positions[i] for i in torch.clamp(points, 0, len(positions) - 1).long().tolist()])
    return np.array(clips)


@pytest.mark.parametrize(
    ("fps", "num_frames", "clip", "expected"),
    [
        (30.0, 300, 0, [0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77]),
        (30.0, 300, 5, [111 + n for n in (0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77)]),
        (25.0, 250, 0, [0, 5, 10, 16, 21, 26, 32, 37, 42, 48, 53, 58, 64]),
        (30.0, 5, 0, [0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]),
        (30.0, 1, 9, [0] * 13),
        (6.0, 60, 0, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14]),
    ],
)
def test_hand_computed_clips(fps, num_frames, clip, expected):
    plan = plan_clips(range(0, num_frames * 512, 512), Header(fps, num_frames, num_frames * 512), S)
    assert plan.positions[clip].tolist() == expected


def random_cases():
    random = np.random.RandomState(0)
    for _ in range(300):
        num_frames = int(random.randint(1, 400))
        step = int(random.choice([1, 512, 1001, 33]))
        pts = np.arange(num_frames) * step + random.choice([0, 0, -2 * step, 3 * step])
        if random.rand() < 0.3:
            pts = pts + random.randint(0, 3 * step + 1, num_frames)
        if random.rand() < 0.2:
            swap = random.randint(0, num_frames, 4)
            pts[swap] = pts[swap[::-1]]
        declared = int(random.choice([num_frames, num_frames, 0, num_frames + 5]))
        duration = None if random.rand() < 0.25 else int(num_frames * step)
        fps = float(random.choice([30, 25, 29.97002997, 23.976, 59.94, 6, 14.985]))
        yield pts.tolist(), Header(fps, declared, duration), bool(random.rand() < 0.3)


def test_clips_are_the_references_on_300_random_videos():
    compared = 0
    for pts, header, use_offset in random_cases():
        for num_clips in (10, 1):
            sampling = Sampling(13, 6, 30, num_clips, use_offset)
            try:
                expected = by_the_book(pts, header, sampling)
            except IndexError:
                with pytest.raises(ValueError, match="has no frames"):
                    plan_clips(pts, header, sampling)
                continue
            assert plan_clips(pts, header, sampling).positions.tolist() == expected.tolist()
            compared += 1
    assert compared > 400


def test_frames_after_those_needed_do_not_change_a_plan():
    header = Header(30.0, 300, 300)
    whole = plan_clips(range(300), header, S)
    assert whole.num_frames_needed[[0, 1, 9]].tolist() == [79, 101, 278]
    for clip in range(10):
        needed = int(whole.num_frames_needed[clip])
        other = plan_clips([*range(needed), *range(1000, 1200)], header, S)
        assert other.positions[: clip + 1].tolist() == whole.positions[: clip + 1].tolist()


def test_the_last_frame_needed_decides_a_clip():
    """Without the frame past the window's end, a frame within it could still come."""
    whole = plan_clips(range(300), Header(30.0, 300, 300), S)
    needed = int(whole.num_frames_needed[0]) - 1
    cut = plan_clips([*range(needed), 12, *range(needed, 400)], Header(30.0, 300, 300), S)
    assert cut.positions[0].tolist() != whole.positions[0].tolist()


@pytest.mark.parametrize("header", [Header(30.0, 300, None), Header(30.0, 0, 300)])
def test_without_duration_or_count_every_frame_is_needed(header):
    assert plan_clips(range(300), header, S).num_frames_needed.tolist() == [300] * 10


@pytest.mark.parametrize("use_offset", [True, False])
def test_sampling_has_the_values_of_its_keys(use_offset):
    keys = {
        "DATA.NUM_FRAMES": 16,
        "DATA.SAMPLING_RATE": 5,
        "DATA.TARGET_FPS": 25,
        "TEST.NUM_ENSEMBLE_VIEWS": 7,
        "DATA.USE_OFFSET_SAMPLING": use_offset,
    }
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), [str(word) for key in keys.items() for word in key])
    assert Sampling.from_cfg(cfg) == Sampling(16, 5, 25, 7, use_offset)


@pytest.mark.parametrize(
    ("num_clips", "expected"),
    [(1, [111]), (2, [0, 222]), (10, [0, 24, 48, 72, 96, 120, 144, 168, 192, 216])],
)
@pytest.mark.parametrize("duration", [300, None])
def test_hand_computed_offset_sampling(num_clips, expected, duration):
    """222 frames to spare: clips start 222 // (K - 1) frames apart, or in the middle if there is one."""
    plan = plan_clips(range(300), Header(30.0, 300, duration), Sampling(13, 6, 30, num_clips, use_offset=True))
    assert plan.positions[:, 0].tolist() == expected


def test_a_clip_after_the_end_is_named():
    with pytest.raises(ValueError, match="clip 3 of 10 has no frames"):
        plan_clips(range(60), Header(30.0, 300, 300), S)


def test_a_header_without_a_count_counts_the_frames():
    assert clip_window(Header(30.0, 0, 300), 300, 5, S) == clip_window(Header(30.0, 300, 300), 7, 5, S)


@pytest.mark.parametrize(("num_frames", "rate"), [(4, 12), (13, 6), (16, 5)])
def test_linspace_is_torchs_at_every_frame_rate(num_frames, rate):
    sampling = Sampling(num_frames, rate, 30, 10)
    random = np.random.RandomState(1)
    for fps in [*np.arange(1, 121, 0.5), 24000 / 1001, 30000 / 1001, 60000 / 1001, *random.uniform(1, 120, 3000)]:
        size = sampling.clip_size(float(fps))
        start = float(random.choice([0.0, random.uniform(0, 500)]))
        ours = linspace_float32(start, start + size - 1, num_frames)
        theirs = torch.linspace(start, start + size - 1, num_frames)
        assert ours.astype(np.int64).tolist() == theirs.long().tolist(), (fps, start)


def test_the_second_half_counts_from_the_end():
    """From the start, the third of these points is 80.36845 instead."""
    points = linspace_float32(0.0, 120.55267521432877, 4)
    assert points.dtype == np.float32
    assert points.tolist() == [0.0, 40.18422317504883, 80.36845397949219, 120.55267333984375]


def test_a_header_without_a_duration_has_no_window():
    with pytest.raises(ValueError, match="a window of pts needs a duration"):
        clip_window(Header(30.0, 300, None), 300, 0, S)


def test_the_window_of_a_single_frame_has_the_length_of_a_clip():
    assert clip_window(Header(30.0, 1, 512), 1, 0, S) == (0, 77 * 512)


@pytest.mark.parametrize("header", [Header(30.0, 0, 512), Header(30.0, 1, 512), Header(30.0, 0, None)])
def test_no_frames_make_no_clip(header):
    with pytest.raises(ValueError, match="clip 0 of 10 has no frames"):
        plan_clips([], header, S)
