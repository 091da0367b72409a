"""Find the video files of a folder, whatever its layout, without opening one."""

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from x3d.dataset.class_names import normalise
from x3d.errors import InputError

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()
)
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}(?![A-Za-z0-9])")

Folder = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True)
class VideoFile:
    """A file with the suffix of a video.

    Attributes:
        path: relative to the folder that was searched, with slashes.
        folder: the name of the folder it lies in.
        reason: a code of REASONS if it cannot be read; empty: it can.
        detail: why it cannot.
    """

    path: str
    folder: str
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class FoundFiles:
    """What a folder holds.

    Attributes:
        videos: sorted by path.
        num_others: of the other files, by suffix.
    """

    videos: Sequence[VideoFile]
    num_others: Mapping[str, int]


def is_video(path: str) -> bool:
    """Check whether a path has the suffix of a video."""
    return os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES


def video_id(path: str) -> str:
    """Return what identifies a video in every copy: the first 11 characters of its name, the id of YouTube.

    It is `-_a-bcdefgh` of `folding napkins/-_a-bcdefgh_000044_000054.mp4`. A name that does not begin with an id, such
    as `made_up_video_1.mp4`, is its own: without the suffix of a video.
    """
    name = os.path.basename(path)
    match = _VIDEO_ID.match(name)
    if match:
        return match[0]
    return os.path.splitext(name)[0] if is_video(name) else name


def distinguish(paths: Iterable[str]) -> Callable[[str], str]:
    """Return what identifies each of these videos: as video_id, but with the folder where several have the same name.

    Data sets that number the videos of each class have `archery/1.mp4` and `zumba/1.mp4`. An id of YouTube is that of
    one video, wherever it lies.
    """
    folders: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        if not _VIDEO_ID.match(os.path.basename(path)):
            folders[video_id(path)].add(_spell_folder(path))
    shared = {key for key, found in folders.items() if len(found) > 1}

    def identify(path: str) -> str:
        key = video_id(path)
        return f"{_spell_folder(path)}/{key}" if key in shared else key

    return identify


def _spell_folder(path: str) -> str:
    """Return the name of the folder that a path leads into, in the form that all spellings of a class have."""
    name = PurePosixPath(path).parent.name
    return normalise(name) or name


def find_videos(root: str, left_out: str = "") -> FoundFiles:
    """Find the video files in a folder and the folders in it; links are followed, hidden files and folders are not.

    Args:
        left_out: a folder that is not searched, such as that of the replacements.
    Raises:
        InputError: a folder cannot be read.
    """
    videos: list[VideoFile] = []
    others: Counter[str] = Counter()
    skipped = _identify(os.stat(left_out)) if left_out else None
    for entry, path, folder in _walk(root, skipped):
        if is_video(entry.name) and not entry.name.startswith("."):
            videos.append(VideoFile(path, folder, *_find_fault(entry)))
        else:
            others[".*" if entry.name.startswith(".") else "*" + os.path.splitext(entry.name)[1].lower()] += 1
    return FoundFiles(sorted(videos, key=lambda video: video.path), others)


def _walk(root: str, skipped: Folder | None) -> Iterator[tuple["os.DirEntry[str]", str, str]]:
    """Yield each file with its path and the name of its folder; a link to a folder above it is not followed."""
    name = Path(os.path.abspath(root)).name
    pending: list[tuple[str, str, str, tuple[Folder, ...]]] = [(root, "", name, ())]
    while pending:
        folder, prefix, name, above = pending.pop()
        identity, entries = _read_folder(folder)
        if identity == skipped or identity in above:
            continue
        for entry in entries:
            if not _is_folder(entry):
                yield entry, prefix + entry.name, name
            elif not entry.name.startswith("."):
                pending.append((entry.path, f"{prefix}{entry.name}/", entry.name, (*above, identity)))


def _read_folder(path: str) -> tuple[Folder, Sequence["os.DirEntry[str]"]]:
    try:
        with os.scandir(path) as entries:
            return _identify(os.stat(path)), list(entries)
    except FileNotFoundError as error:
        raise InputError(f"{path or repr(path)} does not exist; give a folder of videos") from error
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{path or repr(path)} cannot be read: {cause}; give a folder of videos that you can read"
        ) from error


def _identify(status: os.stat_result) -> Folder:
    return status.st_dev, status.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _find_fault(entry: "os.DirEntry[str]") -> tuple[str, str]:
    """Return reason code and detail if a file is empty or cannot be read."""
    try:
        status = entry.stat()
    except OSError as error:
        return "unreadable", f"{error.strerror}, a broken link" if entry.is_symlink() else f"{error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "unreadable", "not a regular file"
    if not status.st_size:
        return "empty", ""
    return ("", "") if os.access(entry.path, os.R_OK) else ("unreadable", "no permission to read it")
