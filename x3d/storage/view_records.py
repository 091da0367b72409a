"""What the manifests beside views record of them."""

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from x3d.dataset.naming import parse_manifest_name, parse_view_stem, view_stem
from x3d.errors import InputError, RunError, one_line
from x3d.scoring.table import Failure
from x3d.storage.atomic import is_locked
from x3d.storage.entries import source_of_entry
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import view_dtype
from x3d.storage.shards import load_some_shards
from x3d.video.dtype import DTYPES

REDO = "run x3d_preprocess.py again"


class ViewRecords:
    """The records of the views in a folder.

    Attributes:
        provenance: that of all manifests.
        dtype: of the values of the views.
        source: path of the first manifest.

    Raises:
        InputError: they are not manifests of views.
    """

    def __init__(self, folder: Path, manifests: Sequence[Manifest]) -> None:
        self.provenance = manifests[0].provenance
        self.dtype = view_dtype(self.provenance)
        self.source = str(manifests[0].path)
        self._folder = folder
        self._entries = {index: entry for manifest in manifests for index, entry in manifest.entries().items()}
        self._done = {index: entry for manifest in manifests for index, entry in manifest.done().items()}
        for key in ("num_videos", "views_per_video"):
            if type(self.provenance.get(key)) is not int or self.provenance[key] < 1:
                raise InputError(f"{manifests[0].path} is not a manifest of views: its provenance has no {key}")
        if self.dtype not in DTYPES:
            raise InputError(f"{self.source} records {one_line(self.dtype)} views; {' or '.join(DTYPES)} are needed")
        self._num_views: int = self.provenance["views_per_video"]

    def missing_videos(self) -> dict[int, Failure]:
        """Find out why videos of the list have no views, by index."""
        indices = [index for index in range(self.provenance["num_videos"]) if index not in self._done]
        entries = {index: self._entries.get(index, {}) for index in indices}
        return {
            index: Failure(entry.get("reason", ""), entry.get("text", "not preprocessed"))
            for index, entry in entries.items()
        }

    def listed_paths(self) -> list[str]:
        """Name every video of the list by its path as listed, empty where no video was tried."""
        return [self._entries.get(index, {}).get("path", "") for index in range(self.provenance["num_videos"])]

    def sources(self) -> dict[int, int]:
        """Hash of the file that the views of each video were made of, by index: xxh3-64 of its content."""
        return {index: source_of_entry(entry).hash for index, entry in self._done.items()}

    def check(self, found: AbstractSet[str], is_all: bool) -> None:
        """Check that views are recorded, and that none is missing.

        Args:
            found: names of the views without suffix.
            is_all: these are all views of the folder.
        Raises:
            InputError: a view is not recorded, or missing.
        """
        recorded = self._recorded_stems()
        if not found <= recorded:
            unrecorded = found - recorded
            raise InputError(
                f"{self._folder} holds views that its manifest does not record ({len(unrecorded)}, such as "
                f"{min(unrecorded)}); move them elsewhere, or {REDO}"
            )
        if is_all and found < recorded:
            missing = recorded - found
            raise InputError(
                f"{self._folder} has no files of views that its manifest records ({len(missing)}, such as "
                f"{min(missing)}); {REDO}"
            )

    def _recorded_stems(self) -> set[str]:
        num_views = self._num_views
        return {
            view_stem(index * num_views + view, entry["label"])
            for index, entry in self._done.items()
            for view in range(num_views)
        }

    def check_hash(self, path: str, found: str) -> None:
        """Compare the hash of a view's values with the one recorded.

        Raises:
            RunError: it is another.
        """
        identity = parse_view_stem(os.path.splitext(os.path.basename(path))[0])
        video, view = divmod(identity[0], self._num_views) if identity else (-1, 0)
        if video not in self._done or self._done[video]["view_hashes"][view] != found:
            raise RunError(f"{path} has other values than x3d_preprocess.py wrote; remove it and {REDO}")


def find_records(folder: Path) -> ViewRecords | None:
    """Read the manifests in a folder, None if it has none.

    Raises:
        InputError: x3d_preprocess.py still writes there, the folder cannot be read, or the manifests are damaged or do
            not belong together.
    """
    try:
        names = [name for name in os.listdir(folder) if name.startswith(("manifest", ".manifest"))]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}; make it readable") from error
    for name in names:
        if name.startswith(".") and name.endswith(".lock") and is_locked(folder / name):
            raise InputError(f"{folder} is in use by x3d_preprocess.py ({name} is locked); wait until it ends")
    paths = sorted(folder / name for name in names if parse_manifest_name(name))
    return ViewRecords(folder, load_some_shards(paths)) if paths else None
