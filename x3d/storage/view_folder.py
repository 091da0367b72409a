"""A folder of views: `<view>_<label>.npy` or `.bin`, and a manifest that records the checksum of each video's.

The scratch folders lie in subfolders, which ais_bench does not read.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from x3d.dataset.annotations import Video
from x3d.dataset.naming import VIEW_SUFFIXES, WHOLE, Shard, parse_view_stem
from x3d.storage.atomic import take_lock
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import provenance_differences
from x3d.storage.shards import find_manifests, manifest_name, merge_shards, shard_of
from x3d.storage.view_writer import ViewWriter, view_file_bytes

OVERWRITE_ADVICE = "set X3D_PREPROCESS.OVERWRITE True to start anew"


class ViewFolder:
    """One shard's views in a folder: when it is opened, its manifest records exactly the views it contains.

    Attributes:
        scratch: folder for incomplete views, and for the lock; exists while the folder is open.
        writer: writes views; can be sent to worker processes.
        view_bytes: size of a view's file.
    """

    def __init__(
        self, path: str, suffix: str, view_shape: tuple[int, ...], views_per_video: int, shard: Shard = WHOLE
    ) -> None:
        self.path = Path(path)
        self.views_per_video = views_per_video
        self.shard = shard
        self.view_bytes = view_file_bytes(view_shape, suffix)
        self.manifest_path = self.path / manifest_name(shard)
        self.scratch = scratch_of(self.manifest_path)
        self.writer = ViewWriter(self.path, self.scratch, suffix, views_per_video)

    @contextlib.contextmanager
    def open(self, provenance: Mapping[str, Any], videos: Sequence[Video], overwrite: bool) -> Iterator[Manifest]:
        """Lock the folder for this process and yield its manifest, resumed or new.

        Args:
            videos: of this shard.
            overwrite: remove this shard's views and manifest first.
        Raises:
            ValueError: the folder has another provenance, holds files of unknown origin, or is in use.
        """
        lock = self._take_lock()
        try:
            self._check_names()
            self._check_or_merge_shards(provenance, overwrite)
            if overwrite:
                self._remove(self._own_views())
                self.manifest_path.unlink(missing_ok=True)
            manifest = self._resume(provenance) if self.manifest_path.exists() else self._start(provenance)
            self._forget_incomplete(manifest, videos)
            self._remove_unrecorded(manifest, videos)
            manifest.save()
            yield manifest
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
            os.close(lock)

    def _take_lock(self) -> int:
        """Create the folder and an empty scratch folder, and lock it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.scratch.mkdir(exist_ok=True)
            lock = take_lock(self.scratch / "lock")
        except OSError as error:
            raise ValueError(f"X3D_PREPROCESS.DATA_OUTPUT_PATH {self.path}: {error.strerror}") from error
        for left in os.scandir(self.scratch):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        return lock

    def _check_names(self) -> None:
        """Reject files that are not views, which ais_bench would read."""
        for name in self._inputs():
            if parse_view_stem(os.path.splitext(name)[0]) is None:
                raise ValueError(f"{self.path / name} is not a view, and ais_bench would read it; move it elsewhere")

    def _check_or_merge_shards(self, provenance: Mapping[str, Any], overwrite: bool) -> None:
        """Merge the finished shards if this is the whole folder, else check them."""
        others = [path for path in find_manifests(self.path) if path != self.manifest_path]
        if others and self.shard.num_shards == 1 and not overwrite:
            _check_provenance(Manifest.load(others[0]), provenance, "remove it and its views")
            self._merge_finished_shards(others)
        else:
            self._check_shards(others, provenance)

    def _check_shards(self, others: Sequence[Path], provenance: Mapping[str, Any]) -> None:
        """Reject shards with another shard count or provenance."""
        for path in others:
            if shard_of(path).num_shards != self.shard.num_shards:
                raise ValueError(
                    f"{path} is one of {shard_of(path).num_shards} shards, --num_shards is {self.shard.num_shards}; "
                    "finish or remove that one, or give another X3D_PREPROCESS.DATA_OUTPUT_PATH"
                )
            _check_provenance(Manifest.load(path), provenance, "remove it and its views")

    def _merge_finished_shards(self, manifests: Sequence[Path]) -> None:
        """Merge the shards' manifests while holding the locks of stopped shards, so that none resumes meanwhile."""
        scratches = [scratch for path in manifests if (scratch := scratch_of(path)).exists()]
        with contextlib.ExitStack() as locks:
            for scratch in scratches:
                locks.callback(os.close, take_lock(scratch / "lock"))
            merge_shards(self.manifest_path, manifests)
            for scratch in scratches:
                shutil.rmtree(scratch, ignore_errors=True)

    def _resume(self, provenance: Mapping[str, Any]) -> Manifest:
        manifest = Manifest.load(self.manifest_path)
        _check_provenance(manifest, provenance, OVERWRITE_ADVICE)
        return manifest

    def _start(self, provenance: Mapping[str, Any]) -> Manifest:
        """Make a manifest for a folder that holds no views of this shard."""
        unknown = self._own_views()
        if unknown:
            raise ValueError(
                f"{self.path} holds views without {self.manifest_path.name} ({len(unknown)}, such as {min(unknown)}); "
                f"give another X3D_PREPROCESS.DATA_OUTPUT_PATH, or {OVERWRITE_ADVICE}"
            )
        return Manifest(self.manifest_path, provenance)

    def _forget_incomplete(self, manifest: Manifest, videos: Sequence[Video]) -> None:
        """Forget videos with a view that is missing or has another size."""
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(self.path) if entry.is_file()}
        for video in videos:
            names = self.writer.names(video) if manifest.is_done(video.index) else []
            if any(sizes.get(name) != self.view_bytes for name in names):
                manifest.forget(video.index)

    def _remove_unrecorded(self, manifest: Manifest, videos: Sequence[Video]) -> None:
        """Remove views of videos that are not recorded as done."""
        done = [video for video in videos if manifest.is_done(video.index)]
        recorded = {name for video in done for name in self.writer.names(video)}
        self._remove(name for name in self._own_views() if name not in recorded)

    def _inputs(self) -> list[str]:
        """Name the files that ais_bench would read."""
        return [name for name in os.listdir(self.path) if name.lower().endswith(VIEW_SUFFIXES)]

    def _own_views(self) -> list[str]:
        """Name the views of this shard's videos."""
        identities = {name: parse_view_stem(os.path.splitext(name)[0]) for name in self._inputs()}
        return [name for name, view in identities.items() if view and self.shard.owns(view[0] // self.views_per_video)]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.path / name).unlink()


def scratch_of(manifest: Path) -> Path:
    """Name the scratch folder that goes with a manifest."""
    return manifest.with_name(f".scratch-{manifest.stem}")


def _check_provenance(manifest: Manifest, provenance: Mapping[str, Any], advice: str) -> None:
    differences = provenance_differences(manifest.provenance, provenance)
    if differences:
        raise ValueError(
            f"{manifest.path} has another provenance: {'; '.join(differences)}. Give another "
            f"X3D_PREPROCESS.DATA_OUTPUT_PATH, or {advice}"
        )
