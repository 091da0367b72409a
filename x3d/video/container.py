"""Open containers of video with FFmpeg, and nothing else: no picture, playlist or script, and no second file."""

from collections.abc import Iterator

import av
from av.stream import Disposition

from x3d.errors import VideoError
from x3d.files import HEAD_BYTES, describe_content, open_regular
from x3d.video.memory import limited_memory

VIDEO_FORMATS = (
    "3g2 3gp asf asf_o av1 avi cavsvideo dirac dnxhd dv evc flv gif gxf h261 h263 h264 hevc ivf live_flv lxf m4v "
    "matroska mov mp4 mpeg mpegts mpegvideo mxf nsv nut nuv obu ogg rm swf vc1 vc1test vvc webm wtv yuv4mpegpipe"
).split()
"""FFmpeg's demuxers that may open a file. None of them opens another: `concat`, `hls`, `dash` and `sdp` would."""

OPTIONS = {"format_whitelist": ",".join(VIDEO_FORMATS), "protocol_whitelist": "file"}

LIBRARIES = ("libavcodec", "libavformat", "libswscale")
"""FFmpeg's libraries that decide the frames."""


def ffmpeg_version() -> str:
    """List the versions of FFmpeg's libraries, which PyAV contains or finds installed: `libavcodec 62.11.100, ...`."""
    return ", ".join(f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in LIBRARIES)


def open_container(path: str) -> av.container.InputContainer:
    """Open a video file.

    Raises:
        VideoError: it cannot be read, or is no video; the text names what it is, if that is known.
    """
    try:
        with limited_memory():
            return av.open(f"file:{path}", metadata_errors="ignore", container_options=OPTIONS)
    except FileNotFoundError:
        raise VideoError("missing", path) from None
    except MemoryError as error:
        raise VideoError("too_large", path, "FFmpeg needs too much memory to open it") from error
    except av.FFmpegError as error:
        raise VideoError("not_a_video", path, _describe(path, error)) from error
    except OSError as error:
        raise VideoError("unreadable", path, str(error.strerror)) from error


def _describe(path: str, error: av.FFmpegError) -> str:
    try:
        with open_regular(path) as file:
            content = describe_content(file.read(HEAD_BYTES))
    except OSError:
        content = ""
    if content:
        return f"it is {content}"
    if isinstance(error, av.ArgumentError):  # what FFmpeg raises for a demuxer that is not on the list
        return "its format is another than those of video"
    return str(error.strerror)


def find_video_stream(container: av.container.InputContainer, path: str) -> av.VideoStream:
    """Find the first video stream; the cover picture of a film or song is none.

    Raises:
        VideoError: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    has_picture = bool(container.streams.video)
    raise VideoError("no_video_stream", path, "a cover picture is no video" if has_picture else "")


def demux_stream(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator["av.Packet[av.VideoStream]"]:
    """Yield the packets of a stream, and an empty one at the end.

    Raises:
        av.FFmpegError: the file cannot be read further.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return  # PyAV ends so when a stream appeared in the middle of the file; those known at its start are complete
