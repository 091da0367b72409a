"""Slide over a long video: steps of time with clips of their own, and a window of 10 s around each step.

An evaluation takes K clips of a video of 10 s; here K are taken in every 10 s, evenly, so that each step has its share
of them, at least one. The class of a step is decided by all clips of its window, about as many as in an evaluation.
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
"""Length of Kinetics' videos, over which an evaluation spreads its clips, and of a window."""
ROUNDING_SECONDS = 1e-6


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


def cut_steps(timeline: Timeline, step_seconds: float) -> np.ndarray:
    """Cut a video into steps; the last one is longer or shorter by up to a half. None is shorter than a frame.

    Returns:
        (n + 1,) float64: where each of the n steps starts and the last ends, in seconds from the first frame.
    """
    length = min(max(step_seconds, timeline.seconds / timeline.num_frames), timeline.seconds)
    edges = np.arange(max(1, math.floor(timeline.seconds / length + 0.5)) + 1, dtype=np.float64) * length
    edges[-1] = timeline.seconds
    return edges


@dataclass(frozen=True)
class SlidingClips:
    """The clips of all steps of a video, in order.

    Attributes:
        sampling: length of a clip, and frames taken of it.
        edges: of the steps, as cut_steps returns them.
        num_per_step: clips of each step.
        spans: first and last pts of each clip.
    """

    sampling: Sampling
    edges: np.ndarray
    num_per_step: int
    spans: Sequence[tuple[int, int]]

    @classmethod
    def of_steps(cls, edges: np.ndarray, timeline: Timeline, sampling: Sampling) -> Self:
        """Place the clips: evenly in each step, and none over the ends of the video if it is long enough.

        Args:
            edges: (n + 1,) float64, as cut_steps returns them.
        """
        clip_seconds = sampling.clip_size(1)
        share = round((edges[1] - edges[0]) * sampling.num_clips / KINETICS_SECONDS)
        num_per_step = max(1, min(share, timeline.num_frames // (len(edges) - 1)))
        starts = _centres(edges, num_per_step) - clip_seconds / 2
        starts = np.clip(starts, 0, max(0, timeline.seconds - clip_seconds))
        first = np.minimum(timeline.first + (starts / timeline.seconds_per_pts).astype(np.int64), timeline.last)
        length = int((clip_seconds - 1 / timeline.fps) / timeline.seconds_per_pts)
        return cls(sampling, edges, num_per_step, [(start, start + length) for start in first.tolist()])

    @property
    def num_clips(self) -> int:
        """Clips of all steps."""
        return len(self.spans)

    @property
    def num_frames(self) -> int:
        """Frames per clip, T."""
        return self.sampling.num_frames

    def windows(self) -> list[tuple[int, int]]:
        """Find the clips of the window around each step: the first, and the one after the last."""
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        half = np.maximum(np.diff(self.edges), KINETICS_SECONDS) / 2 + ROUNDING_SECONDS
        centres = _centres(self.edges, self.num_per_step)
        first, stop = np.searchsorted(centres, middles - half), np.searchsorted(centres, middles + half)
        return list(zip(first.tolist(), stop.tolist(), strict=True))

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


def _centres(edges: np.ndarray, num_per_step: int) -> np.ndarray:
    """Divide each step evenly: (n * num_per_step,) float64, in seconds."""
    shares = (np.arange(num_per_step) + 0.5) / num_per_step
    centres: np.ndarray = (edges[:-1, None] + np.diff(edges)[:, None] * shares).ravel()
    return centres
