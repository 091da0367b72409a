"""Cut a long video into windows of time, each with clips of its own.

K clips, the number that an evaluation takes of a video of 10 s, are taken in every 10 s, evenly: each window has its
share of them, at least one. The centre of a clip lies in its window; its frames may reach into the next ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Plan, Sampling, frames_in_window, spread_frames

KINETICS_SECONDS = 10
"""Length of Kinetics' videos, over which an evaluation spreads its clips."""


@dataclass(frozen=True)
class Timeline:
    """When the frames of a video are shown.

    Attributes:
        first, last: pts of the first and the last frame.
        seconds: from the start of the first frame to the end of the last.
        fps: average, from the header.
    """

    first: int
    last: int
    num_frames: int
    seconds: float
    seconds_per_pts: float
    fps: float

    @classmethod
    def from_reader(cls, reader: VideoReader) -> Self:
        """Read the timestamps of a video's packets.

        Raises:
            VideoError: it has no frames, or no timestamps.
        """
        pts = reader.expected_pts()
        if not pts:
            raise VideoError("no_frames", reader.path)
        fps, unit = reader.stream.header.fps, reader.seconds_per_pts
        if not unit:
            raise VideoError("no_timestamps", reader.path)
        seconds = max(reader.seconds_read() - pts[0] * unit, 1 / fps)
        return cls(pts[0], pts[-1], len(pts), seconds, unit, fps)


def cut_windows(timeline: Timeline, window_seconds: float) -> np.ndarray:
    """Cut a video into windows; the last one is longer or shorter by up to a half. None is shorter than a frame.

    Returns:
        (n + 1,) float64: where each of the n windows starts and the last ends, in seconds from the first frame.
    """
    length = min(max(window_seconds, timeline.seconds / timeline.num_frames), timeline.seconds)
    edges = np.arange(max(1, math.floor(timeline.seconds / length + 0.5)) + 1) * length
    edges[-1] = timeline.seconds
    return edges


@dataclass(frozen=True)
class WindowClips:
    """The clips of all windows of a video, in order.

    Attributes:
        sampling: length of a clip, and frames taken of it.
        spans: first and last pts of each clip.
        num_per_window: clips of each window.
    """

    sampling: Sampling
    spans: Sequence[tuple[int, int]]
    num_per_window: int

    @classmethod
    def of_windows(cls, edges: np.ndarray, timeline: Timeline, sampling: Sampling) -> Self:
        """Place the clips: evenly in each window, and none over the ends of the video if it is long enough.

        Args:
            edges: (n + 1,) float64, as cut_windows returns them.
        """
        num_windows, clip_seconds = len(edges) - 1, sampling.clip_size(1)
        share = round((edges[1] - edges[0]) * sampling.num_clips / KINETICS_SECONDS)
        num_per_window = max(1, min(share, timeline.num_frames // num_windows))
        centres = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(num_per_window) + 0.5) / num_per_window
        starts = np.clip(centres.ravel() - clip_seconds / 2, 0, max(0, timeline.seconds - clip_seconds))
        first = np.minimum(timeline.first + (starts / timeline.seconds_per_pts).astype(np.int64), timeline.last)
        length = int((clip_seconds - 1 / timeline.fps) / timeline.seconds_per_pts)
        return cls(sampling, [(start, start + length) for start in first.tolist()], num_per_window)

    @property
    def num_clips(self) -> int:
        """Clips of all windows."""
        return len(self.spans)

    @property
    def num_frames(self) -> int:
        """Frames per clip, T."""
        return self.sampling.num_frames

    def plan(self, pts: Sequence[int], header: Header) -> Plan:
        """Choose the frames of every clip as an evaluation does of a clip with this span.

        Raises:
            ValueError: a clip has no frame; the text names it.
        """
        times = np.asarray(pts, dtype=np.int64)
        positions = np.empty((self.num_clips, self.num_frames), dtype=np.int64)
        num_frames_needed = np.empty(self.num_clips, dtype=np.int64)
        for clip, span in enumerate(self.spans):
            kept, num_frames_needed[clip] = frames_in_window(times, *span)
            if not len(kept):
                raise ValueError(f"clip {clip} of {self.num_clips} has no frames: the video ends before it")
            positions[clip] = spread_frames(kept, 0, self.sampling.clip_size(header.fps), self.num_frames)
        return Plan(positions, num_frames_needed)
