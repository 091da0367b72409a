"""Find the folder that the paths of a list start from, when DATA.PATH_PREFIX is another."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_ROWS = 20
MAX_FOLDERS = 1000


def explain_prefix(prefix: str, listed: Sequence[str], data_folder: str) -> str:
    """Name the value of DATA.PATH_PREFIX with which listed paths exist, or the path that was tried.

    Args:
        listed: paths of the list, none of which exists under the prefix.
        data_folder: DATA.PATH_TO_DATA_DIR, where the folder is searched for.
    """
    sample = listed[:: max(1, len(listed) // MAX_ROWS)][:MAX_ROWS]
    state = f"DATA.PATH_PREFIX is {prefix if prefix else 'empty'}"
    counts = {folder: _count_existing(folder, sample) for folder in _candidates(prefix, data_folder)}
    best = max(counts, key=lambda folder: counts[folder], default="")
    if counts.get(best):
        place = f"{best} holds them" if best else "the paths of the list exist without it"
        return f"no listed video exists: {state}; {place}: set DATA.PATH_PREFIX {shlex.quote(best)}"
    tried = os.path.join(prefix, listed[0])
    return f"no listed video exists, such as {tried}: {state}; set it to the folder that the listed paths start from"


def _candidates(prefix: str, data_folder: str) -> Iterator[str]:
    """Yield folders that may be meant: those beside, above and below the prefix and the list."""
    above = [os.path.join(str(folder), "") for folder in Path(os.path.normpath(prefix)).parents] if prefix else []
    if prefix:
        yield ""
    yield from above
    for root in [data_folder or ".", *([prefix] if prefix else []), *above[:1]]:
        yield root
        try:
            names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        except OSError:
            continue
        yield from (os.path.join(root, name, "") for name in names[:MAX_FOLDERS])


def _count_existing(folder: str, listed: Sequence[str]) -> int:
    return sum(os.path.exists(os.path.join(folder, path)) for path in listed)
