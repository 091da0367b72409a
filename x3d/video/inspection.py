"""Decode whole video files to report their properties and failure reasons."""

from dataclasses import dataclass

from x3d.dataset.annotations import Video
from x3d.errors import VideoError, counted
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling, plan_clips
from x3d.video.transform import Transform
from x3d.video.views import check_frame_size

MIN_READ_FRACTION = 0.9
"""Of a track's duration; good files may end slightly earlier."""


@dataclass
class Inspection:
    """Properties of a file and its failure reason; empty or 0 if the file failed before they were known.

    Attributes:
        reason: a code out of x3d.errors.REASONS, empty when every frame and every clip can be decoded and the decoder
            marks no frame as damaged, from the first key frame on.
        text: message of the failure.
        num_frames: frames decoded.
        fps: average, from the header.
        duration_seconds: from the header, 0 if unknown.
        rotation: degrees, from the metadata.
    """

    reason: str = ""
    text: str = ""
    num_frames: int = 0
    fps: float = 0.0
    duration_seconds: float = 0.0
    codec: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0


def inspect_video(video: Video, sampling: Sampling, transform: Transform) -> Inspection:
    """Decode every frame of a file and plan its clips."""
    found = Inspection()
    try:
        with VideoReader(video.path) as reader:
            stream = reader.stream
            found.fps, found.duration_seconds = stream.header.fps, stream.duration_seconds or 0.0
            found.codec, found.width, found.height = stream.codec, stream.width, stream.height
            pts, sizes = _decode(reader, found)
            _check_frames(reader, sizes, transform)
            _check_length(reader)
            try:
                plan_clips(pts, stream.header, sampling)
            except ValueError as error:
                raise VideoError("truncated", video.path, str(error)) from error
            reader.check_unchanged()
    except VideoError as error:
        found.reason, found.text = error.reason, str(error)
    return found


def _decode(reader: VideoReader, found: Inspection) -> tuple[list[int], set[tuple[int, int]]]:
    """Decode every frame, and count as they come.

    Returns:
        Their pts, and the sizes (width, height) that occur.
    """
    pts, sizes = [], set()
    for frame in reader.frames():
        pts.append(frame.pts or 0)
        sizes.add((frame.width, frame.height))
        found.num_frames, found.rotation = len(pts), reader.rotation
    return pts, sizes


def _check_frames(reader: VideoReader, sizes: set[tuple[int, int]], transform: Transform) -> None:
    if not sizes:
        raise VideoError("no_frames", reader.path)
    if len(sizes) > 1:
        raise VideoError("size_changes", reader.path, f"{sorted(sizes)}")
    check_frame_size(reader.path, *sizes.pop(), transform)
    if reader.num_corrupt_frames:
        raise VideoError("damaged", reader.path, f"{counted(reader.num_corrupt_frames, 'damaged frame')}, concealed")


def _check_length(reader: VideoReader) -> None:
    """Compare the time up to the last packet with the duration of a Matroska track.

    In other containers a clip has no frames when the file ends too early.
    """
    expected = reader.stream.track_seconds
    if expected is not None and reader.seconds_read() < expected * MIN_READ_FRACTION:
        raise VideoError("truncated", reader.path, f"{reader.seconds_read():.2f} s of {expected:.2f} s")
