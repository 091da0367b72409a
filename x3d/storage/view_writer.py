"""Write the views of a video: `<view>_<label>.npy` or `.bin`, all of them or none."""

import functools
import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from x3d.dataset.annotations import Video
from x3d.dataset.naming import view_stem
from x3d.storage.atomic import errors_naming, sync_file_system, sync_folder, write_all
from x3d.video.dtype import convert


@dataclass(frozen=True)
class ViewWriter:
    """Writes the views of a video into a folder; holds no lock, so it can be sent to worker processes.

    Views are written into the scratch folder and renamed when all of them are complete: a view in the folder is whole.

    Attributes:
        path: the folder of views.
        scratch: an existing folder on the same file system.
        suffix: .npy or .bin.
        views_per_video: clips times crops.
        dtype: of the values in the files, float32 or float16, little-endian.
    """

    path: Path
    scratch: Path
    suffix: str
    views_per_video: int
    dtype: str = "float32"

    def names(self, video: Video) -> list[str]:
        """Name the files of a video's views."""
        first = video.index * self.views_per_video
        return [f"{view_stem(first + view, video.label)}{self.suffix}" for view in range(self.views_per_video)]

    def write(self, video: Video, views: Iterable[tuple[int, np.ndarray]]) -> list[str]:
        """Write a video's views, to the disk before they get their names, which are on the disk at the return.

        Args:
            views: number within the video, and (1, 3, T, C, C) float32; the last view of a number counts.
        Returns:
            xxh3-64 of each view's values as they are written, 16 hex digits, in order.
        Raises:
            OSError: they cannot be written, and none appears in the folder; the text names a view.
        """
        names = self.names(video)
        hashes = [""] * len(names)
        partial = Path(tempfile.mkdtemp(prefix=f"{video.index}-", dir=self.scratch))
        try:
            for number, view in views:
                values = convert(view, self.dtype)
                hashes[number] = xxhash.xxh3_64_hexdigest(values.data)
                self._write_view(partial / names[number], values)
            sync_file_system(partial)
            for name in names:
                os.replace(partial / name, self.path / name)
            sync_folder(self.path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return hashes

    def _write_view(self, partial: Path, view: np.ndarray) -> None:
        """Write .npy or raw bytes; unlike np.save, a short write keeps the operating system's reason."""
        with errors_naming(self.path / partial.name), open(partial, "wb", buffering=0) as file:
            write_all(file.fileno(), _header(view.shape, self.suffix, self.dtype))
            write_all(file.fileno(), view.data.cast("B"))


def view_file_bytes(view_shape: tuple[int, ...], suffix: str, dtype: str = "float32") -> int:
    """Compute the size of the file of one (1, *view_shape) view."""
    return len(_header((1, *view_shape), suffix, dtype)) + np.dtype(dtype).itemsize * math.prod(view_shape)


@functools.lru_cache(maxsize=8)
def _header(shape: tuple[int, ...], suffix: str, dtype: str) -> bytes:
    """Format what precedes the values of a view in its file: nothing in .bin."""
    header = io.BytesIO()
    if suffix == ".npy":
        values = np.empty(shape, dtype)
        np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(values))
    return header.getvalue()
