"""The memory of one video has a limit, whatever the length of its file and the size of its frames."""

import platform
import resource
import subprocess
import sys

import av
import numpy as np
import pytest

from test.helpers import ROOT
from test.videos import remux, write_video
from x3d.errors import VideoError
from x3d.video import memory, reader
from x3d.video.reader import VideoReader

PEAK = """
import sys
from x3d.video.reader import VideoReader
def peak_mb():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3
before = peak_mb()
with VideoReader(sys.argv[1]) as reader:
    num_frames = [sum(1 for _ in reader.frames()) for _ in range(2)]
print(*num_frames, peak_mb() - before)
"""


def write_raw(path, num_frames, width=640, height=480):
    """Write raw frames of 460 kB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame(width, height, "yuv420p")
        for number in range(num_frames):
            frame.pts = number
            container.mux(stream.encode(frame))
    return path


def test_memory_does_not_grow_with_the_length_of_the_file(tmp_path):
    path = write_raw(tmp_path / "long.avi", 500)
    assert path.stat().st_size > 3 * reader.HELD_BYTES
    command = [sys.executable, "-c", PEAK, str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    *num_frames, megabytes = done.stdout.split()
    assert num_frames == ["500", "500"]
    assert float(megabytes) < 1.5 * reader.HELD_BYTES / 1e6


VIEWS_PEAK = """
import sys
from x3d.config.loading import load_cfg
from x3d.video import reader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views
reader.HELD_BYTES = 8 << 20
cfg = load_cfg("configs/X3D_S.yaml")
for path in sys.argv[1:]:
    with reader.VideoReader(path) as opened:
        num_views = sum(1 for _ in video_views(opened, Sampling.from_cfg(cfg), Transform.from_cfg(cfg)))
    print(num_views, int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3)
"""


def test_memory_of_views_does_not_grow_with_the_length_of_the_file(tmp_path):
    paths = [write_raw(tmp_path / f"{num_frames}.avi", num_frames) for num_frames in (80, 400)]
    assert paths[1].stat().st_size - paths[0].stat().st_size > 140e6
    command = [sys.executable, "-c", VIEWS_PEAK, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (short_views, short), (long_views, long) = (line.split() for line in done.stdout.splitlines())
    assert short_views == long_views == "30"
    assert float(long) - float(short) < 30
    assert float(long) < 200


FAULTS = """
import resource, sys
from x3d.config.loading import load_cfg
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views
cfg = load_cfg("configs/X3D_S.yaml")
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with VideoReader(sys.argv[1]) as reader:
        for _ in video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg)):
            pass
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(after - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library keeps freed memory when asked")
def test_frames_reuse_the_memory_of_those_of_the_video_before(tmp_path):
    path = write_video(tmp_path / "video.mp4", 120, width=340, height=256)
    command = [sys.executable, "-c", FAULTS, str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 700


@pytest.mark.parametrize("name", ["video.mp4", "video.ts"])
def test_a_file_of_more_packets_than_are_held_has_the_same_frames(name, tmp_path, monkeypatch):
    path = str(write_video(tmp_path / name, 90))

    def read():
        with VideoReader(path) as opened:
            passes = [[(frame.pts, opened.to_rgb(frame).tobytes()) for frame in opened.frames()] for _ in range(2)]
            return passes, opened.expected_pts(), opened.seconds_read()

    held = read()
    monkeypatch.setattr(reader, "HELD_BYTES", 10_000)
    assert read() == held
    assert len(held[0][0]) == 90


def test_a_damaged_file_of_more_packets_than_are_held_has_the_same_reason(tmp_path, monkeypatch):
    from test.faults import FILES

    for name in ("half.mp4", "zeroed.mp4"):
        FILES[name][0](tmp_path / name)
        texts = []
        for num_bytes in (reader.HELD_BYTES, 1000):
            monkeypatch.setattr(reader, "HELD_BYTES", num_bytes)
            with VideoReader(str(tmp_path / name)) as opened, pytest.raises(VideoError) as raised:
                list(opened.frames())
            texts.append(str(raised.value))
        assert texts[0] == texts[1]


MANY_REFERENCES = {"qp": "40", "preset": "ultrafast", "x264-params": "ref=16:bframes=0:rc-lookahead=0"}


@pytest.fixture(scope="module")
def many_references(tmp_path_factory):
    """24 frames of 2560x1440 pixels in grey, of which a decoder holds 17: about 95 MB."""
    path = tmp_path_factory.mktemp("video") / "many.mp4"
    return write_video(path, 24, width=2560, height=1440, options=MANY_REFERENCES)


LIMITED = """
import sys
from x3d.errors import VideoError
from x3d.video import memory, reader
memory.MAX_BYTES = int(sys.argv[2])
try:
    with reader.VideoReader(sys.argv[1]) as opened:
        print(sum(1 for _ in opened.frames()))
except VideoError as error:
    print(error.reason, error.detail)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("limit", "expected"), [(200_000_000, "24"), (50_000_000, "too_large 2560x1440 pixels; the decoder took 0.1 GB")]
)
def test_frames_that_need_too_much_memory_are_a_reason(limit, expected, suffix, many_references, tmp_path):
    path = remux(many_references, tmp_path / f"many{suffix}")
    command = [sys.executable, "-c", LIMITED, str(path), str(limit)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(expected)


def test_frames_of_too_many_pixels_are_a_reason(many_references, monkeypatch):
    monkeypatch.setattr(memory, "MAX_FRAME_PIXELS", 2560 * 1440 - 1)
    with pytest.raises(VideoError, match="2560x1440 pixels; the limit is") as raised:
        VideoReader(str(many_references))
    assert raised.value.reason == "too_large"


def test_memory_that_ffmpeg_requests_beyond_the_limit_is_refused():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory.limited_memory():
        assert np.ones(memory.MAX_BYTES // 16, dtype=np.uint8)[-1] == 1
        with pytest.raises(MemoryError):
            np.ones(memory.MAX_BYTES * 2, dtype=np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def fail(*args, **options):
    raise av.error.MemoryError(12, "Cannot allocate memory")


def test_no_memory_to_open_a_file_is_a_reason(tmp_path, monkeypatch):
    path = str(write_video(tmp_path / "video.mp4", 5))
    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(VideoError, match="FFmpeg needs too much memory to open it") as raised:
        VideoReader(path)
    assert raised.value.reason == "too_large"


def test_no_memory_to_decode_a_packet_is_a_reason(tmp_path):
    with VideoReader(str(write_video(tmp_path / "video.mp4", 5))) as opened:
        packet = type("Packet", (), {"stream": opened._stream, "decode": fail})()
        with pytest.raises(VideoError, match="no memory for 64x48") as raised:
            memory.DecoderMemory(opened.path).decode(packet)
    assert raised.value.reason == "too_large"


def test_8192_pixels_a_side_and_4k_with_any_number_of_references_are_within_the_limits():
    assert memory.MAX_FRAME_PIXELS == 8192 * 8192
    assert memory.MAX_BYTES > 30 * 3840 * 2160 * 3
