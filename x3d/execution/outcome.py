"""The result of one video in a run: a value, or a failure reason."""

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
