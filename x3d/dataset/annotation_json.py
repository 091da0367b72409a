"""Read the JSON files that list videos."""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from x3d.errors import InputError, shorten_list

_OFFICIAL_KEYS = frozenset(["annotations", "duration", "subset", "url"])


@dataclass(frozen=True)
class Record:
    """A row of a csv or an entry of a JSON file, unchecked.

    Attributes:
        video: an id or a path.
        place: the line or entry, for messages.
        label: the name of the class, or its number; None if it has none.
        split: such as `val`; empty if it has none.
    """

    video: str
    place: str
    label: str | int | None
    split: str = ""


def read_official_json(path: str, text: str) -> Sequence[Record]:
    """Read `{"<id>": {"annotations": {"label": "...", ...}, "subset": "validate", ...}}`; a test set has no labels.

    Raises:
        InputError: the text is no such JSON.
    """
    return [_from_entry(path, key, value) for key, value in _parse(path, text).items()]


def read_video_json(path: str, text: str) -> Sequence[Record]:
    """Read mmaction2's `[{"filename": "...", "label": 3}, ...]`.

    Raises:
        InputError: the text is no such JSON.
    """
    return [_from_item(path, number, item) for number, item in enumerate(_parse(path, text))]


def _parse(path: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=functools.partial(_unique, path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}: no JSON ({error.msg}); download or write it again") from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number that is too long
        raise InputError(f"{path} is no JSON of videos: {error}; download or write it again") from error


def _unique(path: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Collect the entries of an object; of a repeated one, json would keep the last alone."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        repeated = [json.dumps(name) for name, number in Counter(name for name, _ in pairs).items() if number > 1]
        raise InputError(f"{path} has entries twice: {shorten_list(repeated)}; remove the wrong ones")
    return entries


def names_label(columns: Iterable[str]) -> bool:
    """Check for a column or key that seems to hold the class, though under another name than `label`."""
    return any(word in column.lower() for column in columns for word in ("label", "class", "category"))


def _is_official(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(_OFFICIAL_KEYS & value.keys()) and not names_label(value)


def _from_entry(path: str, key: str, value: Any) -> Record:
    place = f"entry {json.dumps(key)}"
    is_official = _is_official(value)
    found = value.get("annotations", {}) if is_official else None
    label = found.get("label") if isinstance(found, dict) else None
    subset = value.get("subset", "") if is_official else None
    if not isinstance(found, dict) or not isinstance(label, str | None) or not isinstance(subset, str):
        raise InputError(f'{path} {place}: {{"annotations": {{"label": NAME}}, "subset": NAME}} is expected')
    return Record(key, place, label, subset)


def _from_item(path: str, number: int, item: Any) -> Record:
    place = f"entry {number}"
    name = item.get("filename") if isinstance(item, dict) else None
    label = item.get("label") if isinstance(item, dict) else None
    is_unread = isinstance(item, dict) and label is None and names_label(item.keys() - {"label"})
    if not isinstance(name, str) or is_unread or isinstance(label, bool) or not isinstance(label, str | int | None):
        raise InputError(f'{path} {place}: {{"filename": PATH, "label": NUMBER}} is expected')
    return Record(name, place, label)
