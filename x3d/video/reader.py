"""Open a video file and decode its frames, or raise an error that names the file and the reason."""

import logging
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from x3d.errors import VideoError, counted
from x3d.video.container import demux_stream, find_video_stream, open_container
from x3d.video.memory import DecoderMemory
from x3d.video.sampling import Header
from x3d.video.source import read_source
from x3d.video.unreferenced import UnreferencedFrames

logger = logging.getLogger(__name__)

HELD_BYTES = 16 << 20
PACKET_BYTES = 1 << 10
"""Of a packet without its data: the objects of Python and FFmpeg, rounded up."""


@dataclass(frozen=True)
class Stream:
    """Header of a file's first video stream.

    Attributes:
        duration_seconds: of the stream, or else of the file.
        track_seconds: where the track ends, which Matroska files have as a tag.
    """

    header: Header
    codec: str
    width: int
    height: int
    duration_seconds: float | None
    track_seconds: float | None = None


class VideoReader:
    """The first video stream of a file; a cover picture is none. Its packets are read when it is opened.

    They are held for the first pass unless there are more than HELD_BYTES of them: memory does not grow with the
    length of the file, which is read again instead. Rotation metadata is not applied, as in PySlowFast.

    Attributes:
        source: identifies the content.
        rotation: degrees, set by the first frame decoded.
        num_corrupt_frames: frames of the last pass that the decoder marked as damaged, from the first key frame on;
            frames left out of the pass are not looked at.
    Raises:
        VideoError: the file cannot be opened or holds no video.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file_state = _file_state(path)
        self.source = read_source(path)
        self.rotation = 0
        self.num_corrupt_frames = 0
        self._reformatter = VideoReformatter()
        self._pts = array("q")
        self._end_pts = 0
        self._read_error: av.FFmpegError | None = None
        self._open()
        try:
            self.stream = self._describe()
            self._memory.check(self._stream.codec_context)
            self._unreferenced = UnreferencedFrames(self._stream.codec_context)
            self._packets: Iterable[av.Packet[av.VideoStream]] | None = self._read_packets()
        except BaseException:
            self._container.close()
            raise

    def _open(self) -> None:
        """Open the file with a new decoder."""
        self._container = open_container(self.path)
        try:
            self._stream = find_video_stream(self._container, self.path)
        except BaseException:
            self._container.close()
            raise
        if self._stream.codec_context is not None:
            self._stream.codec_context.thread_type = "NONE"
            self._stream.codec_context.thread_count = 1
        self._memory = DecoderMemory(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packets = None
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
        track_seconds = _parse_seconds(stream.metadata.get("DURATION", ""))
        return Stream(header, context.name, context.width, context.height, seconds, track_seconds)

    def _read_packets(self) -> "list[av.Packet[av.VideoStream]] | None":
        """Read all packets for their timestamps; return them, or None if they are too many to hold."""
        held = []
        num_bytes = 0
        for packet in self._demux():
            if packet.size and not packet.is_discard:
                self._pts.append(_predict_pts(packet))
                self._end_pts = max(self._end_pts, self._pts[-1] + (packet.duration or 0))
            if packet.size:
                self._unreferenced.add(packet)
            num_bytes += packet.size + PACKET_BYTES
            if num_bytes <= HELD_BYTES:
                held.append(packet)
            else:
                held.clear()
        return held if num_bytes <= HELD_BYTES else None

    def _demux(self) -> Iterator["av.Packet[av.VideoStream]"]:
        self._read_error = None
        try:
            yield from demux_stream(self._container, self._stream)
        except av.FFmpegError as error:
            self._read_error = error

    def frames(self, left_out: AbstractSet[int] = frozenset()) -> Iterator[av.VideoFrame]:
        """Decode every frame from the start.

        Each pass has a new decoder: one that was flushed may drop other frames, as H.264's does before the first key
        frame.

        Args:
            left_out: pts of frames that are not decoded, all of them out of unreferenced_pts.
        Raises:
            VideoError: the stream cannot be decoded further, or a frame has no timestamp.
        """
        self.num_corrupt_frames = 0
        number = 0
        has_key_frame = False
        try:
            for frame in self._decode(left_out):
                if frame.pts is None:
                    raise VideoError("no_timestamps", self.path, f"frame {number}")
                self.rotation = self.rotation or frame.rotation
                has_key_frame |= bool(frame.key_frame)
                self.num_corrupt_frames += has_key_frame and frame.is_corrupt
                number += 1
                yield frame
        except av.FFmpegError as error:
            raise VideoError("damaged", self.path, f"after {counted(number, 'frame')}: {error.strerror}") from error
        if self._read_error is not None:
            raise VideoError("damaged", self.path, f"after {counted(number, 'frame')}: {self._read_error.strerror}")

    def _decode(self, left_out: AbstractSet[int]) -> Iterator[av.VideoFrame]:
        packets, self._packets = self._packets, None
        if packets is None:
            self._container.close()
            self._open()
            self.check_unchanged()
            packets = self._demux()
        for packet in packets:
            if packet.pts not in left_out:
                yield from self._memory.decode(packet)

    def check_unchanged(self) -> None:
        """Check that the file is still the one that was opened.

        Raises:
            VideoError: it was replaced or written to since.
        """
        if _file_state(self.path) != self._file_state:
            raise VideoError("changed", self.path)

    def expected_pts(self) -> list[int]:
        """Predict the pts of every frame, in the decoder's output order, from the timestamps of the packets."""
        pts = sorted(self._pts)
        header = self.stream.header
        if not header.num_frames and header.duration is not None:
            logger.debug("%s: no frame count in the header; counted %d packets instead", self.path, len(pts))
        return pts

    def unreferenced_pts(self) -> set[int]:
        """Find the frames without which all others are decoded alike, and in the same order."""
        return self._unreferenced.pts()

    @property
    def seconds_per_pts(self) -> float:
        """The unit of pts in seconds."""
        return float(self._stream.time_base or 0)

    def seconds_read(self) -> float:
        """Compute the time from 0 to the end of the last frame in the file."""
        return float(self._end_pts * (self._stream.time_base or 0))

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


def _file_state(path: str) -> tuple[int, ...]:
    """Return what changes when a file is replaced or written to."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _parse_seconds(text: str) -> float | None:
    """Parse Matroska's HH:MM:SS.fraction."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _predict_pts(packet: "av.Packet[av.VideoStream]") -> int:
    """Predict a frame's pts; AVI packets may have only a decoding timestamp."""
    pts = packet.dts if packet.pts is None else packet.pts
    return 0 if pts is None else pts
