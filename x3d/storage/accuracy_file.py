"""The file of an accuracy, `<folder>_accuracy.json`, beside the folder that it was computed from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from x3d.errors import InputError
from x3d.storage.atomic import sync_folder, write_json


def accuracy_path(folder: str) -> Path:
    """Name the file of a folder's accuracy."""
    return Path(os.path.abspath(folder) + "_accuracy.json")


def remove_accuracy(folder: str) -> None:
    """Remove the accuracy of an earlier scoring, which would look current if this one is rejected.

    Raises:
        InputError: it cannot be removed.
    """
    path = accuracy_path(folder)
    if not folder or not os.path.lexists(path):
        return
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} of an earlier scoring cannot be removed: {error.strerror}; remove it") from error


def write_accuracy(folder: str, content: Mapping[str, Any]) -> Path:
    """Write the file of a folder's accuracy whole, and return its path.

    Raises:
        OSError: it cannot be written; the error names it.
    """
    path = accuracy_path(folder)
    write_json(path, content)
    return path
