"""The result of one video in a run: a value, or a failure reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from x3d.dataset.annotations import Video

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """One video with its value, or with a reason code out of x3d.errors.REASONS and a text."""

    video: Video
    value: T | None = None
    reason: str = ""
    text: str = ""


def in_order(outcomes: Iterable[Outcome[T]], videos: Sequence[Video]) -> Iterator[Outcome[T]]:
    """Yield outcomes in the order of their videos, each as soon as all before it have ended."""
    early: dict[int, Outcome[T]] = {}
    order = iter([video.index for video in videos])
    wanted = next(order, None)
    for outcome in outcomes:
        early[outcome.video.index] = outcome
        while wanted in early:
            yield early.pop(wanted)
            wanted = next(order, None)
