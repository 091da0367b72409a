import pytest

from test.faults import FILES
from test.videos import write_video
from x3d.dataset.annotations import Video
from x3d.video.inspection import MIN_DECODED_FRACTION, Inspection, inspect_video
from x3d.video.reader import Stream, VideoReader
from x3d.video.sampling import Header, Sampling

S = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=10)


def inspect(path):
    return inspect_video(Video(0, path.name, str(path), 1), S)


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


@pytest.mark.parametrize("count_in_header", [True, False])
@pytest.mark.parametrize(("num_expected", "reason"), [(100, ""), (101, "truncated")])
def test_a_tenth_of_the_frames_may_be_missing(num_expected, reason, count_in_header, tmp_path, monkeypatch):
    """The header's count decides, else its duration times its frame rate."""
    path = write_video(tmp_path / "video.mp4", 90)
    found = inspect_as(path, monkeypatch, *((num_expected, 3.0) if count_in_header else (0, num_expected / 30)))
    assert found.reason == reason
    assert MIN_DECODED_FRACTION == 0.9
    if reason:
        assert found.text.endswith("(90 frames of 101)")


def test_without_count_and_duration_no_frame_is_expected(tmp_path, monkeypatch):
    assert inspect_as(write_video(tmp_path / "video.mp4", 5), monkeypatch, 0, None).reason == ""


def test_a_video_that_ends_before_its_last_clip_is_truncated_though_no_frame_is_missing(tmp_path, monkeypatch):
    found = inspect_as(write_video(tmp_path / "video.mp4", 90), monkeypatch, 90, 3.0, duration_pts=10 * 90 * 512)
    assert found.reason == "truncated"
    assert found.text.endswith("(clip 8 of 10 has no frames: the video ends before it)")


def inspect_as(path, monkeypatch, num_frames, duration_seconds, duration_pts=512):
    """Inspect a file as if its header had another frame count and duration."""
    stream = Stream(Header(30.0, num_frames, duration_pts), "h264", 64, 48, duration_seconds)
    monkeypatch.setattr(VideoReader, "_describe", lambda self: stream)
    return inspect(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_one_frame_at_pts_0_is_a_video(suffix, tmp_path):
    found = inspect(write_video(tmp_path / f"video{suffix}", 1))
    assert (found.reason, found.num_frames) == ("", 1), found.text
