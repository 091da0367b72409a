"""Faults of reports and comparisons."""

import os
import shutil
from collections.abc import Callable

from test import world
from test.faults.row import Fault, each, edit, flip_bit, nothing, replace_by_pipe, write

LISTED = [r"eval/test\.csv"]
LIST, ROWS, OTHER_ROWS = "eval/test.csv", "eval/manifest.rows", "eval_foreign/manifest.rows"


def report(output: str = "new", *more: str) -> Callable[[], world.Ran]:
    return lambda: world.report("eval", output, *more)


def compare(candidate: str = "eval", *more: str) -> Callable[[], world.Ran]:
    return lambda: world.compare("eval_foreign", candidate, *more)


def _cut(*paths: str) -> Callable[[], object]:
    """Leave the first row of each file of rows, as a killed evaluation of five videos does."""
    return each(*(edit(path, lambda data: data[: len(data) // 5]) for path in paths))


def _all_unlabelled(data: bytes) -> bytes:
    return b"".join(line.rsplit(b" ", 1)[0] + b" -1\n" for line in data.splitlines())


FAULTS = (
    *(
        Fault(f"{name}, {how}", make, command, status, [*message], absent=absent)
        for how, command, absent in (("reported", report(), ["new/index.html"]), ("compared", compare(), []))
        for name, make, status, message in (
            (
                "a label in the list of an evaluation",
                edit(LIST, lambda data: data[:-2] + b"3\n"),
                2,
                LISTED,
            ),
            ("a path in the list of an evaluation", edit(LIST, lambda data: b"x" + data[1:]), 2, LISTED),
            ("no label in the list of an evaluation", edit(LIST, _all_unlabelled), 2, LISTED),
            ("an empty list in an evaluation", write(LIST, ""), 2, LISTED),
            ("a list in UTF-16 in an evaluation", write(LIST, "a 0\n".encode("utf-16")), 2, LISTED),
            ("a pipe as the list of an evaluation", replace_by_pipe(LIST), 2, LISTED),
        )
    ),
    Fault(
        "no list in an evaluation", lambda: os.unlink(LIST), report(), 0, [r"WARNING.*eval/test\.csv does not exist"]
    ),
    Fault("no rows of an evaluation, reported", write(ROWS, ""), report(), 1, [r"no row in eval/manifest\.rows; run"]),
    Fault("a flipped bit in a row, reported", edit(ROWS, flip_bit), report(), 1, [r"manifest\.rows", "1 of 5 listed"]),
    Fault("a flipped bit in a row, compared", edit(ROWS, flip_bit), compare(), 2, [r"manifest\.rows", "--common"]),
    Fault(
        "rows of another run, reported", lambda: shutil.copy(OTHER_ROWS, ROWS), report(), 1, [r"manifest\.rows.*: 5"]
    ),
    Fault("two runs that were killed, compared", _cut(ROWS, OTHER_ROWS), compare(), 2, ["not finished: 4 videos"]),
    Fault("a run that was killed, compared", _cut(ROWS), compare(), 2, ["4 videos are scored by the reference only"]),
    Fault("a run compared with itself", nothing, compare("eval_foreign"), 3, ["WARNING.*compared with itself"]),
    Fault("a folder of views, compared", nothing, compare("prep"), 2, ["prep holds no results"]),
    Fault("a margin that is no number", nothing, compare("eval", "--margin", "nan"), 2, ["--margin nan"]),
    Fault("a report within its run", nothing, report("eval/new"), 2, ["eval/new lies in eval"], absent=["eval/new"]),
    Fault("a report in its run", nothing, report("eval"), 2, ["--output eval lies in eval"], present=[LIST, ROWS]),
    Fault("a report in a folder of the user", nothing, report("data"), 2, ["--output data"], present=["data/test.csv"]),
    Fault(
        "a comparison within a compared run",
        nothing,
        compare("eval", "--output", "eval/new"),
        2,
        ["eval/new lies in eval"],
        absent=["eval/new"],
    ),
    Fault(
        "a report through a link into its run",
        lambda: os.symlink("eval", "link"),
        report("link/new"),
        2,
        ["link/new lies in eval"],
        absent=["eval/new"],
    ),
    Fault(
        "an earlier report stays by no failed one",
        lambda: world.report("eval", "new"),
        report("new", "--compare", "nowhere"),
        2,
        ["nowhere"],
        present=["new"],
        absent=["new/index.html", "new/report.json"],
    ),
)
