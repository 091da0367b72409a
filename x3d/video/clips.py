"""Decode the frames of a video's clips in one pass over the file, or in two when their order was mispredicted."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import av
import numpy as np

from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Clips, Plan

T = TypeVar("T")


class _MispredictedOrderError(Exception):
    """Frames were not decoded in the expected order; holds the pts of all of them, in the order observed."""

    def __init__(self, observed_pts: list[int]) -> None:
        super().__init__(observed_pts)
        self.observed_pts = observed_pts


def decode_clips(
    reader: VideoReader, clips: Clips, prepare: Callable[[np.ndarray], T]
) -> Iterator[tuple[int, list[T]]]:
    """Yield each clip of a video once, in order, as soon as no frame still to be decoded can change it.

    Packet timestamps predict the order of the frames, so one pass converts only the frames of the clips. Where the
    decoder's order differs, the rest of the pass observes it and a second pass yields the clips not yet yielded.
    A frame is held until its last clip is yielded. In a file without a duration or a frame count, every clip depends
    on the number of frames decoded, so the frames of all clips (K * T at most) are held until the end.

    Args:
        clips: which frames each of them takes.
        prepare: applied once to each frame taken, an (H, W, 3) uint8 RGB array.
    Yields:
        Number of the clip, and its T prepared frames.
    Raises:
        VideoError: a frame of a clip cannot be decoded, or the second pass differs from the first.
    """
    num_yielded = 0
    try:
        for clip in _decode_predicted(reader, clips, prepare):
            yield clip
            num_yielded += 1
        return
    except _MispredictedOrderError as mispredicted:
        observed_pts = mispredicted.observed_pts
    plan = _plan_observed(reader, observed_pts, clips)
    try:
        yield from _decode_plan(reader, plan, observed_pts, prepare, num_yielded)
    except _MispredictedOrderError as error:
        raise VideoError("damaged", reader.path, "its frames are decoded in another order each time") from error


def _decode_predicted(
    reader: VideoReader, clips: Clips, prepare: Callable[[np.ndarray], T]
) -> Iterator[tuple[int, list[T]]]:
    """Yield clips planned on the predicted order; without such a plan, only observe the order."""
    expected_pts = reader.expected_pts()
    try:
        plan = clips.plan(expected_pts, reader.stream.header)
    except ValueError:
        raise _MispredictedOrderError(_observe(reader.frames(), [])) from None
    yield from _decode_plan(reader, plan, expected_pts, prepare)


def _plan_observed(reader: VideoReader, observed_pts: Sequence[int], clips: Clips) -> Plan:
    if not observed_pts:
        raise VideoError("no_frames", reader.path)
    try:
        return clips.plan(observed_pts, reader.stream.header)
    except ValueError as error:
        raise VideoError("truncated", reader.path, str(error)) from error


def _decode_plan(
    reader: VideoReader,
    plan: Plan,
    expected_pts: Sequence[int],
    prepare: Callable[[np.ndarray], T],
    first_clip: int = 0,
) -> Iterator[tuple[int, list[T]]]:
    """Yield the clips of a plan from `first_clip` on, each once the frames that decide it came in the expected order.

    Raises:
        _MispredictedOrderError: a frame came in another order; the clips yielded before are the same in a plan on the
            order observed, because their frames and all before them came as expected.
    """
    last_clip = {int(position): clip for clip, row in enumerate(plan.positions) for position in row}
    frames = enumerate(_frames_in_order(reader, expected_pts))
    held: dict[int, T] = {}
    size: tuple[int, int] | None = None
    num_decoded = 0
    for clip in range(first_clip, len(plan.positions)):
        num_needed = int(plan.num_frames_needed[clip])
        to_end = num_needed == len(expected_pts)
        for position, frame in itertools.islice(frames, None if to_end else max(num_needed - num_decoded, 0)):
            if position not in last_clip:
                continue
            size = size or (frame.width, frame.height)
            if size != (frame.width, frame.height):
                raise VideoError("size_changes", reader.path, f"{size} and {(frame.width, frame.height)}")
            if last_clip[position] >= first_clip:
                held[position] = prepare(reader.to_rgb(frame))
        num_decoded = max(num_decoded, num_needed)
        yield clip, [held[int(position)] for position in plan.positions[clip]]
        held = {position: kept for position, kept in held.items() if last_clip[position] > clip}


def _frames_in_order(reader: VideoReader, expected_pts: Sequence[int]) -> Iterator[av.VideoFrame]:
    """Decode frames as long as they come at the expected pts.

    Raises:
        _MispredictedOrderError: one did not, or there are fewer or more.
        VideoError: the stream cannot be decoded further.
    """
    frames = reader.frames()
    observed_pts: list[int] = []
    for frame in frames:
        observed_pts.append(frame.pts or 0)
        if len(observed_pts) > len(expected_pts) or frame.pts != expected_pts[len(observed_pts) - 1]:
            raise _MispredictedOrderError(_observe(frames, observed_pts))
        yield frame
    if len(observed_pts) < len(expected_pts):
        raise _MispredictedOrderError(observed_pts)


def _observe(frames: Iterator[av.VideoFrame], observed_pts: list[int]) -> list[int]:
    """Append the pts of the frames up to one that cannot be decoded; raise its error if it is the first of the file."""
    try:
        for frame in frames:
            observed_pts.append(frame.pts or 0)
    except VideoError:
        if not observed_pts:
            raise
    return observed_pts
