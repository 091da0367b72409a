"""Decode the frames of a video's clips in one pass over the file; in more where that pass was not as predicted."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import av
import numpy as np

from x3d.errors import VideoError
from x3d.video.reader import VideoReader
from x3d.video.sampling import Clips, Plan

T = TypeVar("T")


@dataclass
class _Pass:
    """A pass over the file.

    Attributes:
        plan: of the clips.
        expected_pts: of every frame.
        left_out: pts of the frames that are not decoded.
        observed_pts: of every frame, where they came in another order than expected in a pass that leaves out none.
    """

    plan: Plan
    expected_pts: Sequence[int]
    left_out: AbstractSet[int] = frozenset()
    observed_pts: Sequence[int] = ()

    def positions(self) -> list[int]:
        """List the frames that are decoded, as positions in expected_pts."""
        return [position for position, pts in enumerate(self.expected_pts) if pts not in self.left_out]


class _NotAsExpectedError(Exception):
    """The frames of a pass are not those that were expected."""


def decode_clips(
    reader: VideoReader, clips: Clips, prepare: Callable[[np.ndarray], T]
) -> Iterator[tuple[int, list[T]]]:
    """Yield each clip of a video once, in order, as soon as no frame still to be decoded can change it.

    Packet timestamps predict the order of the frames, so one pass converts only the frames of the clips, and leaves out
    those that neither a clip nor another frame needs. Where the frames are others than predicted, or the decoder marks
    one as damaged, a pass that leaves out none yields the clips not yet yielded. If their order differs in that too,
    its rest observes it and the last pass follows it.
    A frame is held until its last clip is yielded. In a file without a duration or a frame count, every clip depends
    on the number of frames decoded, so the frames of all clips (K * T at most) are held until the end.

    Args:
        clips: which frames each of them takes.
        prepare: applied once to each frame taken, an (H, W, 3) uint8 RGB array.
    Yields:
        Number of the clip, and its T prepared frames.
    Raises:
        VideoError: a frame of a clip cannot be decoded, or the last pass differs from the one before.
    """
    first_clip = 0
    for attempt in _passes(reader, clips):
        try:
            for clip, frames in _decode_pass(reader, attempt, prepare, first_clip):
                yield clip, frames
                first_clip = clip + 1
            return
        except _NotAsExpectedError:
            continue
    raise VideoError("damaged", reader.path, "its frames are decoded in another order each time")


def _passes(reader: VideoReader, clips: Clips) -> Iterator[_Pass]:
    """Yield the passes to try, one after the other; without a plan on the predicted order, only observe the order."""
    expected_pts = reader.expected_pts()
    try:
        plan = clips.plan(expected_pts, reader.stream.header)
    except ValueError:
        observed_pts: Sequence[int] = _observe(reader.frames(), [])
    else:
        if left_out := _find_unneeded(reader, plan, expected_pts):
            yield _Pass(plan, expected_pts, left_out)
        complete = _Pass(plan, expected_pts)
        yield complete
        observed_pts = complete.observed_pts
    if not observed_pts:
        raise VideoError("no_frames", reader.path)
    try:
        plan = clips.plan(observed_pts, reader.stream.header)
    except ValueError as error:
        raise VideoError("truncated", reader.path, str(error)) from error
    yield _Pass(plan, observed_pts)


def _find_unneeded(reader: VideoReader, plan: Plan, expected_pts: Sequence[int]) -> set[int]:
    """Find the pts of the frames that no clip takes, no clip ends with, and no other frame refers to."""
    needed = {*plan.positions.ravel().tolist(), *(plan.num_frames_needed - 1).tolist()}
    return reader.unreferenced_pts() - {expected_pts[position] for position in needed}


def _decode_pass(
    reader: VideoReader, attempt: _Pass, prepare: Callable[[np.ndarray], T], first_clip: int
) -> Iterator[tuple[int, list[T]]]:
    """Yield the clips of a pass from `first_clip` on, each once the frames that decide it came as expected.

    Raises:
        _NotAsExpectedError: a frame did not; the clips yielded before are the same in the passes that follow, because
            their frames and all before them came as expected.
    """
    plan = attempt.plan
    last_clip = {int(position): clip for clip, row in enumerate(plan.positions) for position in row}
    positions = attempt.positions()
    num_wanted = np.searchsorted(positions, plan.num_frames_needed).tolist()
    frames = _frames_in_order(reader, attempt, positions)
    held: dict[int, T] = {}
    size: tuple[int, int] | None = None
    num_decoded = 0
    for clip in range(first_clip, len(plan.positions)):
        to_end = plan.num_frames_needed[clip] == len(attempt.expected_pts)
        for position, frame in itertools.islice(frames, None if to_end else max(num_wanted[clip] - num_decoded, 0)):
            if position not in last_clip:
                continue
            size = size or (frame.width, frame.height)
            if size != (frame.width, frame.height):
                raise VideoError("size_changes", reader.path, f"{size} and {(frame.width, frame.height)}")
            if last_clip[position] >= first_clip:
                held[position] = prepare(reader.to_rgb(frame))
        num_decoded = max(num_decoded, num_wanted[clip])
        yield clip, [held[int(position)] for position in plan.positions[clip]]
        held = {position: kept for position, kept in held.items() if last_clip[position] > clip}


def _frames_in_order(
    reader: VideoReader, attempt: _Pass, positions: Sequence[int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode frames as long as they come as expected, with their positions.

    Where frames are left out, those that come must be undamaged: what hides damage may be taken from any frame.

    Raises:
        _NotAsExpectedError: a frame came at another pts, or there are fewer or more; if none is left out, the pts of
            all frames are in attempt.observed_pts.
        VideoError: the stream cannot be decoded further.
    """
    frames = reader.frames(attempt.left_out)
    observed_pts: list[int] = []
    try:
        for frame in frames:
            number = len(observed_pts)
            observed_pts.append(frame.pts or 0)
            if number == len(positions) or frame.pts != attempt.expected_pts[positions[number]]:
                raise _NotAsExpectedError
            if attempt.left_out and reader.num_corrupt_frames:
                raise _NotAsExpectedError
            yield positions[number], frame
        if len(observed_pts) < len(positions):
            raise _NotAsExpectedError
    except VideoError as error:
        if attempt.left_out:
            raise _NotAsExpectedError from error
        raise
    except _NotAsExpectedError:
        if not attempt.left_out:
            attempt.observed_pts = _observe(frames, observed_pts)
        raise


def _observe(frames: Iterator[av.VideoFrame], observed_pts: list[int]) -> list[int]:
    """Append the pts of the frames up to one that cannot be decoded; raise its error if it is the first of the file."""
    try:
        for frame in frames:
            observed_pts.append(frame.pts or 0)
    except VideoError:
        if not observed_pts:
            raise
    return observed_pts
