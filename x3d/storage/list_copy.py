"""The list of videos in a folder of an evaluation, `test.csv`, so that the folder can be reported alone.

It has a line per video, `path label`, in the order of the list, whatever separator that list has. Its digest is in the
provenance.
"""

import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from x3d.dataset.annotations import Video, split_row
from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.atomic import replace_file, write_all
from x3d.storage.expected_list import ExpectedList
from x3d.storage.provenance import list_digest

LIST_NAME = "test.csv"

logger = logging.getLogger(__name__)


def write_list_copy(folder: Path, videos: Sequence[Video], replaceable: Collection[str]) -> None:
    """Write the list of an evaluation, if its folder does not hold it.

    Args:
        replaceable: digests of the lists that may lie there.
    Raises:
        InputError: the folder holds another file of that name.
        OSError: the list cannot be written.
    """
    path = folder / LIST_NAME
    wanted = list_digest(videos)
    if path.exists():
        found = _parse(path)
        if found and found.digest == wanted:
            return
        if not found or found.digest not in replaceable:
            raise InputError(f"X3D_EVALUATE.OUTPUT_PATH {folder} holds another {LIST_NAME}; give another folder")
    with replace_file(path) as file:
        write_all(file.fileno(), "".join(f"{video.listed} {video.label}\n" for video in videos).encode())


def read_list_copy(folder: Path, digest: object) -> ExpectedList | None:
    """Read the list of an evaluation from its folder, None with a warning if the folder has none.

    Args:
        digest: of that list, as the provenance has it.
    Raises:
        InputError: it is damaged or another list.
    """
    path = folder / LIST_NAME
    if not os.path.lexists(path):
        logger.warning(
            "%s does not exist, so the paths of the videos are unknown; restore it, or set DATA.PATH_TO_DATA_DIR to "
            "the folder of the list",
            path,
        )
        return None
    listed = _parse(path)
    if not listed or listed.digest != digest:
        raise InputError(f"{path} is damaged, or not the list that the rows were made from; restore or remove it")
    return listed


def _parse(path: Path) -> ExpectedList | None:
    """Parse a list of this form, None if the file has another."""
    try:
        content = read_regular(path).decode()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; make it readable, or remove it") from error
    except UnicodeDecodeError:
        return None
    videos = []
    for index, row in enumerate(content.removesuffix("\n").split("\n")):
        listed, label = split_row(row, " ") or ("", 0)
        videos.append(Video(index, listed, listed, label))
    return ExpectedList.of_videos(videos, str(path)) if all(video.listed for video in videos) else None
