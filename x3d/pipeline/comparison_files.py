"""Write a comparison as files: JSON, csv, Markdown for a pull request, and JUnit xml for continuous integration."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from x3d.errors import one_line
from x3d.files import printable
from x3d.pipeline.comparison_text import NO_LABELS, RUNS, describe_agreement, describe_comparison, format_share
from x3d.pipeline.markdown import code, table
from x3d.scoring.noninferiority import Verdict
from x3d.storage.atomic import replace_file, write_all, write_json
from x3d.storage.csv_file import path_cell, value_cell, write_csv
from x3d.storage.output_folder import open_output

SCHEMA = 1
NAMES = ("comparison.json", "flips.csv", "summary.md", "junit.xml")
OWN_KEYS = frozenset(["reference", "candidate", "decision", "schema"])
"""Of every comparison.json, to recognise a file of the user by."""
MAX_ROWS = 20
"""Rows of a table in summary.md."""
FLIP_COLUMNS = (
    *("path", "label", "label_name", "reference", "reference_name", "reference_probability"),
    *("candidate", "candidate_name", "candidate_probability", "kind"),
)
JUNIT_TEST = "top-1 drops by less than the margin"
FLIPS_SHOWN = ("video", "label", *RUNS, "kind")
CLASS_COLUMNS = ("class", "videos", "lost", "gained", "drop, points", "95 % interval")
_NOT_XML = re.compile("[\ufffe\uffff]")
"""Characters that xml does not have, beside those that `printable` escapes."""


def open_comparison(folder: str, runs: Sequence[str] = ()) -> AbstractContextManager[Path]:
    """Open the folder of a comparison until the block ends, and remove an earlier one from it.

    Args:
        runs: folders of the runs that are compared.
    Raises:
        InputError: as open_output.
    """
    return open_output(folder, NAMES, OWN_KEYS, runs)


def write_comparison(folder: Path, content: Mapping[str, Any], flips: Iterable[Mapping[str, Any]]) -> None:
    """Write the files of a comparison, each of them whole.

    Args:
        content: of comparison_to_dict.
        flips: all of them.
    Raises:
        OSError: a file cannot be written; the error names it.
    """
    write_json(folder / NAMES[0], {"schema": SCHEMA, **content})
    write_csv(folder / NAMES[1], flip_rows(flips))
    _write_texts(folder, format_summary(content), format_junit(content))


def write_error(folder: Path, runs: Sequence[str], message: str) -> None:
    """Write why two runs cannot be compared, without flips.csv; comparison.json makes the folder replaceable.

    Args:
        runs: folders of reference and candidate.
    Raises:
        OSError: a file cannot be written; the error names it.
    """
    folders = {name: {"folder": run} for name, run in zip(RUNS, runs, strict=True)}
    write_json(folder / NAMES[0], {"schema": SCHEMA, **folders, "decision": None, "error": message})
    suites, test = _start_junit(runs[1], errors=1)
    ElementTree.SubElement(test, "error", {"message": _xml_text([message])})
    _write_texts(folder, f"## x3d_compare: not compared\n\n{code(message)}\n", _end_junit(suites))


def _write_texts(folder: Path, summary: str, junit: str) -> None:
    for name, text in zip(NAMES[2:], (summary, junit), strict=True):
        with replace_file(folder / name) as file:
            write_all(file.fileno(), text.encode())


def flip_rows(flips: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    """Yield the header and a row per video with two best classes."""
    yield FLIP_COLUMNS
    for flip in flips:
        yield [path_cell(flip["path"]), *(value_cell(flip[column]) for column in FLIP_COLUMNS[1:])]


def format_summary(content: Mapping[str, Any]) -> str:
    """Format a comparison as Markdown for a pull request; names are code, so that they cannot be markup."""
    decision = content["decision"]
    lines = [f"## x3d_compare: {decision['verdict']}", "", decision["text"]] if decision else [f"## {NO_LABELS}"]
    lines += [f"\nWarning: {code(text)}" for text in content["warnings"]]
    lines += ["", *_table(("", *RUNS), _run_rows(content))]
    lines += ["", *(f"- {text}" for text in describe_agreement(content))]
    if content["classes"]:
        rows = map(_class_row, content["classes"])
        more = len(content["classes"]), "classes with a lost or gained video: comparison.json"
        lines += ["", "### Classes", "", *_table(CLASS_COLUMNS, rows, *more)]
    if content["flips"]:
        rows = map(_flip_row, content["flips"])
        more = content["num_flips"], "videos whose class changed: flips.csv"
        lines += ["", "### Videos with another top-1", "", *_table(FLIPS_SHOWN, rows, *more)]
    for title, texts in (("Left out", content["left_out"]), ("Differences", content["differences"])):
        if texts:
            lines += ["", f"### {title}", "", *(f"- {code(text)}" for text in texts)]
    return "\n".join([*lines, ""])


def _run_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    runs = [content[run] for run in RUNS]
    yield "folder", *(code(run["folder"]) for run in runs)
    if content["decision"]:
        yield "top-1", *(format_share(run["top1"]) for run in runs)
        yield "top-5", *(format_share(run["top5"]) for run in runs)
        yield "right in this run only", content["lost"], content["gained"]
        yield "right in this run only, five best classes", content["top5_lost"], content["top5_gained"]


def _class_row(row: Mapping[str, Any]) -> Sequence[object]:
    limits = f"{row['low_points']:.2f} to {row['high_points']:.2f}"
    return code(row["name"]), row["num_videos"], row["lost"], row["gained"], f"{row['drop_points']:.2f}", limits


def _flip_row(flip: Mapping[str, Any]) -> Sequence[object]:
    runs = (f"{code(flip[f'{run}_name'])} {flip[f'{run}_probability']:.2f}" for run in RUNS)
    return code(flip["path"]), code(flip["label_name"] or ""), *runs, flip["kind"]


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], total: int = 0, rest: str = "") -> Iterator[str]:
    """Yield the lines of a table: its first rows, and how many more there are of what, and in which file."""
    yield from table(columns, itertools.islice(rows, MAX_ROWS))
    if total > MAX_ROWS:
        yield f"\n{total - MAX_ROWS} more of {total} {rest}"


def format_junit(content: Mapping[str, Any]) -> str:
    """Format a comparison as a JUnit test that fails unless the verdict is PASS, without labels too.

    UNDECIDED is a failure too: most servers show a build with skipped tests as passed. Warnings change no verdict; they
    are part of the test's output.
    """
    decision = content["decision"]
    verdict, message = (decision["verdict"], decision["text"]) if decision else (Verdict.UNDECIDED, NO_LABELS)
    failures = int(verdict != Verdict.PASS)
    suites, test = _start_junit(content["candidate"]["folder"], failures)
    if failures:
        attributes = {"type": str(verdict), "message": message}
        ElementTree.SubElement(test, "failure", attributes).text = _xml_text(describe_comparison(content))
    output = [*(f"Warning: {text}" for text in content["warnings"]), *describe_comparison(content)]
    ElementTree.SubElement(test, "system-out").text = _xml_text(output)
    return _end_junit(suites)


def _start_junit(candidate: str, failures: int = 0, errors: int = 0) -> tuple[ElementTree.Element, ElementTree.Element]:
    """Make the document and the only test in it, which is named after the folder of the candidate."""
    name = _xml_text([f"{os.path.basename(os.path.normpath(candidate))}: {JUNIT_TEST}"])
    suites = ElementTree.Element("testsuites")
    counts = {"tests": "1", "failures": str(failures), "errors": str(errors), "skipped": "0"}
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "x3d_compare", **counts})
    return suites, ElementTree.SubElement(suite, "testcase", {"classname": "x3d_compare", "name": name})


def _end_junit(suites: ElementTree.Element) -> str:
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode") + "\n"


def _xml_text(lines: Sequence[str]) -> str:
    return _NOT_XML.sub("?", printable("\n".join(map(one_line, lines))))
