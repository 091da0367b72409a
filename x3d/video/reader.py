"""Open a video, decode it once, and hand out the frames asked for, or an error that says what is wrong."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from x3d.errors import VideoError
from x3d.video.sampling import Header, Plan, Sampling, plan_clips

logger = logging.getLogger(__name__)

NO_CLIPS = Plan(np.empty((0, 0), dtype=np.int64), 0)

T = TypeVar("T")


@dataclass(frozen=True)
class Stream:
    """What a file says of its first video stream; sizes in pixels, duration in seconds, the file's if need be."""

    header: Header
    codec: str
    width: int
    height: int
    duration_seconds: float | None


class VideoReader:
    """The first video stream of a file. The file is opened and read once; its packets are held while it is open.

    Rotation metadata is not applied, as in PySlowFast; `rotation` (degrees) is known after the first frame.

    Raises:
        VideoError: the file cannot be opened or holds no video.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.rotation = 0
        self._container = _open(path)
        try:
            if not self._container.streams.video:
                raise VideoError("no_video_stream", path)
            self._stream = self._container.streams.video[0]
            self.stream = self._describe()
            self._stream.codec_context.thread_type = "NONE"
            self._stream.codec_context.thread_count = 1
            self._read_error: av.FFmpegError | None = None
            self._packets = list(self._demux())
        except BaseException:
            self._container.close()
            raise
        self._reformatter = VideoReformatter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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

    def _demux(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            self._read_error = error

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode from the start, in the order the decoder hands frames out.

        Raises:
            VideoError: the stream cannot be decoded further, or a frame has no timestamp.
        """
        self._stream.codec_context.flush_buffers()
        number = 0
        try:
            for packet in self._packets:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    if frame.pts is None:
                        raise VideoError("no_timestamps", self.path, f"frame {number}")
                    self.rotation = self.rotation or frame.rotation
                    number += 1
                    yield frame
        except av.FFmpegError as error:
            raise VideoError("damaged", self.path, f"after {number} frames: {error.strerror}") from error
        if self._read_error is not None:
            raise VideoError("damaged", self.path, f"after {number} frames: {self._read_error.strerror}")

    def clips(self, sampling: Sampling, prepare: Callable[[np.ndarray], T]) -> Iterator[tuple[int, list[T]]]:
        """Decode and hand out clip after clip.

        The timestamps in the packets foretell the order of the frames, so that one pass converts only the frames that
        clips take, and holds them no longer than needed. When the frames of a file come otherwise, a second pass, with
        their order known, hands out the clips again from the first one.

        Args:
            sampling: which frames the clips take.
            prepare: applied once to each frame taken, an (H, W, 3) uint8 RGB array.
        Yields:
            Number of the clip, and its T prepared frames.
        Raises:
            VideoError: a frame that a clip needs cannot be had.
        """
        times = sorted(_time(packet) for packet in self._packets if packet.size and not packet.is_discard)
        header = self.stream.header
        if not header.num_frames and header.duration is not None:
            logger.debug("%s: the header says no number of frames: %d packets are counted", self.path, len(times))
        try:
            plan = plan_clips(times, header, sampling)
        except ValueError:
            plan, times = NO_CLIPS, []
        actual = yield from self._follow(plan, times, prepare)
        if actual is None and plan is not NO_CLIPS:
            return
        times = actual or []
        if not times:
            raise VideoError("no_frames", self.path)
        try:
            plan = plan_clips(times, header, sampling)
        except ValueError as error:
            raise VideoError("truncated", self.path, str(error)) from error
        if (yield from self._follow(plan, times, prepare)) is not None:
            raise VideoError("damaged", self.path, "its frames come in another order each time")

    def _follow(
        self, plan: Plan, times: Sequence[int], prepare: Callable[[np.ndarray], T]
    ) -> Generator[tuple[int, list[T]], None, list[int] | None]:
        """Hand out a plan's clips as long as frames come at the given times.

        Returns:
            The times at which they came instead, None when they came as given.
        """
        last_use = {int(at): clip for clip, row in enumerate(plan.positions) for at in row}
        held: dict[int, T] = {}
        seen: list[int] = []
        clip, size, as_given = 0, None, True
        try:
            for position, frame in enumerate(self.frames()):
                seen.append(frame.pts or 0)
                as_given = as_given and position < len(times) and seen[-1] == times[position]
                if not as_given:
                    continue
                if position in last_use:
                    size = size or (frame.width, frame.height)
                    if size != (frame.width, frame.height):
                        raise VideoError("size_changes", self.path, f"{size} and {(frame.width, frame.height)}")
                    held[position] = prepare(self._rgb(frame))
                while clip < len(plan.positions) and plan.positions[clip].max() <= position:
                    yield clip, [held[int(at)] for at in plan.positions[clip]]
                    held = {at: kept for at, kept in held.items() if last_use[at] > clip}
                    clip += 1
                if position + 1 == plan.num_decisive < len(times):
                    return None
        except VideoError as error:
            if as_given or error.reason == "size_changes":
                raise
        return None if as_given and len(seen) == len(times) else seen

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert to (H, W, 3) uint8 as `frame.to_rgb()` does, keeping FFmpeg's scaler from frame to frame."""
        try:
            return self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        except av.FFmpegError as error:
            raise VideoError("damaged", self.path, f"a frame has no colours: {error.strerror}") from error


def _open(path: str) -> av.container.InputContainer:
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise VideoError("empty", path)
        return av.open(f"file:{path}", metadata_errors="ignore")
    except FileNotFoundError:
        raise VideoError("missing", path) from None
    except av.FFmpegError as error:
        raise VideoError("not_a_video", path, str(error.strerror)) from error
    except OSError as error:
        raise VideoError("unreadable", path, str(error.strerror)) from error


def _time(packet: av.Packet) -> int:
    """Foretell a frame's pts; AVI packets may know only their decoding time."""
    time = packet.dts if packet.pts is None else packet.pts
    return 0 if time is None else time
