"""Turn decoded frames into the network's input: small pure functions.

Letters: T frames, H height, W width, C side of a crop in pixels. The rules are those of PySlowFast 9839d13
(`slowfast/datasets/transform.py` and `utils.py`).
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

CENTRE = 1
LARGE = 3
"""Heights of the result in the height of a frame, from which on few of its rows are read."""
MAX_DIFFERENCE = 2e-4
"""Of two ways to resize, in grey levels: 3.5e-6 standardised."""


@dataclass(frozen=True)
class Transform:
    """Parameters of the transform of a frame.

    Attributes:
        mean, std: three floats in R, G, B order on the [0, 1] scale.
        short_side: of the resized frame, in pixels.
        crop_size: side of the square crops, in pixels.
        num_crops: per clip; 1 is the centre.
        reverse_channels: B, G, R order in the view; `mean` and `std` are applied before.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    short_side: int
    crop_size: int
    num_crops: int
    reverse_channels: bool = False

    @classmethod
    def from_cfg(cls, cfg: Any) -> "Transform":
        """Read the keys that decide the transform."""
        several = cfg.TEST.NUM_SPATIAL_CROPS > 1
        return cls(
            mean=tuple(cfg.DATA.MEAN),
            std=tuple(cfg.DATA.STD),
            short_side=cfg.DATA.TEST_CROP_SIZE if several else cfg.DATA.TRAIN_JITTER_SCALES[0],
            crop_size=cfg.DATA.TEST_CROP_SIZE,
            num_crops=cfg.TEST.NUM_SPATIAL_CROPS,
            reverse_channels=cfg.DATA.REVERSE_INPUT_CHANNEL,
        )

    def crops(self) -> list[int]:
        """List the crop positions: all of them, or the centre alone."""
        return list(range(self.num_crops)) if self.num_crops > 1 else [CENTRE]


def view_shape(cfg: Any) -> tuple[int, int, int, int]:
    """Return the shape of one view without its batch axis: (3, T, C, C)."""
    return (3, cfg.DATA.NUM_FRAMES, cfg.DATA.TEST_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE)


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Compute the size of a frame resized to a short side; the long one is rounded down (340x256 to 182: 241x182).

    Returns:
        New height and width in pixels.
    """
    if min(height, width) == short_side:
        return height, width
    if width < height:
        return math.floor(float(height) / width * short_side), short_side
    return short_side, math.floor(float(width) / height * short_side)


def crop_offsets(height: int, width: int, crop_size: int, crop: int) -> tuple[int, int]:
    """Place crop 0, 1 or 2: along the longer axis at its start, centre or end; centred on the other.

    Returns:
        Top and left edge in pixels.
    """
    top, left = math.ceil((height - crop_size) / 2), math.ceil((width - crop_size) / 2)
    if crop != CENTRE:
        if height > width:
            top = 0 if crop == 0 else height - crop_size
        else:
            left = 0 if crop == 0 else width - crop_size
    return top, left


def prepare_frame(frame: np.ndarray, transform: Transform) -> np.ndarray:
    """Scale a frame to [0, 1], standardise it per channel, resize its short side and move channels first.

    Resizing comes before standardising, on fewer pixels: both are linear, so the order shows only in rounding.

    Args:
        frame: (H, W, 3) uint8, RGB.
    Returns:
        (3, H', W') float32.
    """
    height, width = frame.shape[:2]
    pixels = _resize(frame, *resized_size(height, width, transform.short_side))
    # The same bytes as subtracting, multiplying and transposing in numpy, in 33 instead of 48 us (182x242 pixels).
    planes: np.ndarray = cv2.dnn.blobFromImageWithParams(pixels, _standardisation(transform.mean, transform.std))[0]
    return planes[::-1] if transform.reverse_channels else planes


@functools.lru_cache(maxsize=1)
def _standardisation(mean: tuple[float, ...], std: tuple[float, ...]) -> cv2.dnn.Image2BlobParams:
    """Build OpenCV's parameters: subtract the mean, multiply by 1 / std (on the scale of 0 to 255), channels first."""
    params = cv2.dnn.Image2BlobParams()
    params.mean = [255 * value for value in mean]
    params.scalefactor = [1 / (255 * value) for value in std]
    return params


def _resize(frame: np.ndarray, new_height: int, new_width: int) -> np.ndarray:
    """Resize a frame as torch's `interpolate` does.

    cv2.resize takes two thirds of cv2.remap's time, and needs the whole frame as float32: for frames much larger than
    the result, cv2.remap on the rows that it reads is faster.

    Args:
        frame: (H, W, 3) uint8.
    Returns:
        (H', W', 3) float32.
    """
    height, width = frame.shape[:2]
    if (height, width) == (new_height, new_width):
        return frame.astype(np.float32)
    if height < LARGE * new_height and _has_exact_resize(height, width, new_height, new_width):
        return _resize_at_once(frame.astype(np.float32), new_height, new_width)
    rows, map_x, map_y = _source_grid(height, width, new_height, new_width)
    return _remap(frame[rows].astype(np.float32), map_x, map_y)


def _resize_at_once(pixels: np.ndarray, new_height: int, new_width: int) -> np.ndarray:
    """Resize (H, W, 3) float32 with cv2.resize, which computes source coordinates from a factor as torch does.

    Intel's library within OpenCV computes others; it is switched off meanwhile, for the calling thread.
    """
    height, width = pixels.shape[:2]
    factor_x, factor_y = 1 / _ratio(width, new_width), 1 / _ratio(height, new_height)
    uses_ipp = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        return cv2.resize(pixels, None, fx=factor_x, fy=factor_y, interpolation=cv2.INTER_LINEAR)
    finally:
        cv2.ipp.setUseIPP(uses_ipp)


def _remap(pixels: np.ndarray, map_x: np.ndarray, map_y: np.ndarray) -> np.ndarray:
    return cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@functools.lru_cache(maxsize=8)
def _has_exact_resize(height: int, width: int, new_height: int, new_width: int) -> bool:
    """Check on noise that this OpenCV's cv2.resize samples at source_coordinates; each build has code of its own."""
    noise = np.frombuffer(np.random.RandomState(0).bytes(3 * height * width), dtype=np.uint8)
    pixels = noise.reshape(height, width, 3).astype(np.float32)
    rows, map_x, map_y = _source_grid(height, width, new_height, new_width)
    expected, resized = _remap(pixels[rows], map_x, map_y), _resize_at_once(pixels, new_height, new_width)
    return resized.shape == expected.shape and bool(np.abs(resized - expected).max() <= MAX_DIFFERENCE)


@functools.lru_cache(maxsize=8)
def _source_grid(height: int, width: int, new_height: int, new_width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute where each resized pixel lies in the source frame, reduced to the rows that bilinear sampling reads.

    Returns:
        The rows read, in order; x, and y within those rows, each (H', W') float32.
    """
    x, y = source_coordinates(width, new_width), source_coordinates(height, new_height)
    above = y.astype(np.int64)
    rows = np.unique(np.minimum([above, above + 1], height - 1))
    map_x, map_y = np.meshgrid(x, (np.searchsorted(rows, above) + (y - above)).astype(np.float32))
    return rows, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y)


def source_coordinates(size: int, new_size: int) -> np.ndarray:
    """Map pixel centres of a resized axis to the source axis (half-pixel centres, no antialiasing).

    torch computes `ratio * (i + 0.5) - 0.5` with a float32 ratio and one rounding to float32 (a fused multiply-add) and
    moves negative values to 0. The exact ratio, which cv2.resize takes unless it is given a factor, changes values at
    sharp edges by up to 9e-4.

    Returns:
        (new_size,) float32, in pixels of the source axis.
    """
    coordinates: np.ndarray = np.maximum(_ratio(size, new_size) * (np.arange(new_size) + 0.5) - 0.5, 0)
    return coordinates.astype(np.float32)


def _ratio(size: int, new_size: int) -> float:
    return float(np.float32(size) / np.float32(new_size))


def assemble_view(frames: Sequence[np.ndarray], crop: int, view: np.ndarray) -> None:
    """Stack one crop of a clip's prepared frames.

    Args:
        frames: T arrays (3, H', W') float32.
        crop: 0, 1 or 2.
        view: (1, 3, T, C, C) float32, overwritten: the network's input for one view.
    """
    crop_size = view.shape[-1]
    _, height, width = frames[0].shape
    top, left = crop_offsets(height, width, crop_size, crop)
    for time, frame in enumerate(frames):
        view[0, :, time] = frame[:, top : top + crop_size, left : left + crop_size]
