"""How the results of a folder were made, as far as it is recorded."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from x3d.errors import InputError
from x3d.scoring.table import UNKNOWN_SOURCE, Failure
from x3d.storage.expected_list import ExpectedList
from x3d.storage.provenance import view_dtype


@dataclass(frozen=True)
class ResultRecord:
    """How the results of a folder were made, as far as it is recorded.

    Attributes:
        source: the file that records it.
        labels: label of each view that the run was to write.
        names: of the files of those results.
        digests: xxh3-64 of each result's bytes, by the file's name; of ais_bench's results empty.
        provenance: of the results, as x3d_infer.py records it; of ais_bench's empty.
        input_folder: what the views were read from, None if unknown.
        views: provenance of the views; empty if unknown.
        views_source: the file that records it.
        missing_videos: why listed videos have no views, by index.
        listed_paths: of the videos in the list, as the manifest beside the views records them.
        sources: xxh3-64 of the content of each video's file, by index, as this manifest records it.
        is_split: ais_bench ran twice the batches that its files fill.
        devices: the numbers of the devices that ais_bench was to run on, if there were several.
    """

    source: str
    labels: Mapping[int, int]
    names: AbstractSet[str] = frozenset()
    digests: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    input_folder: str | None = None
    views: Mapping[str, Any] = field(default_factory=dict)
    views_source: str = ""
    missing_videos: Mapping[int, Failure] = field(default_factory=dict)
    listed_paths: Sequence[str] = ()
    sources: Mapping[int, int] = field(default_factory=dict)
    is_split: bool = False
    devices: Sequence[int] = ()

    @property
    def num_videos(self) -> int | None:
        """The number of videos in the list that the views were made from, None if unknown."""
        number = self.views.get("num_videos")
        return number if isinstance(number, int) else None

    def sources_of(self, videos: np.ndarray) -> np.ndarray:
        """Look up the hashes of files.

        Args:
            videos: (n,) int64, positions in the list.
        Returns:
            (n,) uint64, UNKNOWN_SOURCE where none is recorded.
        """
        return np.array([self.sources.get(video, UNKNOWN_SOURCE) for video in videos.tolist()], dtype=np.uint64)

    def check_keys(self, keys: Mapping[str, int]) -> None:
        """Compare the keys that the results were made with to those that they are scored with.

        Raises:
            InputError: they differ; the text names the values to set.
        """
        config = self.views.get("config")
        made_with = dict(config) if isinstance(config, dict) else {}
        made_with["MODEL.NUM_CLASSES"] = self.provenance.get("num_classes")
        known = {key: made_with[key] for key in keys if made_with.get(key) is not None}
        if any(known[key] != keys[key] for key in known):
            values = " ".join(f"{key} {value}" for key, value in known.items())
            raise InputError(f"{self.views_source or self.source} records other keys for these results: set {values}")

    def check_type(self) -> None:
        """Check that ais_bench did not cut the views in two.

        Raises:
            InputError: it ran twice the batches that its files fill, and they are float32.
        """
        if self.is_split and self.views and view_dtype(self.views) == "float32":
            raise InputError(
                f"{self.source} counts twice the batches that its files fill: either the .om takes float16, and "
                f"ais_bench cut the float32 views that {self.views_source} records in two, or --batchsize was twice "
                "the .om's; infer again with views of X3D_PREPROCESS.DTYPE float16, or with the .om's batch size"
            )

    def check_list(self, listed: ExpectedList) -> None:
        """Compare the list that the views were made from with another.

        Raises:
            InputError: they differ.
        """
        listed.check_digest(self.views.get("list_digest"), self.views_source)

    def describe_foreign(self, view: int, name: str) -> str | None:
        """Describe why a result is not of the recorded run, None if it is."""
        if name in self.names:
            return None
        result = name if view in self.labels else f"view {view}"
        return f"{result} is not named by {self.source}: it is of another run"

    def unchecked(self) -> list[str]:
        """List what cannot be checked of the results without further records."""
        return [name for name, known in (("values", self.digests), ("provenance", self.provenance)) if not known]
