"""Make `test.csv` from a folder of videos and annotation files, with the fixed order of the classes.

Videos, replacements and annotations are matched by the id in their names, else by name. A label is the position of a
name in the order of the classes, never a rank among folders, so that a class without videos moves no other.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from x3d.dataset.annotation_files import AnnotationFile, read_annotations
from x3d.dataset.class_names import ClassNames
from x3d.dataset.video_files import FoundFiles, VideoFile, distinguish, find_videos
from x3d.errors import InputError, counted
from x3d.pipeline.list_claims import check_indices, collect_claims
from x3d.pipeline.list_join import USED, find_unlisted, group_by_id, join, list_ids, rows_of
from x3d.storage.list_file import LedgerRow, State

_SPLIT = re.compile(r"(?<![a-z])(train|val|test)(ing|id|idate|idation)?(?![a-z])", re.IGNORECASE)
"""In the name of the folder of a split, such as `val_256`, `validate` or `kinetics_train`."""


@dataclass(frozen=True)
class ListSources:
    """What a list is made from.

    Attributes:
        videos: the folder that the paths of the list start from.
        annotations: paths of annotation files; none: the videos in folders of classes are listed.
        replacements: a folder whose videos replace those with the same ids; empty: none.
    """

    videos: str
    annotations: Sequence[str] = ()
    replacements: str = ""


@dataclass(frozen=True)
class VideoList:
    """A list, and what happened to every video and file.

    Attributes:
        rows: path and label, sorted by path; the path is relative to the folder of the videos.
        ledger: a row per video and file, by state and path; files that are no videos have a row per suffix.
        files: the annotation files.
        unconfirmed: annotation files most of whose numbers no name confirms.
        num_listed: videos of the annotation files, or in folders of classes.
    """

    rows: Sequence[tuple[str, int]]
    ledger: Sequence[LedgerRow]
    files: Sequence[AnnotationFile]
    unconfirmed: Sequence[str]
    num_listed: int


def list_videos(sources: ListSources, names: ClassNames) -> VideoList:
    """Make a list of videos and their labels; no video is opened.

    Raises:
        InputError: a folder or file cannot be read, has no known format, other classes, or numbers in another
            order of the classes; or no video remains.
    """
    if names.names is None:
        raise InputError("the names of the classes are not known; set DATA.CLASS_NAMES to a file with a name per line")
    _check_apart(sources)
    files = [read_annotations(path) for path in sources.annotations]
    replacements = find_videos(sources.replacements) if sources.replacements else FoundFiles((), {})
    found = find_videos(sources.videos, sources.replacements)
    if not found.videos:
        raise InputError(f"{sources.videos} holds no video files; give the folder of the videos as --videos")
    identify = distinguish(video.path for video in found.videos)
    files = [_identify(file, identify) for file in files]
    if not files:
        _check_one_split(found.videos, sources.videos, names)
    claims = collect_claims(files, (*found.videos, *replacements.videos), names, identify)
    unconfirmed = check_indices(claims, names)
    listed, ledger = list_ids(files, claims)
    groups = group_by_id(found.videos, identify), group_by_id(_relocate(replacements, sources), identify)
    ledger += join(listed, claims, *groups, names)
    ledger += find_unlisted(listed, groups, by_folder=not files)
    ledger += [LedgerRow(State.IGNORED, name, detail=counted(n, "file")) for name, n in found.num_others.items()]
    order = list(State)
    ledger.sort(key=lambda row: (order.index(row.state), row.path, row.detail))
    _check_any(ledger, sources)
    return VideoList(rows_of(ledger), ledger, files, unconfirmed, len(listed))


def _identify(file: AnnotationFile, identify: Callable[[str], str]) -> AnnotationFile:
    """Identify the videos of an annotation file by their paths, as the files are."""
    rows = [replace(row, video_id=identify(row.listed)) if "/" in row.listed else row for row in file.rows]
    return replace(file, rows=rows)


def _check_apart(sources: ListSources) -> None:
    """Check that the replacements are no folder with the videos in it, each of which would replace itself.

    Raises:
        InputError: they are.
    """
    videos, replacements = os.path.realpath(sources.videos), os.path.realpath(sources.replacements or os.devnull)
    if os.path.commonpath([videos, replacements]) == replacements:
        raise InputError(
            f"--replacements {sources.replacements} contains --videos {sources.videos}; give a folder of replacements "
            "alone"
        )


def _check_one_split(videos: Sequence[VideoFile], root: str, names: ClassNames) -> None:
    """Check that videos to list by folders are not of the training and the validation set alike.

    Raises:
        InputError: they are.
    """
    folders = {folder for video in videos for folder in PurePosixPath(video.path).parts[:-1]}
    splits = {folder: _SPLIT.search(folder) for folder in folders if names.find(folder) is None}
    found = {match[1].lower(): folder for folder, match in sorted(splits.items()) if match}
    if len(found) > 1:
        raise InputError(
            f"{root} holds the folders of several splits: {', '.join(found.values())}; give that of one as --videos, "
            "or the annotations of one as --annotations"
        )


def _relocate(replacements: FoundFiles, sources: ListSources) -> list[VideoFile]:
    """Write the paths of replacements relative to the folder of the videos, with links resolved."""
    if not replacements.videos:
        return []
    folder = os.path.relpath(os.path.realpath(sources.replacements), os.path.realpath(sources.videos))
    return [replace(video, path=f"{folder}/{video.path}") for video in replacements.videos]


def _check_any(ledger: Sequence[LedgerRow], sources: ListSources) -> None:
    """Check that a video remains.

    Raises:
        InputError: none does; the text has the first that does not, and what to do.
    """
    if any(row.state in USED for row in ledger):
        return
    first = ledger[0]
    if first.state is State.NO_CLASS:
        problem, advice = "lies in the folder of a class", "give the annotations of the videos as --annotations"
    elif first.state is State.MISSING:
        problem, advice = "is listed", "give the folder of the listed videos as --videos"
    else:
        problem, advice = "can be listed", "correct the files or their annotations"
    raise InputError(
        f"no video in {sources.videos} {problem}, such as {first.path} ({first.detail or first.state}); {advice}"
    )
