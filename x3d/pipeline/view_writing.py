"""One video in, its view files out."""

from typing import Any

from x3d.dataset.annotations import Video
from x3d.storage.view_writer import ViewWriter
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views


def write_views(video: Video, sampling: Sampling, transform: Transform, writer: ViewWriter) -> dict[str, Any]:
    """Decode a video and write its views, all or none.

    Returns:
        The hash of its views, and its rotation metadata in degrees.
    Raises:
        VideoError: the video cannot be used.
        OSError: the views cannot be written.
    """
    with VideoReader(video.path) as reader:
        digest = writer.write(video, video_views(reader, sampling, transform))
        return {"hash": digest, "rotation": reader.rotation}
