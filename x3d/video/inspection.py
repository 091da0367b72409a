"""Find out what a video file is and whether all of it can be used."""

from dataclasses import dataclass

from x3d.dataset.annotations import Video
from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling, plan_clips

LEAST_SHARE_OF_PROMISED = 0.9


@dataclass
class Inspection:
    """What decoding a whole file showed; empty or 0 where it was not reached.

    Attributes:
        reason: a code out of x3d.errors.REASONS, empty when every frame and every clip can be had.
        num_frames: decoded.
        fps: average, as the header says.
        duration_seconds: as the header says.
        rotation: degrees, metadata.
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
    """Decode every frame of a file and lay the clips over them."""
    found = Inspection()
    try:
        with VideoReader(video.path) as reader:
            stream = reader.stream
            found.fps, found.duration_seconds = stream.header.fps, stream.duration_seconds or 0.0
            found.codec, found.width, found.height = stream.codec, stream.width, stream.height
            times, sizes = [], set()
            for frame in reader.frames():
                times.append(frame.pts or 0)
                sizes.add((frame.width, frame.height))
                found.num_frames, found.rotation = len(times), reader.rotation
            if not times:
                raise VideoError("no_frames", video.path)
            if len(sizes) > 1:
                raise VideoError("size_changes", video.path, f"{sorted(sizes)}")
            _check_length(reader, len(times))
            try:
                plan_clips(times, stream.header, sampling)
            except ValueError as error:
                raise VideoError("truncated", video.path, str(error)) from error
    except VideoError as error:
        found.reason, found.text = error.reason, str(error)
    return found


def _check_length(reader: VideoReader, num_decoded: int) -> None:
    """Hold the frames decoded against those the header promises; a few may be missing in good files."""
    stream = reader.stream
    promised = stream.header.num_frames or round((stream.duration_seconds or 0) * stream.header.fps)
    if num_decoded < promised * LEAST_SHARE_OF_PROMISED:
        raise VideoError("truncated", reader.path, f"{num_decoded} frames of {promised}")
