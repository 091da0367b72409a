import os
import struct
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from test.faults import FILES
from test.videos import B_FRAMES, frame_numbers, write_audio, write_video
from x3d.errors import REASONS, VideoError
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views

TRANSFORM = Transform((0.45,) * 3, (0.225,) * 3, 182, 182, 3)
S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


def read_clips(path):
    with VideoReader(str(path)) as reader:
        return {clip: frame_numbers(frames) for clip, frames in decode_clips(reader, S, lambda frame: frame)}


def read_views(path):
    with VideoReader(str(path)) as reader:
        return [view.copy() for _, view in video_views(reader, S, TRANSFORM)]


@pytest.mark.parametrize("name", [name for name, (_, reason) in FILES.items() if reason])
def test_a_broken_file_is_named_with_its_reason(name, tmp_path):
    write, reason = FILES[name]
    write(tmp_path / name)
    with pytest.raises(VideoError) as raised:
        read_views(tmp_path / name)
    assert raised.value.reason == reason
    assert str(raised.value).startswith(f"{tmp_path / name}: {REASONS[reason]}")


def test_every_reason_of_a_file_has_a_file():
    other = {"changed", "not_finite", "reference_failed", "crashed", "timed_out", "internal_error"}
    assert {reason for _, reason in FILES.values() if reason} == set(REASONS) - other


def test_metadata_that_is_not_utf8_does_not_matter(tmp_path):
    path = tmp_path / "Latin-1.mp4"
    FILES["Latin-1 title.mp4"][0](path)
    with pytest.raises(UnicodeDecodeError):
        path.read_bytes().decode()
    assert read_clips(path) == read_clips(write_video(tmp_path / "plain.mp4", 70))


def test_a_cut_file_is_an_error_not_fewer_clips(tmp_path):
    write, _ = FILES["half.mp4"]
    write(tmp_path / "half.mp4")
    with pytest.raises(VideoError, match=r"clip \d of 10 has no frames: the video ends before it"):
        read_clips(tmp_path / "half.mp4")


def test_rotation_is_known_and_not_applied(tmp_path):
    path = write_video(tmp_path / "video.mp4", 90, width=64, height=48)
    upright = read_clips(path)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    with VideoReader(str(path)) as reader:
        shapes = {frame.shape for _, frames in decode_clips(reader, S, lambda frame: frame) for frame in frames}
        assert abs(reader.rotation) == 90
    assert shapes == {(48, 64, 3)}
    assert read_clips(path) == upright


@pytest.mark.parametrize(
    ("suffix", "num_frames", "duration", "seconds"), [(".mp4", 90, 46080, 3.0), (".mkv", 0, None, 3.0)]
)
def test_the_header_is_the_streams_and_the_duration_at_least_the_files(suffix, num_frames, duration, seconds, tmp_path):
    with VideoReader(str(write_video(tmp_path / f"video{suffix}", 90))) as reader:
        stream = reader.stream
    assert (stream.header.fps, stream.header.num_frames, stream.header.duration) == (30.0, num_frames, duration)
    assert (stream.codec, stream.width, stream.height) == ("h264", 64, 48)
    assert stream.duration_seconds == pytest.approx(seconds, abs=0.1)


def test_of_several_video_streams_the_first_is_read(tmp_path):
    sources = [write_video(tmp_path / "a.mp4", 20), write_video(tmp_path / "b.mp4", 30, width=96)]
    path = tmp_path / "both.mkv"
    with av.open(str(path), "w") as writer:
        readers = [av.open(str(source)) for source in sources]
        streams = [writer.add_stream_from_template(reader.streams.video[0]) for reader in readers]
        for reader, stream in zip(readers, streams, strict=True):
            for packet in reader.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    writer.mux(packet)
            reader.close()
    with VideoReader(str(path)) as reader:
        assert reader.stream.width == 64
        assert [frame.width for frame in reader.frames()] == [64] * 20


def test_frames_are_decoded_in_one_thread(tmp_path):
    with VideoReader(str(write_video(tmp_path / "video.mp4", 5))) as reader:
        context = reader._stream.codec_context
        assert (str(context.thread_type), context.thread_count) == ("ThreadType.NONE", 1)


@pytest.mark.parametrize(("suffix", "is_logged"), [(".ts", True), (".mp4", False), (".mkv", False)])
def test_a_frame_count_that_is_needed_and_missing_is_logged(suffix, is_logged, tmp_path, caplog):
    path = write_video(tmp_path / f"video{suffix}", 70)
    with caplog.at_level("DEBUG", logger="x3d"), VideoReader(str(path)) as reader:
        assert len(reader.expected_pts()) == 70
    assert (f"{path}: no frame count in the header; counted 70 packets instead" in caplog.text) == is_logged


def test_every_pass_decodes_every_frame(tmp_path):
    with VideoReader(str(write_video(tmp_path / "video.mp4", 40, options=B_FRAMES))) as reader:
        first, second = ([frame.pts for frame in reader.frames()] for _ in range(2))
        assert first == second == reader.expected_pts()
        assert len(first) == 40


def is_open(path):
    """Check whether this process has a file open."""
    descriptors = Path("/proc/self/fd").iterdir()
    return str(path) in {os.readlink(link) for link in descriptors if link.is_symlink()}


def test_files_are_closed(tmp_path):
    path = write_video(tmp_path / "video.mp4", 40)
    with VideoReader(str(path)) as reader:
        assert is_open(path)
        for _ in range(2):
            assert len(list(reader.frames())) == 40
    assert not is_open(path)
    with pytest.raises(VideoError) as raised:
        VideoReader(str(write_audio(path)))
    assert raised.value.reason == "no_video_stream"
    assert not is_open(path)


def rewrite(path):
    """Write other bytes of the same length into a file."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def replace(path):
    """Put a copy of a file, with its time, in its place."""
    found = path.stat()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    copy.replace(path)


@pytest.mark.parametrize("change", [rewrite, replace, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_an_error(change, tmp_path):
    path = write_video(tmp_path / "video.mp4", 90)
    with VideoReader(str(path)) as reader:
        views = video_views(reader, S, TRANSFORM)
        next(views)
        change(path)
        with pytest.raises(VideoError, match="replaced or written to while it was read") as raised:
            list(views)
    assert raised.value.reason == "changed"


def test_a_file_that_changes_between_two_passes_is_not_decoded_again(tmp_path):
    path = write_video(tmp_path / "video.mp4", 90)
    with VideoReader(str(path)) as reader:
        assert len(list(reader.frames())) == 90
        replace(path)
        with pytest.raises(VideoError) as raised:
            next(reader.frames())
    assert raised.value.reason == "changed"


def test_corrupt_frames_count_from_the_first_key_frame_on(tmp_path, monkeypatch):
    """Those before it refer to frames that the file does not contain."""
    marks = [(False, True), (False, False), (True, False), (False, True), (False, False), (True, True), (False, True)]
    frames = [
        SimpleNamespace(pts=number, rotation=0, key_frame=is_key, is_corrupt=is_corrupt)
        for number, (is_key, is_corrupt) in enumerate(marks)
    ]
    with VideoReader(str(write_video(tmp_path / "video.mp4", 5))) as reader:
        monkeypatch.setattr(reader, "_decode", lambda left_out: iter(frames))
        for _ in range(2):
            assert [frame.pts for frame in reader.frames()] == list(range(7))
            assert reader.num_corrupt_frames == 3
