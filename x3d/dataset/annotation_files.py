"""Read what other tools list videos with; the format is recognised by the content, not by the name.

A csv with a header (the official one, old and new), JSON (the official one; mmaction2's), or text with one video per
line: `path label`, `path num_frames label`, `id label` or only `path`.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from x3d.dataset.annotation_json import Record, names_label, read_official_json, read_video_json
from x3d.dataset.bad_rows import read_lines, show_row
from x3d.dataset.video_files import is_video, video_id
from x3d.errors import InputError, counted, one_line, shorten_list
from x3d.files import printable

VALIDATION = frozenset({"val", "validate", "validation"})

_LABELLED = re.compile(r"(?P<path>.*[^\s,;|])[\s,;|]+\"?(?P<label>-?[0-9]{1,9})\"?\s*")
_FRAMES = re.compile(r"(?P<path>.*[^\s,;|])[\s,;|]+[0-9]{1,9}")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


@dataclass(frozen=True)
class Annotation:
    """What a file records of a video.

    Attributes:
        video_id: as `video_id` of a path returns it.
        listed: the path as listed; empty: the file has ids only.
        place: the line or entry, for messages.
        index: the label as a number; None if it has none.
        name: the name of the class, None if it has none.
    """

    video_id: str
    listed: str
    place: str
    index: int | None = None
    name: str | None = None

    @property
    def folder(self) -> str:
        """The name of the folder in the listed path."""
        return PurePosixPath(self.listed).parent.name


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file.

    Attributes:
        form: its format.
    """

    path: str
    form: str
    rows: Sequence[Annotation]


def read_annotations(path: str) -> AnnotationFile:
    """Read an annotation file; of one with several splits, the validation set.

    Raises:
        InputError: it cannot be read, or has no known format; the text names file and line.
    """
    lines = read_lines(Path(path), "annotations", "give a csv, json or list of videos")
    if not lines:
        raise InputError(f"{path} is empty; give a csv, json or list of videos")
    head = next(line for line in lines if line.strip()).strip()
    if _LABELLED.fullmatch(head):  # a path may begin with a bracket
        return _read_rows(path, lines)
    if head.startswith("{"):
        form, records = "official json", read_official_json(path, "\n".join(lines))
    elif head.startswith("["):
        form, records = "json of paths and labels", read_video_json(path, "\n".join(lines))
    elif delimiter := next((found for found in ",;\t" if "youtube_id" in _header(head, found)), ""):
        form, records = "official csv", list(_read_csv(path, lines, delimiter))
    else:
        return _read_rows(path, lines)
    by_id = form.startswith("official")
    if not records:
        raise InputError(f"{path} has no rows or entries; download it again, or give another file")
    chosen = _select_split(records)
    if len(chosen) < len(records):
        others = sorted({repr(record.split) for record in records} - {repr(record.split) for record in chosen})
        left_out = counted(len(records) - len(chosen), "row")
        form += f" without {left_out} of other splits ({shorten_list(others)})"
    return AnnotationFile(path, form, [_from_record(path, record, by_id) for record in chosen])


def _header(line: str, delimiter: str) -> list[str]:
    return [cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _read_csv(path: str, lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    """Read the official csv, whose columns stand in any order; one without labels has no column `label`.

    Spreadsheets of some languages save it with semicolons or tabs.
    """
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    columns: list[str] = []
    try:
        for cells in reader:
            if not columns:
                columns = _check_columns(path, cells) if any(map(str.strip, cells)) else []
            elif any(map(str.strip, cells)):
                place = f"line {reader.line_num}"
                if len(cells) != len(columns):
                    number = counted(len(cells), "cell")
                    raise InputError(f"{path} {place}: {number} under {len(columns)} columns; download it again")
                row = dict(zip(columns, map(str.strip, cells), strict=True))
                yield Record(row["youtube_id"], place, row.get("label") or None, row.get("split", ""))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}; download it again") from error


def _check_columns(path: str, cells: Sequence[str]) -> list[str]:
    """Return the names of the columns; each has its own, and that of the classes is `label`."""
    columns = [cell.strip().lower() for cell in cells]
    text = f"{path} has the columns {one_line(printable(', '.join(columns)))}"
    if "label" not in columns and names_label(columns):
        raise InputError(f"{text}; name that of the classes `label`")
    repeated = [name for name in ("label", "youtube_id", "split") if columns.count(name) > 1]
    if repeated:
        raise InputError(f"{text}; remove the further {repeated[0]!r}")
    return columns


def _select_split(records: Sequence[Record]) -> Sequence[Record]:
    splits = {record.split.lower() for record in records}
    if len(splits) > 1 and splits & VALIDATION:
        return [record for record in records if record.split.lower() in VALIDATION]
    return records


def _from_record(path: str, record: Record, by_id: bool) -> Annotation:
    if by_id and not _YOUTUBE_ID.fullmatch(record.video):
        raise InputError(
            f"{path} {record.place}: {show_row(record.video)} is no YouTube id of 11 characters (A-Z, a-z, 0-9, -, "
            "_); a spreadsheet may have changed it: download the file again"
        )
    listed = "" if by_id else record.video
    index, name = (record.label, None) if isinstance(record.label, int) else (None, record.label)
    return Annotation(video_id(record.video), listed, record.place, index, name)


def _read_rows(path: str, lines: Sequence[str]) -> AnnotationFile:
    """Read a video per line: a path or an id, and a label unless all lines are paths of videos alone."""
    rows = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if all(is_video(_unquote(row)) for _, row in rows):
        return AnnotationFile(path, "list of paths", [_from_row(number, row, None) for number, row in rows])
    split = [(number, _LABELLED.fullmatch(row)) for number, row in rows]
    bad = [number for number, match in split if match is None]
    if bad:
        raise InputError(
            f"{path} line {bad[0]}: {show_row(lines[bad[0] - 1])} is no path or id with a number as label "
            f"({counted(len(bad), 'such line')} of {len(rows)}); give a csv with its header, a json, or a list"
        )
    labelled = [(number, match["path"], int(match["label"])) for number, match in split if match]
    frames = [_FRAMES.fullmatch(text) for _, text, _ in labelled]
    if all(frames):
        labelled = [
            (number, match["path"], label) for (number, _, label), match in zip(labelled, frames, strict=True) if match
        ]
    by_id = all("/" not in text and not is_video(_unquote(text)) for _, text, _ in labelled)
    form = "list of frames and labels" if all(frames) else "list of ids and labels" if by_id else "list of labels"
    return AnnotationFile(path, form, [_from_row(*row) for row in labelled])


def _from_row(number: int, text: str, label: int | None) -> Annotation:
    listed = _unquote(text)
    return Annotation(video_id(listed), listed, f"line {number}", label)


def _unquote(text: str) -> str:
    """Remove the quotes of a csv cell."""
    is_quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return text[1:-1].replace('""', '"') if is_quoted else text
