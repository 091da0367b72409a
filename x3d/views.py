"""One video in, its views out: sampling, decoding and transform put together."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from x3d.annotations import Video
from x3d.sampling import Sampling
from x3d.transform import Transform, assemble_view, prepare_frame
from x3d.video import VideoReader
from x3d.view_folder import ViewFolder


def video_views(reader: VideoReader, sampling: Sampling, transform: Transform) -> Iterator[tuple[int, np.ndarray]]:
    """Make every view of a video, in order.

    Yields:
        Number of the view within the video (clip * crops + crop) and its (1, 3, T, C, C) float32 array.
    Raises:
        VideoError: the video cannot be used.
    """
    crops = transform.crops()
    for clip, frames in reader.clips(sampling, lambda frame: prepare_frame(frame, transform)):
        for place, crop in enumerate(crops):
            yield clip * len(crops) + place, assemble_view(frames, crop, transform.crop_size)


def write_views(video: Video, sampling: Sampling, transform: Transform, folder: ViewFolder) -> dict[str, Any]:
    """Decode a video and write its views, all or none.

    Returns:
        The hash of its views, and its rotation metadata in degrees.
    Raises:
        VideoError: the video cannot be used.
        OSError: the views cannot be written.
    """
    with VideoReader(video.path) as reader:
        digest = folder.write(video, video_views(reader, sampling, transform))
        return {"hash": digest, "rotation": reader.rotation}
