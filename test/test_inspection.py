import collections
import os
import re

import av
import pytest

from test.faults import FILES
from test.videos import B_FRAMES, drop_first_packets, flip_bits, remux, write_video
from x3d.dataset.annotations import Video
from x3d.video.inspection import MIN_READ_FRACTION, Inspection, inspect_video
from x3d.video.reader import Stream, VideoReader
from x3d.video.sampling import Header, Sampling
from x3d.video.transform import Transform

TRANSFORM = Transform((0.45,) * 3, (0.225,) * 3, 182, 182, 3)
S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


def inspect(path):
    return inspect_video(Video(0, path.name, str(path), 1), S, TRANSFORM)


def test_a_good_file_has_all_properties(tmp_path):
    found = inspect(write_video(tmp_path / "video.mp4", 75, rate=25))
    assert found == Inspection("", "", 75, 25.0, 3.0, "h264", 64, 48, 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mp4", "missing"),
        ("sound only.mp4", "no_video_stream"),
        ("no frames.avi", "no_frames"),
        ("two sizes.ts", "size_changes"),
        ("half.mp4", "damaged"),
        ("cut.mkv", "truncated"),
        ("raw.h264", "no_timestamps"),
        ("wide.mp4", "too_large"),
        ("script.mp4", "not_a_video"),
    ],
)
def test_a_bad_file_has_its_reason(name, reason, tmp_path):
    FILES[name][0](tmp_path / name)
    found = inspect(tmp_path / name)
    assert found.reason == reason
    assert found.text.startswith(f"{tmp_path / name}: ")


def test_properties_known_before_a_failure_are_kept(tmp_path):
    FILES["zeroed.mp4"][0](tmp_path / "zeroed.mp4")
    found = inspect(tmp_path / "zeroed.mp4")
    assert found.reason == "damaged"
    assert (round(found.fps), found.codec, found.width, found.height) == (30, "h264", 64, 48)
    assert 0 < found.num_frames < 200
    assert f"after {found.num_frames} frames" in found.text


def test_properties_of_a_file_that_cannot_be_opened_are_zero(tmp_path):
    found = inspect(tmp_path / "missing.mp4")
    assert found == Inspection("missing", found.text, 0, 0.0, 0.0, "", 0, 0, 0)


def test_an_unknown_duration_is_zero(tmp_path):
    FILES["raw.h264"][0](tmp_path / "raw.h264")
    assert inspect(tmp_path / "raw.h264").duration_seconds == 0


@pytest.mark.parametrize(("track_seconds", "reason"), [(None, ""), (3.3, ""), (3.34, "truncated")])
def test_a_track_may_end_a_tenth_earlier_than_its_tag_says(track_seconds, reason, tmp_path, monkeypatch):
    """The duration of the file decides nothing: that of its sound may be longer."""
    path = write_video(tmp_path / "video.mkv", 90)
    found = inspect_as(path, monkeypatch, 0, 100.0, None, track_seconds)
    assert found.reason == reason
    assert MIN_READ_FRACTION == 0.9
    if reason:
        assert found.text.endswith("(3.00 s of 3.34 s)")


@pytest.mark.parametrize(("name", "seconds"), [("video.mkv", 3.0), ("video.webm", 3.0), ("video.mp4", None)])
def test_matroska_tags_the_end_of_a_track(name, seconds, tmp_path):
    codec, options = ("libvpx-vp9", {"deadline": "realtime"}) if name.endswith("webm") else ("libx264", None)
    with VideoReader(str(write_video(tmp_path / name, 90, codec=codec, options=options))) as reader:
        assert reader.stream.track_seconds == seconds
        assert reader.seconds_read() == 3.0


def test_a_video_that_ends_before_its_last_clip_is_truncated_though_no_frame_is_missing(tmp_path, monkeypatch):
    found = inspect_as(write_video(tmp_path / "video.mp4", 90), monkeypatch, 90, 3.0, duration_pts=10 * 90 * 512)
    assert found.reason == "truncated"
    assert found.text.endswith("(clip 8 of 10 has no frames: the video ends before it)")


def inspect_as(path, monkeypatch, num_frames, duration_seconds, duration_pts=512, track_seconds=None):
    """Inspect a file as if its header had another frame count and duration."""
    stream = Stream(Header(30.0, num_frames, duration_pts), "h264", 64, 48, duration_seconds, track_seconds)
    monkeypatch.setattr(VideoReader, "_describe", lambda self: stream)
    return inspect(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_one_frame_at_pts_0_is_a_video(suffix, tmp_path):
    found = inspect(write_video(tmp_path / f"video{suffix}", 1))
    assert (found.reason, found.num_frames) == ("", 1), found.text


def test_files_that_preprocessing_takes_are_good(tmp_path):
    """Hidden frames of an edit list, frames before the first key frame and timestamps of AVI are no damage."""
    source = write_video(tmp_path / "source.mp4", 200, options=B_FRAMES)
    hidden = hide_first_frames(source, tmp_path / "hidden.mp4", 70)
    assert (hidden.num_frames, hidden.reason) == (130, "")
    avi = inspect(remux(write_video(tmp_path / "source.ts", 200, options=B_FRAMES), tmp_path / "video.avi"))
    assert (avi.reason, avi.num_frames) == ("", 200), avi.text
    for name in ("cut.ts", "cut.mkv", "cut.mp4"):
        cut = inspect(drop_first_packets(source, tmp_path / name, 30))
        assert (cut.reason, cut.text) == ("", "")
        assert cut.num_frames <= 170


def hide_first_frames(source, path, num_frames):
    """Shift a video to the left: an mp4 file gets an edit list that hides what is before 0, as `ffmpeg -ss -c copy`."""
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.pts -= num_frames * 512
                packet.dts -= num_frames * 512
                packet.stream = stream
                writer.mux(packet)
    return inspect(path)


CODECS = {
    "h264.mp4": {"options": {"qp": "20", "g": "20"}},
    "h264.mkv": {"options": B_FRAMES},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "12"}},
    "wmv.wmv": {"codec": "wmv2"},
}


@pytest.mark.parametrize("name", CODECS)
def test_damage_that_the_decoder_conceals_is_found(name, tmp_path):
    """Of H.264, MPEG-2, MPEG-4 and WMV; HEVC, VP8 and VP9 have nothing by which a decoder notices most flipped bits."""
    path = write_video(tmp_path / name, 90, **CODECS[name])
    assert inspect(path).reason == ""
    content = path.read_bytes()
    found = collections.Counter()
    for seed in range(12):
        path.write_bytes(content)
        result = inspect(flip_bits(path, 0.2, 0.8, seed=seed))
        found[result.reason] += 1
        if "concealed" in result.text:
            found["concealed"] += 1
            assert re.search(r"\(\d+ damaged frames?, concealed\)$", result.text)
    assert found["concealed"] > 0
    assert found["damaged"] >= 6


def test_a_file_that_changes_while_it_is_inspected_has_that_reason(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.mp4", 30)
    monkeypatch.setattr("x3d.video.inspection.plan_clips", lambda *args: os.utime(path, ns=(1, 1)))
    assert inspect(path).reason == "changed"
