"""Open a video file and decode its frames, or raise an error that names the file and the reason."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from x3d.errors import VideoError
from x3d.video.sampling import Header
from x3d.video.source import read_source

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stream:
    """Header of a file's first video stream; without a duration of its own it has the file's."""

    header: Header
    codec: str
    width: int
    height: int
    duration_seconds: float | None


class VideoReader:
    """The first video stream of a file, opened and read once per pass; its packets are held while it is open.

    Rotation metadata is not applied, as in PySlowFast.

    Attributes:
        source: identifies the content.
        rotation: degrees, set by the first frame decoded.
        num_corrupt_frames: frames of the last pass that the decoder marked as damaged, from the first key frame on.
    Raises:
        VideoError: the file cannot be opened or holds no video.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.source = read_source(path)
        self.rotation = 0
        self.num_corrupt_frames = 0
        self._reformatter = VideoReformatter()
        self._load()

    def _load(self) -> None:
        """Open the file with a new decoder and read all of its packets."""
        self._container = _open(self.path)
        try:
            if not self._container.streams.video:
                raise VideoError("no_video_stream", self.path)
            self._stream = self._container.streams.video[0]
            self.stream = self._describe()
            self._stream.codec_context.thread_type = "NONE"
            self._stream.codec_context.thread_count = 1
            self._read_error: av.FFmpegError | None = None
            self._packets = list(self._demux())
            self._is_decoder_new = True
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._packets.clear()
        self._container.close()

    def _describe(self) -> Stream:
        stream = self._stream
        if stream.codec_context is None:
            raise VideoError("no_decoder", self.path)
        if not stream.average_rate:
            raise VideoError("no_frame_rate", self.path)
        header = Header(float(stream.average_rate), stream.frames, stream.duration)
        seconds = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration is not None:
            seconds = self._container.duration / av.time_base
        context = stream.codec_context
        return Stream(header, context.name, context.width, context.height, seconds)

    def _demux(self) -> Iterator["av.Packet[av.VideoStream]"]:
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            self._read_error = error

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode every frame from the start.

        Each pass has a new decoder: one that was flushed may drop other frames, as H.264's does before the first key
        frame.

        Raises:
            VideoError: the stream cannot be decoded further, or a frame has no timestamp.
        """
        if not self._is_decoder_new:
            self._close()
            self._load()
        self._is_decoder_new = False
        self.num_corrupt_frames = 0
        number = 0
        has_key_frame = False
        try:
            for packet in self._packets:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    if frame.pts is None:
                        raise VideoError("no_timestamps", self.path, f"frame {number}")
                    self.rotation = self.rotation or frame.rotation
                    has_key_frame |= bool(frame.key_frame)
                    self.num_corrupt_frames += has_key_frame and frame.is_corrupt
                    number += 1
                    yield frame
        except av.FFmpegError as error:
            raise VideoError("damaged", self.path, f"after {number} frames: {error.strerror}") from error
        if self._read_error is not None:
            raise VideoError("damaged", self.path, f"after {number} frames: {self._read_error.strerror}")

    def expected_pts(self) -> list[int]:
        """Predict the pts of every frame, in the decoder's output order, from the timestamps of the packets."""
        pts = sorted(_predict_pts(packet) for packet in self._packets if packet.size and not packet.is_discard)
        header = self.stream.header
        if not header.num_frames and header.duration is not None:
            logger.debug("%s: no frame count in the header; counted %d packets instead", self.path, len(pts))
        return pts

    def to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert a frame as `frame.to_rgb()` does, reusing FFmpeg's scaler.

        Returns:
            (H, W, 3) uint8.
        Raises:
            VideoError: the frame cannot be converted.
        """
        try:
            return self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        except av.FFmpegError as error:
            raise VideoError("damaged", self.path, f"a frame cannot be converted to RGB: {error.strerror}") from error


def _open(path: str) -> av.container.InputContainer:
    try:
        return av.open(f"file:{path}", metadata_errors="ignore")
    except FileNotFoundError:
        raise VideoError("missing", path) from None
    except av.FFmpegError as error:
        raise VideoError("not_a_video", path, str(error.strerror)) from error
    except OSError as error:
        raise VideoError("unreadable", path, str(error.strerror)) from error


def _predict_pts(packet: "av.Packet[av.VideoStream]") -> int:
    """Predict a frame's pts; AVI packets may have only a decoding timestamp."""
    pts = packet.dts if packet.pts is None else packet.pts
    return 0 if pts is None else pts
