"""Decode whole video files to report their properties and failure reasons."""

from dataclasses import dataclass

from x3d.dataset.annotations import Video
from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling, plan_clips

MIN_DECODED_FRACTION = 0.9
"""Of the frames in the header; good files may have slightly fewer."""


@dataclass
class Inspection:
    """Properties of a file and its failure reason; empty or 0 if the file failed before they were known.

    Attributes:
        reason: a code out of x3d.errors.REASONS, empty when every frame and every clip can be decoded.
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


def inspect_video(video: Video, sampling: Sampling) -> Inspection:
    """Decode every frame of a file and plan its clips."""
    found = Inspection()
    try:
        with VideoReader(video.path) as reader:
            stream = reader.stream
            found.fps, found.duration_seconds = stream.header.fps, stream.duration_seconds or 0.0
            found.codec, found.width, found.height = stream.codec, stream.width, stream.height
            pts, sizes = [], set()
            for frame in reader.frames():
                pts.append(frame.pts or 0)
                sizes.add((frame.width, frame.height))
                found.num_frames, found.rotation = len(pts), reader.rotation
            if not pts:
                raise VideoError("no_frames", video.path)
            if len(sizes) > 1:
                raise VideoError("size_changes", video.path, f"{sorted(sizes)}")
            _check_length(reader, len(pts))
            try:
                plan_clips(pts, stream.header, sampling)
            except ValueError as error:
                raise VideoError("truncated", video.path, str(error)) from error
    except VideoError as error:
        found.reason, found.text = error.reason, str(error)
    return found


def _check_length(reader: VideoReader, num_decoded: int) -> None:
    """Compare the number of frames decoded with the header's, or with its duration times its frame rate."""
    stream = reader.stream
    num_expected = stream.header.num_frames or round((stream.duration_seconds or 0) * stream.header.fps)
    if num_decoded < num_expected * MIN_DECODED_FRACTION:
        raise VideoError("truncated", reader.path, f"{num_decoded} frames of {num_expected}")
