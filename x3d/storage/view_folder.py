"""A folder of views: `<view>_<label>.npy`, and a manifest that vouches for them.

A video's views are written into a scratch folder and renamed into place when all of them are there, so a view that
can be seen is whole. ais_bench does not look into subfolders.
"""

import contextlib
import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from x3d.dataset.annotations import Video
from x3d.dataset.naming import VIEW_SUFFIXES, WHOLE, Shard, parse_view_stem, view_stem
from x3d.storage.atomic import take_lock, write_all
from x3d.storage.manifest import Manifest, find_manifests, manifest_name, merge_shards, shard_of
from x3d.storage.provenance import facts_differ


class ViewFolder:
    """One shard's part of a folder of views (the whole of it when there is one shard)."""

    def __init__(
        self, path: str, suffix: str, view_shape: tuple[int, ...], views_per_video: int, shard: Shard = WHOLE
    ) -> None:
        self.path = Path(path)
        self.suffix = suffix
        self.view_bytes = _npy_header_bytes((1, *view_shape), suffix) + 4 * math.prod(view_shape)
        self.views_per_video = views_per_video
        self.shard = shard
        self.manifest_path = self.path / manifest_name(shard)
        self.scratch = _scratch_of(self.manifest_path)

    def open(self, facts: Mapping[str, Any], videos: Sequence[Video], overwrite: bool) -> Manifest:
        """Make the folder ready: a manifest to resume or a new one, and no view that it does not vouch for.

        Args:
            facts: what decides the views.
            videos: of this shard.
            overwrite: remove this shard's views and manifest first.
        Raises:
            ValueError: the folder was made from something else, holds files of unknown origin, or is in use.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.scratch.mkdir(exist_ok=True)
            self._lock = take_lock(self.scratch / "lock")
        except OSError as error:
            raise ValueError(f"X3D_PREPROCESS.DATA_OUTPUT_PATH {self.path}: {error.strerror}") from error
        try:
            return self._open_manifest(facts, videos, overwrite)
        except BaseException:
            self.close()
            raise

    def _open_manifest(self, facts: Mapping[str, Any], videos: Sequence[Video], overwrite: bool) -> Manifest:
        self._check_neighbours(facts, overwrite)
        for left in os.scandir(self.scratch):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        if overwrite:
            self._remove(self._own_views())
            self.manifest_path.unlink(missing_ok=True)
        if self.manifest_path.exists():
            manifest = Manifest.load(self.manifest_path)
            self._check_facts(manifest, facts, "X3D_PREPROCESS.OVERWRITE True to start anew")
        else:
            unknown = [name for name in self._own_views() if not overwrite]
            if unknown:
                raise ValueError(
                    f"{self.path} holds {len(unknown)} views without {self.manifest_path.name} (such as {unknown[0]}); "
                    "give another X3D_PREPROCESS.DATA_OUTPUT_PATH, or X3D_PREPROCESS.OVERWRITE True to remove them"
                )
            manifest = Manifest(self.manifest_path, facts, {})
        self._drop_unvouched(manifest, videos)
        manifest.save()
        return manifest

    def _check_neighbours(self, facts: Mapping[str, Any], overwrite: bool) -> None:
        """Refuse inputs this suite did not name, and manifests that do not go with this shard's."""
        for name in self._inputs():
            if parse_view_stem(os.path.splitext(name)[0]) is None:
                raise ValueError(f"{self.path / name} is not a view, and ais_bench would read it; move it elsewhere")
        others = [path for path in find_manifests(self.path) if path != self.manifest_path]
        if others and self.shard.num_shards == 1 and not overwrite:
            self._check_facts(self._merge(others), facts, "X3D_PREPROCESS.OVERWRITE True to start anew")
            return
        for path in others:
            if shard_of(path).num_shards != self.shard.num_shards:
                raise ValueError(
                    f"{path} is of another sharding than --num_shards {self.shard.num_shards}; finish or remove "
                    "that one, or give another X3D_PREPROCESS.DATA_OUTPUT_PATH"
                )
            self._check_facts(Manifest.load(path), facts, "remove it and its views")

    def _merge(self, manifests: Sequence[Path]) -> Manifest:
        """Join the shards' manifests, with the locks of shards that were stopped, so that none goes on meanwhile."""
        scratches = [scratch for path in manifests if (scratch := _scratch_of(path)).exists()]
        with contextlib.ExitStack() as held:
            for scratch in scratches:
                held.callback(os.close, take_lock(scratch / "lock"))
            merged = merge_shards(self.manifest_path, manifests)
            for scratch in scratches:
                shutil.rmtree(scratch, ignore_errors=True)
        return merged

    def _check_facts(self, manifest: Manifest, facts: Mapping[str, Any], way_out: str) -> None:
        differences = facts_differ(manifest.facts, facts)
        if differences:
            raise ValueError(
                f"{manifest.path} was made from something else: {'; '.join(differences)}. Give another "
                f"X3D_PREPROCESS.DATA_OUTPUT_PATH, or {way_out}"
            )

    def _drop_unvouched(self, manifest: Manifest, videos: Sequence[Video]) -> None:
        """Forget videos whose views are not all there in full, and remove views of videos that are not done."""
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(self.path) if entry.is_file()}
        for video in videos:
            if manifest.is_done(video.index) and any(sizes.get(name) != self.view_bytes for name in self.names(video)):
                del manifest.videos[video.index]
        vouched = {name for video in videos if manifest.is_done(video.index) for name in self.names(video)}
        self._remove(name for name in self._own_views() if name not in vouched)

    def _inputs(self) -> Iterator[str]:
        """Names of the files that ais_bench would read."""
        return (name for name in os.listdir(self.path) if name.lower().endswith(VIEW_SUFFIXES))

    def _own_views(self) -> list[str]:
        """Names of the views of this shard's videos."""
        own = []
        for name in self._inputs():
            identity = parse_view_stem(os.path.splitext(name)[0])
            if identity and self.shard.owns(identity[0] // self.views_per_video):
                own.append(name)
        return own

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.path / name).unlink()

    def names(self, video: Video) -> list[str]:
        """Name the files of a video's views."""
        first = video.index * self.views_per_video
        return [f"{view_stem(first + view, video.label)}{self.suffix}" for view in range(self.views_per_video)]

    def write(self, video: Video, views: Iterable[tuple[int, np.ndarray]]) -> str:
        """Write a video's views and show them together.

        Args:
            views: number within the video, and (1, 3, T, C, C) float32; of a number that comes again the last counts.
        Returns:
            xxh3-64 of the xxh3-64 digests of the views' values, in order.
        Raises:
            OSError: they cannot be written; none is shown.
        """
        names = self.names(video)
        hashes: dict[int, bytes] = {}
        place = Path(tempfile.mkdtemp(prefix=f"{video.index}-", dir=self.scratch))
        try:
            for number, view in views:
                hashes[number] = xxhash.xxh3_64_digest(view.data)
                _write_view(place / names[number], view)
            for name in names:
                os.replace(place / name, self.path / name)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return xxhash.xxh3_64_hexdigest(b"".join(hashes[number] for number in range(len(names))))

    def close(self) -> None:
        """Remove the scratch folder, and let another run have the folder of views."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.close(self._lock)


def _scratch_of(manifest: Path) -> Path:
    return manifest.with_name(f".scratch-{manifest.stem}")


def _write_view(path: Path, view: np.ndarray) -> None:
    """Write .npy or raw bytes; unlike np.save, a short write keeps the operating system's reason."""
    with open(path, "wb", buffering=0) as file:
        if path.suffix == ".npy":
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(view))
        write_all(file.fileno(), view.data.cast("B"))


def _npy_header_bytes(shape: tuple[int, ...], suffix: str) -> int:
    if suffix != ".npy":
        return 0
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.tell()
