"""What becomes of a video in a run: a value, or a reason why there is none."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from x3d.dataset.annotations import Video

TRIES = 2

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of one video: a value, or a reason code out of x3d.errors.REASONS and a text."""

    video: Video
    value: T | None = None
    reason: str = ""
    text: str = ""
