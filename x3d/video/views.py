"""Make the views of a video: sampling, decoding and transform."""

from collections.abc import Iterator

import numpy as np

from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, assemble_view, prepare_frame


def video_views(reader: VideoReader, sampling: Sampling, transform: Transform) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every view of a video once, in order.

    Yields:
        Number of the view within the video (clip * crops + crop) and its (1, 3, T, C, C) float32 array, C order. All
        views share its memory: the next one overwrites it.
    Raises:
        VideoError: the video cannot be used.
    """
    crops = transform.crops()
    view = np.empty((1, 3, sampling.num_frames, transform.crop_size, transform.crop_size), dtype=np.float32)
    for clip, frames in decode_clips(reader, sampling, lambda frame: prepare_frame(frame, transform)):
        for place, crop in enumerate(crops):
            assemble_view(frames, crop, view)
            yield clip * len(crops) + place, view
