"""A folder with the files of one report or comparison, replaced by the next."""

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from x3d.errors import InputError, one_line
from x3d.storage.atomic import check_replaceable, remove_leftovers, sync_folder


def open_output(folder: str, names: Sequence[str], keys: AbstractSet[str]) -> Path:
    """Create a folder, or remove the files of an earlier run from it, which would look current if this one fails.

    Args:
        names: of the files that will be written; the first is a JSON object by which the folder is recognised, so it
            is to be written first and is removed last.
        keys: that this object has.
    Raises:
        InputError: the folder holds anything else than an earlier run's files, or cannot be created or written.
    """
    root, first = Path(folder), Path(folder, names[0])
    try:
        root.mkdir(parents=True, exist_ok=True)
        foreign = sorted(name for name in os.listdir(root) if not name.startswith("."))
        if foreign and not os.path.lexists(first):
            raise InputError(f"--output {folder} holds {one_line(foreign[0])} and no {names[0]}; give another folder")
        check_replaceable(first, keys)
        for name in reversed(names):
            remove_leftovers(root / name)
            (root / name).unlink(missing_ok=True)
        sync_folder(root)
    except OSError as error:
        raise InputError(f"--output {error.filename or folder}: {error.strerror}; give another folder") from error
    return root
