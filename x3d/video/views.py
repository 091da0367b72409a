"""Make the views of a video: sampling, decoding and transform."""

import itertools
from collections.abc import Iterator

import numpy as np

from x3d.errors import VideoError
from x3d.video.clips import decode_clips
from x3d.video.memory import keep_freed_memory
from x3d.video.reader import VideoReader
from x3d.video.sampling import Clips
from x3d.video.transform import Transform, assemble_view, crop_offsets, prepare_frame, resized_size

MAX_SIDE = 32766
"""In pixels: OpenCV's remap takes sides below 2**15 - 1."""
LONG_FRAME = 4
"""Sides of a crop in the long side of a frame, from which on only its crops are held."""


def video_views(
    reader: VideoReader, clips: Clips, transform: Transform, batch: np.ndarray | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every view of a video once, in order.

    Args:
        batch: (N, 3, T, C, C) float32, C order; its places take the views in turn (default: one place).
    Yields:
        Number of the view within the video (clip * crops + crop) and its (1, 3, T, C, C) place in `batch`, which the
        N-th view after it overwrites.
    Raises:
        VideoError: the video cannot be used.
    """
    keep_freed_memory()
    crops = transform.crops()

    def prepare(frame: np.ndarray) -> np.ndarray:
        check_frame_size(reader.path, frame.shape[1], frame.shape[0], transform)
        return _keep_crops(prepare_frame(frame, transform), transform)

    if batch is None:
        batch = np.empty((1, 3, clips.num_frames, transform.crop_size, transform.crop_size), dtype=np.float32)
    places = itertools.cycle(np.split(batch, len(batch)))
    for clip, frames in decode_clips(reader, clips, prepare):
        for number, crop in enumerate(crops, clip * len(crops)):
            view = next(places)
            assemble_view(frames, crop, view)
            yield number, view
    reader.check_unchanged()


def check_frame_size(path: str, width: int, height: int, transform: Transform) -> None:
    """Check that frames of a size can be resized.

    Raises:
        VideoError: a side is too long, as that of frames of 180:1 becomes.
    """
    new_height, new_width = resized_size(height, width, transform.short_side)
    if max(width, height, new_width, new_height) > MAX_SIDE:
        resized = f"{width}x{height} pixels, {new_width}x{new_height} when resized"
        raise VideoError("too_large", path, f"{resized}; the limit is {MAX_SIDE} a side")


def _keep_crops(frame: np.ndarray, transform: Transform) -> np.ndarray:
    """Reduce a long frame to its three crops, side by side: 100:1 takes no more memory than 4:1.

    Args:
        frame: (3, H', W') float32.
    Returns:
        (3, H'', W'') float32, whose crops have the same pixels.
    """
    _, height, width = frame.shape
    size, axis = transform.crop_size, 1 if height > width else 2
    if frame.shape[axis] <= LONG_FRAME * size:
        return frame
    starts = [crop_offsets(height, width, size, crop)[axis - 1] for crop in range(3)]
    return np.concatenate([frame.take(range(start, start + size), axis) for start in starts], axis)
