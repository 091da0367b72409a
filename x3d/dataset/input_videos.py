"""Find the videos that a command line names: files, folders, or both, separated by commas."""

import os
import shlex
from collections.abc import Iterator

from x3d.dataset.annotations import UNLABELLED, Video
from x3d.dataset.video_files import find_videos
from x3d.errors import InputError


def find_input_videos(text: str) -> list[Video]:
    """Find the videos of `file`, `folder` or `file,folder,...`, each once; of a folder all, sorted by path.

    A path that exists is taken as it is, with its commas.

    Raises:
        InputError: a path does not exist, or a folder holds no video.
    """
    unique: dict[str, str] = {}
    for named in _split(text):
        for path in _expand(named):
            unique.setdefault(os.path.normpath(path), path)
    return [Video(index, path, path, UNLABELLED) for index, path in enumerate(unique.values())]


def _split(text: str) -> Iterator[str]:
    """Yield the paths of a list; where several readings exist, the longest path."""
    parts = text.split(",")
    while parts:
        lengths = range(len(parts), 0, -1)
        length = next((length for length in lengths if os.path.lexists(",".join(parts[:length]))), 0)
        if not length:
            raise InputError(f"--input {shlex.quote(parts[0])} does not exist; give video files or folders of them")
        yield ",".join(parts[:length])
        del parts[:length]


def _expand(path: str) -> list[str]:
    """Return a file as it is, and of a folder all its videos."""
    if not os.path.isdir(path):
        return [path]
    found = find_videos(path).videos
    if not found:
        raise InputError(f"--input {path} holds no file with the suffix of a video; name the files")
    return [os.path.join(path, video.path) for video in found]
