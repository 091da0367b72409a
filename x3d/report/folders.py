"""Find videos that lie in the folder of another class than the one that they are listed with."""

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from x3d.scoring.table import ScoreTable

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

MIN_IN_CLASS_FOLDERS = 0.5
"""Share of the labelled videos whose folder must name a class: others are not arranged by class."""


class FolderConflict(NamedTuple):
    """Videos that are listed with `label` and lie in the folder of the class `folder`; `path` is the first of them."""

    label: int
    folder: int
    num_videos: int
    path: str


def find_folder_conflicts(table: ScoreTable, names: "ClassNames") -> list[FolderConflict]:
    """Compare the folder of every labelled video, as listed, with its label; most videos first."""
    folders = {path: names.find(PurePath(path).parent.name) for path in table.listed_paths}
    listed = [
        (int(label), folders[path], path)
        for path, label in zip(table.listed_paths, table.listed_labels, strict=False)
        if label >= 0
    ]
    known = [(label, folder, path) for label, folder, path in listed if folder is not None]
    if len(known) <= MIN_IN_CLASS_FOLDERS * len(listed):
        return []
    conflicts = [(label, folder, path) for label, folder, path in known if label != folder]
    first = {(label, folder): path for label, folder, path in reversed(conflicts)}
    counts = Counter((label, folder) for label, folder, _ in conflicts)
    return [FolderConflict(*pair, number, first[pair]) for pair, number in counts.most_common()]
