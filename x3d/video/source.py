"""Identify the content of a video file, to notice when it is replaced."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import xxhash

from x3d.dataset.annotations import Video
from x3d.errors import VideoError, counted, shorten_list
from x3d.files import open_regular

CHUNK_BYTES = 1 << 20
LAST_MTIME_NS = (1 << 63) - 1
"""The year 2262; later times count as this one."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Size, modification time and hash of a file.

    Attributes:
        hash: xxh3-64 of its content.
    """

    size: int
    mtime_ns: int
    hash: int

    def has_changed(self, path: str) -> bool:
        """Check whether a file has another content than this one; it is read only if its size or time differ.

        Raises:
            VideoError: it does not exist or cannot be read.
        """
        try:
            found = os.stat(path)
        except OSError as error:
            raise VideoError("missing", path, str(error.strerror)) from error
        if (found.st_size, _mtime_ns(found)) == (self.size, self.mtime_ns):
            return False
        return found.st_size != self.size or read_source(path).hash != self.hash


def find_changed(done: Iterable[tuple[Video, Source]]) -> list[int]:
    """Find the videos whose files have another content than those of an earlier run, and report them.

    Files that do not exist any more are reported too.

    Args:
        done: videos with the source that was recorded.
    Returns:
        Their indices.
    """
    changed, missing = [], []
    for video, source in done:
        try:
            if source.has_changed(video.path):
                changed.append(video)
        except VideoError:
            missing.append(video)
    _report("changed since the last run, processed again", changed)
    _report("not readable any more, results stay in use", missing)
    return [video.index for video in changed]


def _report(what: str, videos: Sequence[Video]) -> None:
    if videos:
        logger.warning("%s %s: %s", counted(len(videos), "video"), what, shorten_list([video.path for video in videos]))


def read_source(path: str) -> Source:
    """Read a file once and identify it.

    Raises:
        VideoError: it is missing, empty, not a regular file or cannot be read.
    """
    hasher = xxhash.xxh3_64()
    try:
        with open_regular(path) as file:
            found = os.fstat(file.fileno())
            while chunk := file.read(CHUNK_BYTES):
                hasher.update(chunk)
    except FileNotFoundError:
        raise VideoError("missing", path) from None
    except OSError as error:
        raise VideoError("unreadable", path, str(error.strerror)) from error
    if not found.st_size:
        raise VideoError("empty", path)
    return Source(found.st_size, _mtime_ns(found), hasher.intdigest())


def _mtime_ns(found: os.stat_result) -> int:
    return min(found.st_mtime_ns, LAST_MTIME_NS)
