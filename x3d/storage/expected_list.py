"""The list of videos that scores are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from x3d.dataset.annotations import Video
from x3d.errors import InputError
from x3d.storage.provenance import list_digest


@dataclass(frozen=True)
class ExpectedList:
    """A list whose videos are expected.

    Attributes:
        labels: of the videos, in their order.
        paths: of the videos, as listed.
        source: path of the list.
        digest: of paths and labels, as a provenance has it.
    """

    labels: Sequence[int]
    paths: Sequence[str]
    source: str
    digest: str

    @classmethod
    def of_videos(cls, videos: Sequence[Video], source: str) -> "ExpectedList":
        """Expect the videos of a list that was read."""
        labels, paths = [video.label for video in videos], [video.listed for video in videos]
        return cls(labels, paths, source, list_digest(videos))

    def check_digest(self, recorded: object, recorded_in: str) -> None:
        """Compare the list with the one that views or rows were made from.

        Args:
            recorded: digest of the latter, None if unknown.
            recorded_in: the file or folder that records it.
        Raises:
            InputError: they differ.
        """
        if recorded and recorded != self.digest:
            raise InputError(
                f"{self.source} is not the list that the views were made from, as {recorded_in} records; set "
                "DATA.PATH_TO_DATA_DIR to the folder of that list, for an evaluation its own, or leave it out"
            )
