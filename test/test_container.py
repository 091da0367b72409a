"""Only containers of video are opened, and of their streams the first that is no picture."""

import av
import cv2
import numpy as np
import pytest

from test.videos import add_cover, frame_numbers, write_audio, write_late_sound, write_video
from x3d.errors import VideoError
from x3d.video.container import VIDEO_FORMATS, open_container
from x3d.video.reader import VideoReader

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nbase.ts\n#EXT-X-ENDLIST\n"
MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1"><BaseURL>base.ts</BaseURL></Representation></AdaptationSet></Period></MPD>'
)


def picture(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.zeros((48, 64, 3), dtype=np.uint8))[1].tobytes()


OTHERS = {
    "script": (b"ffconcat version 1.0\nfile 'base.ts'\n", "it is an ffconcat script"),
    "playlist": (PLAYLIST.encode(), "it is a playlist"),
    "manifest": (MANIFEST.encode(), "it is an HTML or XML page"),
    "session": (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n", "it is text"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git-LFS pointer; run `git lfs"),
    "page": (b"<!DOCTYPE html><html>404</html>", "it is an HTML or XML page"),
    "text": (b"hello\n" * 40, "it is text"),
    "subtitles": (b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n" * 3, "it is text"),
    "jpeg": (picture(".jpg"), "it is a JPEG picture"),
    "png": (picture(".png"), "it is a PNG picture"),
    "tiff": (picture(".tiff"), "its format is another than those of video"),
    "noise": (np.random.RandomState(0).bytes(5000), "(Invalid data found|its format is another)"),
}


@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".m3u8", ".ffconcat", "%d.png"])
@pytest.mark.parametrize(("content", "text"), OTHERS.values(), ids=OTHERS.keys())
def test_a_file_that_is_no_video_is_named_for_what_it_is_and_opens_no_other(content, text, suffix, tmp_path):
    write_video(tmp_path / "base.ts", 40)
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(VideoError, match="not a video file.*" + text) as raised:
        open_container(str(path))
    assert raised.value.reason == "not_a_video"


def test_the_formats_are_known_to_ffmpeg_and_open_one_file_each():
    for name in VIDEO_FORMATS:
        assert av.ContainerFormat(name, "r").is_input
    assert not {"concat", "hls", "dash", "sdp", "image2", "imf", "vobsub", "lavfi", "data", "rawvideo"} & set(
        VIDEO_FORMATS
    )


@pytest.mark.parametrize("name", ["video.mp4", "100%d.mp4", "a:b.mp4", "http:%2f%2fa.mp4", "-i.mp4", "concat:a|b.mp4"])
def test_names_are_names_of_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4", 5).rename(tmp_path / name)
    open_container(name).close()


def test_a_cover_picture_is_passed_over(tmp_path):
    path = add_cover(write_video(tmp_path / "plain.mp4", 40), tmp_path / "cover.mp4")
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["mjpeg", "h264"]
    with VideoReader(str(path)) as reader:
        assert (reader.stream.codec, reader.stream.width) == ("h264", 64)
        assert frame_numbers([reader.to_rgb(frame) for frame in reader.frames()]) == list(range(40))


def test_sound_with_a_cover_picture_is_no_video(tmp_path):
    path = add_cover(write_audio(tmp_path / "plain.mp4"), tmp_path / "cover.mp4")
    with pytest.raises(VideoError, match="a cover picture is no video") as raised:
        VideoReader(str(path))
    assert raised.value.reason == "no_video_stream"


def test_a_stream_that_appears_in_the_middle_of_a_file_does_no_harm(tmp_path):
    path = write_late_sound(tmp_path / "late.ts")
    with av.open(str(path)) as container, pytest.raises(IndexError):
        list(container.demux(video=0))
    with VideoReader(str(path)) as reader:
        assert len(list(reader.frames())) == len(reader.expected_pts()) == 80
