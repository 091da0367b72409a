"""Read how the results of a folder were made, from the summaries of ais_bench or x3d_infer.py."""

import dataclasses
import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from x3d.dataset.naming import parse_result_name
from x3d.errors import InputError, shorten_list
from x3d.files import read_regular
from x3d.scoring.table import Failure
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
from x3d.storage.provenance import provenance_differences
from x3d.storage.result_record import ResultRecord
from x3d.storage.split_views import has_split_views
from x3d.storage.view_records import ViewRecords, find_records

_INFER = "infer again"
_REMOVE = "remove it and set DATA.PATH_TO_DATA_DIR, or infer again"
_DEVICES = re.compile(r"(?:^|\s)(?:--device|-d)[ =](\d{1,3}(?:,\d{1,3})+)(?=\s|$)")
_DIGEST_AT_END = re.compile(rb', "%s": "([0-9a-f]{16})"}\s*' % DIGEST.encode())


class _Sample(NamedTuple):
    """What is kept of a sample while its summary is read: one of 600,000 views is large."""

    names: Sequence[str]
    digest: str
    source: str


def read_record(folder: str) -> ResultRecord | None:
    """Read the summary beside a folder, or those of several devices in it.

    Returns:
        None without a summary.
    Raises:
        InputError: a summary is damaged or of another form, or names no view; or several name the same view, or have
            another provenance; or the views were not of the type that the model took; or a device has no summary, and
            nothing else shows which views it was to run.
    """
    root = Path(folder).resolve()
    beside = [path for path in [summary_path(root)] if os.path.lexists(path)]
    of_devices = sorted(root.glob(f"device*{SUMMARY_SUFFIX}"))
    if beside and of_devices:
        raise InputError(f"{beside[0]} and {of_devices[0]} both describe {folder}; remove the one of another run")
    records = [_with_views_of_input(read_summary(path), root.parent) for path in [*beside, *of_devices]]
    if not records:
        return None
    for found in records:
        found.check_type()
    record = functools.reduce(_merge, records)
    if of_devices and record.num_videos is None:
        _check_devices(folder, record.devices, of_devices)
    if not record.labels:
        raise InputError(f"{record.source} names no result of a view; {_INFER if record.provenance else _REMOVE}")
    return record


def _check_devices(folder: str, devices: Sequence[int], summaries: Sequence[Path]) -> None:
    """Check that every device that ais_bench was to run on wrote a summary."""
    written = {path.name.split("_")[0] for path in summaries}
    missing = [name for name in (f"device{number}" for number in devices) if name not in written]
    if missing:
        raise InputError(
            f"{folder} holds no summary of {shorten_list(missing)}, where ais_bench failed; infer again, or set "
            "DATA.PATH_TO_DATA_DIR to the folder of test.csv"
        )


def _merge(first: ResultRecord, other: ResultRecord) -> ResultRecord:
    """Merge the records of two devices.

    Raises:
        InputError: they name the same view, or have another provenance.
    """
    of_first, of_other = (record.provenance or {"views": record.views} for record in (first, other))
    differences = provenance_differences(of_first, of_other)
    if differences:
        raise InputError(f"{other.source} is of another run than {first.source}: {'; '.join(differences)}; {_INFER}")
    if twice := first.labels.keys() & other.labels.keys():
        raise InputError(f"{other.source} and {first.source} both name view {min(twice)}; {_INFER}")
    return dataclasses.replace(
        first,
        labels={**first.labels, **other.labels},
        names=first.names | other.names,
        digests={**first.digests, **other.digests},
        missing_videos={**first.missing_videos, **other.missing_videos},
    )


def _with_views_of_input(record: ResultRecord, parent: Path) -> ResultRecord:
    """Add what the manifest beside the inputs records, if it still exists.

    The summary of x3d_infer.py repeats all of it but the paths and the hashes of the videos, ais_bench's nothing.

    Raises:
        InputError: the manifest is damaged or in use, and needed for more than these.
    """
    try:
        records = _find_view_records(record.input_folder, parent)
    except InputError:
        if record.provenance:
            return record
        raise
    if records is None:
        return record
    if record.provenance:
        if provenance_differences(record.views, records.provenance):
            return record
        return dataclasses.replace(record, listed_paths=records.listed_paths(), sources=records.sources())
    return dataclasses.replace(
        record,
        views=records.provenance,
        views_source=records.source,
        missing_videos=records.missing_videos(),
        listed_paths=records.listed_paths(),
        sources=records.sources(),
    )


def _find_view_records(input_folder: str | None, parent: Path) -> ViewRecords | None:
    """Read the manifests beside the inputs of a run.

    Args:
        parent: the folder of the results' folder; ais_bench's current folder is unknown.
    Raises:
        InputError: a manifest is damaged or in use.
    """
    if input_folder is None:
        return None
    folders = [base / input_folder for base in (parent, Path())]
    found = (find_records(folder) for folder in folders if folder.is_dir())
    return next((records for records in found if records), None)


def read_summary(path: Path) -> ResultRecord:
    """Read a summary.

    Raises:
        InputError: it is damaged or of another form, or a view is named twice; the text names it.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; make it readable, or infer again") from error
    remedy = _remedy(content)
    try:
        record, named_twice = _record(path, json.loads(content, object_pairs_hook=_reduce))
    except RecursionError as error:
        raise InputError(f"{path} is not a summary of ais_bench: it is nested too deep; {remedy}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a summary of ais_bench: {error!r}; {remedy}") from error
    if not _is_intact(content, has_digest=bool(record.provenance)):
        raise InputError(f"{path} is damaged: its content does not fit the digest in it; {remedy}")
    if named_twice:
        raise InputError(f"{path} names view {min(named_twice)} twice; {remedy}")
    return record


def _remedy(content: bytes) -> str:
    """Advise what to do about an unusable summary: without one of x3d_infer.py its results would not be checked."""
    is_own = any(f'"{key}"'.encode() in content for key in (DIGEST, PROVENANCE, MISSING_VIDEOS))
    is_ais_benchs = SAMPLES.encode() in content and not is_own
    return _REMOVE if is_ais_benchs else _INFER


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
    names, named_twice = set(), set()
    source = ""
    for sample in summary[SAMPLES].values():
        source = source or sample.source
        for name in sample.names:
            if identity := parse_result_name(name):
                view, label = identity
                if view in labels:
                    named_twice.add(view)
                labels[view] = label
                names.add(name)
                if sample.digest:
                    digests[name] = sample.digest
    missing = {int(index): Failure(**failure) for index, failure in summary.get(MISSING_VIDEOS, {}).items()}
    folder = os.path.dirname(source) or "." if source else None
    provenance = summary.get(PROVENANCE) or {}
    views = provenance.get("views") or {}
    digests = digests if provenance else {}
    record = ResultRecord(str(path), labels, names, digests, provenance, folder, views, str(path), missing)
    is_split = not provenance and has_split_views(summary)
    return dataclasses.replace(record, is_split=is_split, devices=_find_devices(summary)), named_twice


def _find_devices(summary: Mapping[str, Any]) -> tuple[int, ...]:
    """Find the devices in ais_bench's command line; none if there are not several."""
    args = summary.get("args")
    found = _DEVICES.search(" ".join(map(str, args))) if isinstance(args, list) else None
    return tuple(map(int, found[1].split(","))) if found else ()
