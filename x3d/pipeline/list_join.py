"""Match the videos that are listed with the files that exist, by id, and record what happens to each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from x3d.dataset.annotation_files import AnnotationFile
from x3d.dataset.annotations import UNLABELLED
from x3d.dataset.class_names import ClassNames
from x3d.dataset.video_files import VideoFile, video_id
from x3d.pipeline.list_claims import Claim, Claims
from x3d.storage.list_file import LedgerRow, State

USED = (State.FOUND, State.REPLACED)

Files = Mapping[str, Sequence[VideoFile]]
"""The files of each video id."""


@dataclass(frozen=True)
class Listed:
    """A video that is listed, or that lies in the folder of a class.

    Attributes:
        path: as listed, empty if only the id is.
        place: the annotation file and line; empty: none lists it.
    """

    path: str = ""
    place: str = ""


def list_ids(files: Sequence[AnnotationFile], claims: Claims) -> tuple[dict[str, Listed], list[LedgerRow]]:
    """Collect the ids of the annotation files, or without any, those of the files in folders of classes.

    Returns:
        The videos by id; a row for each line that repeats a video of its file.
    """
    if not files:
        return {key: Listed() for key in claims}, []
    listed: dict[str, Listed] = {}
    repeated: list[LedgerRow] = []
    for file in files:
        places: dict[str, str] = {}
        for row in file.rows:
            first = places.setdefault(row.video_id, row.place)
            path = row.listed if row.listed != row.video_id else ""
            if first != row.place:
                detail = f"{file.path} {row.place}, as {first}"
                repeated.append(LedgerRow(State.TWICE, path or f"./{row.video_id}", detail=detail))
            listed.setdefault(row.video_id, Listed(path, f"{file.path} {row.place}"))
    return listed, repeated


def group_by_id(videos: Iterable[VideoFile], identify: Callable[[str], str] = video_id) -> Files:
    """Group files by what identifies their videos."""
    groups: defaultdict[str, list[VideoFile]] = defaultdict(list)
    for video in videos:
        groups[identify(video.path)].append(video)
    return groups


def join(
    listed: Mapping[str, Listed], claims: Claims, videos: Files, replacements: Files, names: ClassNames
) -> Iterator[LedgerRow]:
    """Yield the rows of the ledger for every listed video, and for further files with its id."""
    for key, entry in listed.items():
        label, conflict = _decide(claims.get(key, ()))
        name = names.name(label) if label is not None else ""
        files = [*replacements.get(key, ()), *videos.get(key, ())]
        if not files:
            path = entry.path or f"{name or '.'}/{key}"
            yield LedgerRow(State.MISSING, path, label, name, entry.place)
        elif conflict:
            yield from (LedgerRow(State.CONFLICT, file.path, detail=conflict) for file in files)
        else:
            for state, file, detail in _choose(replacements.get(key, ()), videos.get(key, ())):
                yield LedgerRow(state, file.path, label, name, detail)


def _decide(claims: Sequence[Claim]) -> tuple[int | None, str]:
    """Return the label on which all claims agree, or in what they differ."""
    by_label: dict[int, Claim] = {}
    for claim in claims:
        by_label.setdefault(claim.label, claim)
    if len(by_label) > 1:
        return None, "; ".join(claim.text for claim in by_label.values())
    return next(iter(by_label), None), ""


def _choose(replacements: Sequence[VideoFile], videos: Sequence[VideoFile]) -> Iterator[tuple[State, VideoFile, str]]:
    """Choose the file of a video: the first that can be read, of the replacements if possible.

    Yields:
        State, file and detail of the chosen one and of every other that it does not replace.
    """
    replacing = [file for file in replacements if not file.reason]
    usable = replacing or [file for file in videos if not file.reason]
    for file in (*replacements, *([] if replacing else videos)):
        if file.reason:
            yield State(file.reason), file, file.detail
        elif file is not usable[0]:
            yield State.TWICE, file, f"as {usable[0].path}, by the id {video_id(file.path)!r}"
        elif replacing:
            yield State.REPLACED, file, "instead of " + videos[0].path if videos else ""
        else:
            yield State.FOUND, file, ""


def find_unlisted(listed: Mapping[str, Listed], groups: Iterable[Files], by_folder: bool) -> Iterator[LedgerRow]:
    """Yield a row for every file whose id is not listed.

    Args:
        by_folder: videos are listed by their folders, so that the folder of an unlisted one is no class.
    """
    state = State.NO_CLASS if by_folder else State.UNLISTED
    for files in groups:
        for key, same in files.items():
            if key not in listed:
                yield from (LedgerRow(state, file.path, detail=f"folder {file.folder!r}") for file in same)


def rows_of(ledger: Iterable[LedgerRow]) -> list[tuple[str, int]]:
    """Select paths and labels of the videos to use, sorted by path."""
    used = (row for row in ledger if row.state in USED)
    return sorted((row.path, UNLABELLED if row.label is None else row.label) for row in used)
