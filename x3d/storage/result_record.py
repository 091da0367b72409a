"""Read how the results of a folder were made, from the summaries of ais_bench or x3d_infer.py."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from x3d.dataset.naming import parse_result_name
from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.ais_bench_summary import (
    DIGEST,
    INPUT_FILES,
    MISSING_VIDEOS,
    OUTPUT_FILES,
    PROVENANCE,
    SAMPLES,
    SUMMARY_SUFFIX,
    summary_path,
)
from x3d.storage.view_records import find_records

REMEDY = "remove it and set DATA.PATH_TO_DATA_DIR, or infer again"
_DIGEST_AT_END = re.compile(rb', "%s": "([0-9a-f]{16})"}\s*' % DIGEST.encode())


@dataclass(frozen=True)
class ResultRecord:
    """How the results of a folder were made, as far as it is recorded.

    Attributes:
        source: the file that records it.
        labels: label of each view that the run was to write.
        digests: xxh3-64 of each result's bytes, by the file's name; of ais_bench's results empty.
        provenance: of the results, as x3d_infer.py records it; of ais_bench's empty.
        input_folder: what the views were read from, None if unknown.
        views: provenance of the views; empty if unknown.
        views_source: the file that records it.
        missing_videos: why listed videos have no views, by index.
    """

    source: str
    labels: Mapping[int, int]
    digests: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    input_folder: str | None = None
    views: Mapping[str, Any] = field(default_factory=dict)
    views_source: str = ""
    missing_videos: Mapping[int, str] = field(default_factory=dict)

    @property
    def num_videos(self) -> int | None:
        """The number of videos in the list that the views were made from, None if unknown."""
        number = self.views.get("num_videos")
        return number if isinstance(number, int) else None

    def check_keys(self, keys: Mapping[str, int]) -> None:
        """Compare the keys that the results were made with to those that they are scored with.

        Raises:
            InputError: they differ; the text names the values to set.
        """
        config = self.views.get("config")
        made_with = dict(config) if isinstance(config, dict) else {}
        made_with["MODEL.NUM_CLASSES"] = self.provenance.get("num_classes")
        known = {key: made_with[key] for key in keys if made_with.get(key) is not None}
        if any(known[key] != keys[key] for key in known):
            values = " ".join(f"{key} {value}" for key, value in known.items())
            raise InputError(f"{self.views_source or self.source} records other keys for these results: set {values}")

    def check_list(self, list_digest: str, source: str) -> None:
        """Compare the list that the views were made from with another.

        Args:
            list_digest: of the other, empty if there is none.
            source: path of the other.
        Raises:
            InputError: they differ.
        """
        made_from = self.views.get("list_digest")
        if list_digest and made_from and made_from != list_digest:
            raise InputError(
                f"{source} is not the list that the views were made from, as {self.views_source} records; set "
                "DATA.PATH_TO_DATA_DIR to the folder of that list, or leave it out"
            )


class _Sample(NamedTuple):
    """What is kept of a sample while its summary is read: one of 600,000 views is large."""

    names: Sequence[str]
    digest: str
    source: str


def read_record(folder: str) -> ResultRecord | None:
    """Read the summary beside a folder, or those of several devices in it.

    Returns:
        None without a summary, or if it names no view.
    Raises:
        InputError: a summary is damaged or of another form, or a view is named twice.
    """
    root = Path(os.path.abspath(folder))
    beside = summary_path(root)
    paths = [beside] if os.path.lexists(beside) else sorted(root.glob(f"device*{SUMMARY_SUFFIX}"))
    records = [read_summary(path) for path in paths]
    labels: dict[int, int] = {}
    for record in records:
        if twice := labels.keys() & record.labels.keys():
            raise InputError(f"{record.source} names view {min(twice)} twice; {REMEDY}")
        labels |= record.labels
    if not labels:
        return None
    record = dataclasses.replace(records[0], labels=labels)
    return record if record.provenance else _with_views_of_input(record, root.parent)


def _with_views_of_input(record: ResultRecord, parent: Path) -> ResultRecord:
    """Add what the manifest beside the inputs records, if it still exists: ais_bench's summary repeats none of it.

    Raises:
        InputError: the manifest is damaged or in use.
    """
    for base in (parent, Path()):  # ais_bench's current folder is unknown
        folder = base / record.input_folder if record.input_folder else Path("none")
        records = find_records(folder) if folder.is_dir() else None
        if records:
            missing = records.missing_videos()
            source = str(folder / "manifest.json")
            return dataclasses.replace(record, views=records.provenance, views_source=source, missing_videos=missing)
    return record


def read_summary(path: Path) -> ResultRecord:
    """Read a summary.

    Raises:
        InputError: it is damaged or of another form, or a view is named twice; the text names it.
    """
    try:
        content = read_regular(path)
        record, named_twice = _record(path, json.loads(content, object_pairs_hook=_reduce))
    except RecursionError as error:
        raise InputError(f"{path} is not a summary of ais_bench: it is nested too deep; {REMEDY}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {REMEDY}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a summary of ais_bench: {error!r}; {REMEDY}") from error
    if not _is_intact(content, has_digest=bool(record.provenance)):
        raise InputError(f"{path} is damaged: its content does not fit the digest in it; {REMEDY}")
    if named_twice:
        raise InputError(f"{path} names view {min(named_twice)} twice; {REMEDY}")
    return record


def _reduce(pairs: list[tuple[str, Any]]) -> Any:
    content = dict(pairs)
    if OUTPUT_FILES not in content:
        return content
    outputs, inputs = content[OUTPUT_FILES], content.get(INPUT_FILES) or [""]
    if not isinstance(outputs, list) or not isinstance(inputs, list):
        raise TypeError(f"{INPUT_FILES} and {OUTPUT_FILES} are no lists")
    return _Sample([name.rpartition("/")[2] for name in outputs], content.get(DIGEST, ""), inputs[0])


def _is_intact(content: bytes, has_digest: bool) -> bool:
    """Compare a summary with the digest at its end; ais_bench's has none."""
    end = content.rfind(b",")
    match = _DIGEST_AT_END.fullmatch(content, max(end, 0))
    if match is None:
        return not has_digest
    return xxhash.xxh3_64_hexdigest(content[:end]).encode() == match[1]


def _record(path: Path, summary: Any) -> tuple[ResultRecord, set[int]]:
    """Make a record of a parsed summary, and list the views that it names twice.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it has another form.
    """
    labels: dict[int, int] = {}
    digests: dict[str, str] = {}
    named_twice = set()
    source = ""
    for sample in summary[SAMPLES].values():
        source = source or sample.source
        for name in sample.names:
            if identity := parse_result_name(name):
                view, label = identity
                if view in labels:
                    named_twice.add(view)
                labels[view] = label
                if sample.digest:
                    digests[name] = sample.digest
    missing = {int(index): text for index, text in summary.get(MISSING_VIDEOS, {}).items()}
    folder = os.path.dirname(source) if source else None
    provenance = summary.get(PROVENANCE) or {}
    views = provenance.get("views") or {}
    digests = digests if provenance else {}
    return ResultRecord(str(path), labels, digests, provenance, folder, views, str(path), missing), named_twice
