"""Choose the frames of each clip: pure arithmetic on presentation timestamps (pts).

The rules are those of PySlowFast 9839d13's PyAV path (`slowfast/datasets/decoder.py`), restated for one pass
over the file. Letters: K clips per video, T frames per clip, n frames in the header, m frames kept for a clip.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Sampling:
    """Number, length and spacing of the clips of a video, in PySlowFast's terms."""

    num_frames: int
    sampling_rate: int
    target_fps: int
    num_clips: int
    use_offset: bool = False

    @classmethod
    def from_cfg(cls, cfg: Any) -> "Sampling":
        """Read the keys that decide the sampling."""
        return cls(
            num_frames=cfg.DATA.NUM_FRAMES,
            sampling_rate=cfg.DATA.SAMPLING_RATE,
            target_fps=cfg.DATA.TARGET_FPS,
            num_clips=cfg.TEST.NUM_ENSEMBLE_VIEWS,
            use_offset=cfg.DATA.USE_OFFSET_SAMPLING,
        )

    def clip_size(self, fps: float) -> float:
        """Compute the length of a clip in frames of the video: 6 * 13 / 30 * fps is 78 at 30 fps."""
        return self.sampling_rate * self.num_frames / self.target_fps * fps

    def plan(self, pts: Sequence[int], header: "Header") -> "Plan":
        """Choose the frames of every clip, as plan_clips does."""
        return plan_clips(pts, header, self)


@dataclass(frozen=True)
class Header:
    """Fields of a file's header: average frames per second, frame count (0: unknown), duration in pts units or None."""

    fps: float
    num_frames: int
    duration: int | None


@dataclass(frozen=True)
class Plan:
    """The frames of a video's clips, as positions in the decoder's output order.

    Attributes:
        positions: (K, T) int64. Clip k is made of frames positions[k]; a position may repeat.
        num_frames_needed: (K,) int64. Decoding for clip k may stop after this many frames: later frames cannot change
            positions[k]. If it is the number of all frames, the clip also depends on there being no more.
    """

    positions: np.ndarray
    num_frames_needed: np.ndarray


class Clips(Protocol):
    """Clips of T frames: a Sampling, or those of x3d.video.windows."""

    @property
    def num_clips(self) -> int: ...

    @property
    def num_frames(self) -> int: ...

    def plan(self, pts: Sequence[int], header: Header) -> Plan:
        """Choose the frames of every clip, as plan_clips does."""


def plan_clips(pts: Sequence[int], header: Header, sampling: Sampling) -> Plan:
    """Choose the frames of every clip of a video.

    With a duration, clip k keeps the frames of a window of pts; in the order of `pts`, frames before the window
    are skipped and the first frame after it is kept and ends the clip. Without one, every frame of pts >= 0 is
    kept. Either way T frames are taken from the kept ones, in order of pts.
    X3D-S at 30 fps (window of 78 frames, 13 taken): 0, 6, 12, 19, 25, 32, 38, 44, 51, 57, 64, 70, 77.

    Args:
        pts: of every frame, in the decoder's output order.
        header: a frame count of 0 is replaced by the number of `pts`.
        sampling: K, T and the length of a clip.
    Raises:
        ValueError: a clip keeps no frame; the text names it.
    """
    times = np.asarray(pts, dtype=np.int64)
    clip_size = sampling.clip_size(header.fps)
    positions = np.empty((sampling.num_clips, sampling.num_frames), dtype=np.int64)
    num_frames_needed = np.full(sampling.num_clips, len(times))
    for clip in range(sampling.num_clips):
        if header.duration is None:
            kept = _by_pts(np.flatnonzero(times >= 0), times)
            start, _ = clip_span(len(kept), clip_size, clip, sampling)
        else:
            kept, stop = frames_in_window(times, *clip_window(header, len(times), clip, sampling))
            if header.num_frames:
                num_frames_needed[clip] = stop
            start, _ = clip_span(len(kept), clip_size, 0, sampling, num_clips=1)
        if not len(kept):
            raise ValueError(f"clip {clip} of {sampling.num_clips} has no frames: the video ends before it")
        positions[clip] = spread_frames(kept, start, clip_size, sampling.num_frames)
    return Plan(positions, num_frames_needed)


def spread_frames(kept: np.ndarray, start: float, clip_size: float, num_frames: int) -> np.ndarray:
    """Take T frames of a clip in equal steps; where it has fewer frames, they repeat.

    Args:
        kept: (m,) int64, the positions of its frames in order of pts.
        start: the first of them that is taken, not rounded.
        clip_size: in frames of the video.
    Returns:
        (T,) int64, positions.
    """
    chosen = linspace_float32(start, start + clip_size - 1, num_frames)
    positions: np.ndarray = kept[np.clip(chosen, 0, len(kept) - 1).astype(np.int64)]
    return positions


def clip_span(
    num_frames: int, clip_size: float, clip: int, sampling: Sampling, num_clips: int | None = None
) -> tuple[float, float]:
    """Compute where clip `clip` of `num_clips` lies in `num_frames` frames.

    Returns:
        First and last frame of the clip, not rounded.
    """
    num_clips = sampling.num_clips if num_clips is None else num_clips
    spare = max(num_frames - clip_size, 0)
    if not sampling.use_offset:
        first = spare * clip / num_clips
    elif num_clips == 1:
        first = math.floor(spare / 2)
    else:
        first = clip * math.floor(spare / (num_clips - 1))
    return first, first + clip_size - 1


def clip_window(header: Header, num_decoded: int, clip: int, sampling: Sampling) -> tuple[int, int]:
    """Compute the window of pts of a clip, both ends included, for a header with a duration."""
    if header.duration is None:
        raise ValueError("a window of pts needs a duration")
    num_frames = header.num_frames or num_decoded
    first, last = clip_span(num_frames, sampling.clip_size(header.fps), clip, sampling)
    pts_per_frame = header.duration / max(num_frames, 1)
    return int(first * pts_per_frame), int(last * pts_per_frame)


def frames_in_window(times: np.ndarray, start: int, end: int) -> tuple[np.ndarray, int]:
    """Select the frames with pts >= start, up to and including the first whose pts is past the end.

    Args:
        times: (n,) int64, the pts of every frame, in the decoder's output order.
    Returns:
        Their positions in order of pts, (m,) int64, and the number of frames that decide them.
    """
    past = np.flatnonzero((times >= start) & (times > end))
    stop = int(past[0]) + 1 if len(past) else len(times)
    return _by_pts(np.flatnonzero(times[:stop] >= start), times), stop


def _by_pts(kept: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Sort positions by pts; of frames with the same pts the last one decoded is kept."""
    latest = {int(times[position]): int(position) for position in kept}
    return np.array([latest[time] for time in sorted(latest)], dtype=np.int64)


def linspace_float32(start: float, end: float, num: int) -> np.ndarray:
    """Space `num` points from start to end exactly as torch.linspace does in float32.

    torch counts from the start in the first half and from the end in the second, each point rounded once (a fused
    multiply-add). Truncated to frame numbers, numpy's own linspace is off by one in about 1 of 10,000 cases.

    Returns:
        (num,) float32.
    """
    first, last = np.float32(start), np.float32(end)
    step = np.float64((last - first) / np.float32(num - 1))
    index = np.arange(num)
    points = np.where(index < num // 2, np.float64(first) + step * index, np.float64(last) - step * (num - 1 - index))
    return points.astype(np.float32)
