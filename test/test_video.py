import os
import struct
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from test.helpers import ROOT, read_golden
from test.videos import frame_numbers, remux, write_audio, write_video
from x3d.config.loading import load_cfg
from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling, plan_clips
from x3d.video.transform import Transform
from x3d.video.views import video_views

S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


def read_clips(path, sampling=S):
    with VideoReader(str(path)) as reader:
        return {clip: frame_numbers(frames) for clip, frames in reader.clips(sampling, lambda frame: frame)}


def decode_all(path):
    with av.open(str(path)) as container:
        return [(frame.pts, frame_numbers([frame.to_rgb().to_ndarray()])[0]) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4"])
def test_views_are_pyslowfasts(name, sample_videos):
    golden = read_golden("slowfast_views.json")["clips"][name]
    at = np.random.RandomState(0).randint(0, 3 * 13 * 182 * 182, 256)
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"))
    with VideoReader(str(sample_videos / name)) as reader:
        times = [frame.pts for frame in reader.frames()]
        plan = plan_clips(times, reader.stream.header, S)
        made = video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg))
        views = {number: view.copy() for number, view in made}
    assert sorted(views) == list(range(30))
    for number, expected in enumerate(golden):
        assert [times[position] for position in plan.positions[number // 3]] == expected["pts"]
        view = views[number]
        assert (view.shape, view.dtype) == ((1, 3, 13, 182, 182), np.float32)
        assert np.abs(view.ravel()[at] - np.array(expected["values"])).max() < 1e-5
        assert view.mean(dtype=np.float64) == pytest.approx(expected["mean"], abs=1e-5)
        assert view.std(dtype=np.float64) == pytest.approx(expected["std"], abs=1e-5)


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
def test_frames_are_those_the_plan_names(kind, suffix, tmp_path):
    codec = {".avi": "ffv1", ".webm": "libvpx-vp9"}.get(suffix, "libx264")
    options = {"lossless": "1", "cpu-used": "8", "deadline": "realtime"} if suffix == ".webm" else None
    made = VIDEOS[kind]
    path = write_video(tmp_path / f"video{suffix}", codec=codec, **({"options": options} | made))
    handed_out = decode_all(path)
    with VideoReader(str(path)) as reader:
        plan = plan_clips([pts for pts, _ in handed_out], reader.stream.header, S)
    assert {n for _, n in handed_out} == set(range(made["num_frames"]))
    expected = {clip: [handed_out[at][1] for at in row] for clip, row in enumerate(plan.positions)}
    assert read_clips(path) == expected


def test_hand_computed_frames_of_an_mp4(tmp_path):
    clips = read_clips(write_video(tmp_path / "video.mp4", 218))
    assert clips[0] == [0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77]
    assert clips[5] == [70 + number for number in clips[0]]


def test_matroska_has_no_duration_and_takes_clips_over_all_frames(tmp_path):
    path = write_video(tmp_path / "video.mkv", 178)
    with VideoReader(str(path)) as reader:
        assert reader.stream.header.duration is None
    assert read_clips(path)[5] == [50 + number for number in (0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77)]


def test_a_file_is_opened_and_each_frame_decoded_once(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.mp4", 200)
    opened, converted = [], []
    real = av.open
    monkeypatch.setattr(av, "open", lambda *args, **kwargs: opened.append(args) or real(*args, **kwargs))
    decoded = []
    frames = VideoReader.frames
    monkeypatch.setattr(VideoReader, "frames", lambda self: (decoded.append(f.pts) or f for f in frames(self)))
    with VideoReader(str(path)) as reader:
        assert len(list(reader.clips(S, lambda frame: converted.append(1)))) == 10
    assert len(opened) == 1
    assert len(decoded) == len(set(decoded)) <= 200
    assert len(converted) < 110


def test_frames_that_come_otherwise_than_foretold_are_still_the_right_ones(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.mp4", 200)
    expected = read_clips(path)
    monkeypatch.setattr("x3d.video.reader._time", lambda packet: packet.dts // 3)
    assert read_clips(path) == expected


def test_frames_are_let_go_when_no_later_clip_takes_them(tmp_path):
    path = write_video(tmp_path / "video.mp4", 219)
    alive = 0
    most = 0

    class Frame:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    with VideoReader(str(path)) as reader:
        for _clip, frames in reader.clips(S, lambda frame: Frame()):
            del frames
    assert most < 90


def test_rotation_is_told_and_not_applied(tmp_path):
    path = write_video(tmp_path / "video.mp4", 90, width=64, height=48)
    upright = read_clips(path)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    with VideoReader(str(path)) as reader:
        shapes = {frame.shape for _, frames in reader.clips(S, lambda frame: frame) for frame in frames}
        assert abs(reader.rotation) == 90
    assert shapes == {(48, 64, 3)}
    assert read_clips(path) == upright


def count_decoded(path, monkeypatch):
    counts = []
    frames = VideoReader.frames

    def counted(self):
        counts.append(0)
        for frame in frames(self):
            counts[-1] += 1
            yield frame

    monkeypatch.setattr(VideoReader, "frames", counted)
    read_clips(path)
    return counts


def test_an_edit_list_costs_no_second_pass(tmp_path, monkeypatch):
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
    assert len(count_decoded(path, monkeypatch)) == 1


def test_frames_that_come_otherwise_cost_one_more_pass(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.mp4", 200)
    monkeypatch.setattr("x3d.video.reader._time", lambda packet: packet.dts // 3)
    assert len(count_decoded(path, monkeypatch)) == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_ten_seconds_of_1080p_stay_below_600_mb(suffix, tmp_path):
    path = write_video(tmp_path / f"video{suffix}", 250, width=1920, height=1080, options={"preset": "ultrafast"})
    code = (
        "import sys\n"
        "from x3d.config.loading import load_cfg\nfrom x3d.video.sampling import Sampling\n"
        "from x3d.video.transform import Transform\n"
        "from x3d.video.reader import VideoReader\nfrom x3d.video.views import video_views\n"
        "cfg = load_cfg('configs/X3D_L.yaml')\n"
        "with VideoReader(sys.argv[1]) as reader:\n"
        "    print(sum(1 for _ in video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg))))\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    num_views, kilobytes = map(int, run.stdout.split())
    assert num_views == 30
    assert kilobytes < 600_000


def broken_file(kind, folder):
    path = folder / "broken.mp4"
    if kind == "missing":
        return path
    if kind == "empty":
        path.touch()
    elif kind == "not_a_video":
        path.write_text("this is no video " * 100)
    elif kind == "no_video_stream":
        write_audio(path)
    elif kind == "unreadable":
        path.mkdir()
    elif kind == "no_moov":
        content = write_video(path, 30).read_bytes()
        path.write_bytes(content[: content.index(b"moov") - 4])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "missing"),
        ("empty", "empty"),
        ("not_a_video", "not_a_video"),
        ("no_moov", "not_a_video"),
        ("no_video_stream", "no_video_stream"),
        ("unreadable", "unreadable"),
    ],
)
def test_a_broken_file_is_named_with_its_reason(kind, reason, tmp_path):
    path = broken_file(kind, tmp_path)
    with pytest.raises(VideoError, match=str(path)) as raised:
        read_clips(path)
    assert raised.value.reason == reason


def test_a_stream_without_a_frame_rate_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no average frame rate") as raised:
        read_clips(write_video(tmp_path / "video.ts", 1))
    assert raised.value.reason == "no_frame_rate"


def test_a_cut_file_is_an_error_not_fewer_clips(tmp_path):
    path = tmp_path / "cut.mkv"
    write_video(path, 200, options={"qp": "0", "g": "10"})
    whole = read_clips(path)
    mp4 = tmp_path / "cut.mp4"
    remux(path, mp4, movflags="faststart")
    assert len(read_clips(mp4)) == len(whole) == 10
    os.truncate(mp4, mp4.stat().st_size // 2)
    with pytest.raises(VideoError) as raised:
        read_clips(mp4)
    assert raised.value.reason in ("truncated", "damaged")
