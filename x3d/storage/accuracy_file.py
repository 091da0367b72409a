"""The file of an accuracy, `<folder>_accuracy.json`, beside the folder that it was computed from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from x3d.errors import InputError
from x3d.storage.atomic import check_replaceable, sync_folder, write_json

OWN_KEYS = frozenset(["expected_from", "conditions"])
"""Of every accuracy, to recognise a file of the user by."""


def accuracy_path(folder: str) -> Path:
    """Name the file of a folder's accuracy.

    Raises:
        InputError: the folder is the root of all folders.
    """
    path = os.path.abspath(folder)
    if not os.path.basename(path):
        raise InputError(f"{folder} is no folder of a run: the accuracy is written beside it; give another folder")
    return Path(f"{path}_accuracy.json")


def remove_accuracy(folder: str) -> None:
    """Remove the accuracy of an earlier scoring, which would look current if this one is rejected.

    Nothing is removed if the folder does not exist.

    Raises:
        InputError: it cannot be removed, or is no accuracy; or as accuracy_path.
    """
    path = accuracy_path(folder)
    if not os.path.isdir(folder) or not os.path.lexists(path):
        return
    check_replaceable(path, OWN_KEYS)
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(
            f"{path} of an earlier scoring cannot be removed: {error.strerror}; make its folder writable, or score a "
            "copy of the folder elsewhere"
        ) from error


def write_accuracy(folder: str, content: Mapping[str, Any]) -> Path:
    """Write the file of a folder's accuracy whole, and return its path.

    Raises:
        OSError: it cannot be written; the error names it.
    """
    path = accuracy_path(folder)
    write_json(path, content)
    return path
