"""A folder of views: `<view>_<label>.npy` or `.bin`, and a manifest that records a hash of each.

The scratch folders lie in subfolders, which ais_bench does not read.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from x3d.dataset.annotations import Video
from x3d.dataset.naming import VIEW_SUFFIXES, WHOLE, Shard, parse_view_stem
from x3d.errors import InputError, counted, one_line
from x3d.storage.atomic import remove_leftovers
from x3d.storage.entries import source_of_entry
from x3d.storage.manifest import Manifest, remove_manifest
from x3d.storage.provenance import provenance_differences
from x3d.storage.scratch import locked_scratch
from x3d.storage.shards import describe_run, find_manifests, manifest_name, merge_shards, shard_of
from x3d.storage.view_writer import ViewWriter, view_file_bytes
from x3d.video.source import find_changed

OVERWRITE_ADVICE = "set X3D_PREPROCESS.OVERWRITE True to start anew"

logger = logging.getLogger(__name__)


class ViewFolder:
    """One shard's views in a folder: when it is opened, its manifest records exactly the views it contains.

    Attributes:
        view_bytes: size of a view's file.
    """

    def __init__(
        self,
        path: str,
        suffix: str,
        view_shape: tuple[int, ...],
        views_per_video: int,
        shard: Shard = WHOLE,
        dtype: str = "float32",
    ) -> None:
        self.path = Path(path)
        self.suffix = suffix
        self.views_per_video = views_per_video
        self.shard = shard
        self.dtype = dtype
        self.view_bytes = view_file_bytes(view_shape, suffix, dtype)
        self.manifest_path = self.path / manifest_name(shard)

    @contextlib.contextmanager
    def open(
        self, provenance: Mapping[str, Any], videos: Sequence[Video], overwrite: bool
    ) -> Iterator[tuple[Manifest, ViewWriter]]:
        """Lock the folder for this process and yield its manifest, resumed or new, and what writes its views.

        Args:
            videos: of this shard.
            overwrite: remove this shard's views and manifest first.
        Raises:
            InputError: the folder has another provenance, holds files of unknown origin, or is in use.
        """
        with contextlib.ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                scratch = stack.enter_context(locked_scratch(lock_path(self.manifest_path)))
                writer = ViewWriter(self.path, scratch, self.suffix, self.views_per_video, self.dtype)
                manifest = self._prepare(writer, provenance, videos, overwrite)
            except OSError as error:
                where = error.filename or self.path
                raise InputError(f"X3D_PREPROCESS.DATA_OUTPUT_PATH {where}: {error.strerror}") from error
            yield manifest, writer

    def _prepare(
        self, writer: ViewWriter, provenance: Mapping[str, Any], videos: Sequence[Video], overwrite: bool
    ) -> Manifest:
        """Bring manifest and views into agreement, and save the manifest."""
        remove_leftovers(self.manifest_path)
        self._check_names()
        self._check_or_merge_shards(provenance, overwrite)
        if overwrite:
            self._remove_all()
        manifest = self._resume(provenance) if self.manifest_path.exists() else self._start(provenance)
        self._forget_incomplete(manifest, writer, videos)
        _forget_changed(manifest, videos)
        self._remove_unrecorded(manifest, writer, videos)
        manifest.save()
        self._check_started_meanwhile(manifest, provenance)
        return manifest

    def _check_started_meanwhile(self, manifest: Manifest, provenance: Mapping[str, Any]) -> None:
        """Check the other shards again, now that they can see this one."""
        try:
            self._check_shards([path for path in find_manifests(self.path) if path != self.manifest_path], provenance)
        except InputError:
            if not manifest.entries():
                remove_manifest(self.manifest_path)
            raise

    def _check_names(self) -> None:
        """Reject files that are not views, which ais_bench would read, and folders named like views."""
        with os.scandir(self.path) as entries:
            inputs = [entry for entry in entries if entry.name.lower().endswith(VIEW_SUFFIXES)]
        for entry in inputs:
            if parse_view_stem(os.path.splitext(entry.name)[0]) is None or entry.is_dir():
                raise InputError(
                    f"{one_line(entry.path)} is not a view, and ais_bench would read it; move it elsewhere"
                )

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
                raise InputError(
                    f"{describe_run(path)}, --num_shards is {self.shard.num_shards}; finish or remove that one, or "
                    "give another X3D_PREPROCESS.DATA_OUTPUT_PATH"
                )
            _check_provenance(Manifest.load(path), provenance, "remove it and its views")

    def _merge_finished_shards(self, manifests: Sequence[Path]) -> None:
        """Merge the shards' manifests while holding the locks of stopped shards, so that none resumes meanwhile."""
        with contextlib.ExitStack() as locks:
            for path in manifests:
                locks.enter_context(locked_scratch(lock_path(path)))
            merge_shards(self.manifest_path, manifests)

    def _resume(self, provenance: Mapping[str, Any]) -> Manifest:
        manifest = self._load()
        _check_provenance(manifest, provenance, OVERWRITE_ADVICE)
        return manifest

    def _load(self) -> Manifest:
        """Load the manifest.

        Raises:
            InputError: it is that of an evaluation, or of another program.
        """
        manifest = Manifest.load(self.manifest_path)
        if "view_format" not in manifest.provenance or "score_format" in manifest.provenance:
            raise InputError(
                f"{self.manifest_path} is not a manifest of views; give another X3D_PREPROCESS.DATA_OUTPUT_PATH"
            )
        return manifest

    def _remove_all(self) -> None:
        """Remove the views of this shard and its manifest; without a manifest of this suite nothing is removed."""
        if os.path.lexists(self.manifest_path):
            self._load()
            self._remove(self._own_views(), "X3D_PREPROCESS.OVERWRITE is True")
            remove_manifest(self.manifest_path)

    def _start(self, provenance: Mapping[str, Any]) -> Manifest:
        """Make a manifest for a folder that holds no views of this shard."""
        unknown = self._own_views()
        if unknown:
            raise InputError(
                f"{self.path} holds views without {self.manifest_path.name} ({len(unknown)}, such as {min(unknown)}); "
                "give another X3D_PREPROCESS.DATA_OUTPUT_PATH, or remove them"
            )
        return Manifest(self.manifest_path, provenance)

    def _forget_incomplete(self, manifest: Manifest, writer: ViewWriter, videos: Sequence[Video]) -> None:
        """Forget videos with a view that is missing, has another size or is no regular file."""
        files = [entry for entry in os.scandir(self.path) if entry.is_file(follow_symlinks=False)]
        sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in files}
        for video in videos:
            names = writer.names(video) if manifest.is_done(video.index) else []
            if any(sizes.get(name) != self.view_bytes for name in names):
                manifest.forget(video.index)

    def _remove_unrecorded(self, manifest: Manifest, writer: ViewWriter, videos: Sequence[Video]) -> None:
        """Remove views of videos that are not recorded as done."""
        done = [video for video in videos if manifest.is_done(video.index)]
        recorded = {name for video in done for name in writer.names(video)}
        self._remove([name for name in self._own_views() if name not in recorded], "of videos not recorded as done")

    def _inputs(self) -> list[str]:
        """Name the files that ais_bench would read."""
        return [name for name in os.listdir(self.path) if name.lower().endswith(VIEW_SUFFIXES)]

    def _own_views(self) -> list[str]:
        """Name the views of this shard's videos."""
        identities = {name: parse_view_stem(os.path.splitext(name)[0]) for name in self._inputs()}
        return [name for name, view in identities.items() if view and self.shard.owns(view[0] // self.views_per_video)]

    def _remove(self, names: Sequence[str], why: str) -> None:
        if names:
            logger.info("%s of %s removed: %s", counted(len(names), "view"), self.path, why)
        for name in names:
            (self.path / name).unlink()


def lock_path(manifest: Path) -> Path:
    """Name the lock that goes with a manifest: `.manifest.lock`, or of a shard `.manifest-0of3.lock`."""
    return manifest.with_name(f".{manifest.stem}.lock")


def _forget_changed(manifest: Manifest, videos: Sequence[Video]) -> None:
    """Forget videos whose file has another content than the views were made of; the views of a missing file stand."""
    done = [video for video in videos if manifest.is_done(video.index)]
    for index in find_changed((video, source_of_entry(manifest.entry(video.index))) for video in done):
        manifest.forget(index)


def _check_provenance(manifest: Manifest, provenance: Mapping[str, Any], advice: str) -> None:
    differences = provenance_differences(manifest.provenance, provenance)
    if differences:
        raise InputError(
            f"{manifest.path} has another provenance: {'; '.join(differences)}. Give another "
            f"X3D_PREPROCESS.DATA_OUTPUT_PATH, or {advice}"
        )
