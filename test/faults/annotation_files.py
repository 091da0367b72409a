"""Faults of what x3d_list.py makes a list from: annotation files, class names, and what lies at the output."""

import json
import os
from collections.abc import Callable

from test import made_up_annotations, world
from test.faults.row import Fault, each, edit, replace_by_pipe, write

NAMES = [f"class {chr(97 + number)}" for number in range(world.NUM_CLASSES)]
IDS = [f"video_____{number}" for number in range(3)]
ENTRIES = {video: {"annotations": {"label": NAMES[number]}, "subset": "val"} for number, video in enumerate(IDS)}
CSV = "label,youtube_id,split\n" + "".join(f"{NAMES[number]},{video},val\n" for number, video in enumerate(IDS))


def make_list(*more: str) -> Callable[[], world.Ran]:
    return lambda: made_up_annotations.make_list("data/val", "given.csv", "names.txt", "new/test.csv", *more)


def _given(content: str | bytes, *more: Callable[[], object]) -> Callable[[], object]:
    """Make class names, videos named by ids, and the annotation file."""
    videos = [write(f"data/val/{video}.mp4", b"x") for video in IDS]
    return each(write("names.txt", "\n".join(NAMES)), *videos, write("given.csv", content), *more)


def _fault(name: str, content: str | bytes, *message: str, more: Callable[[], object] = lambda: None) -> Fault:
    return Fault(name, _given(content, more), make_list(), 2, message, absent=["new"])


FAULTS = (
    _fault("an empty file", "", "given.csv is empty; give a csv"),
    _fault("a pipe", "x", "given.csv cannot be read: not a regular", more=replace_by_pipe("given.csv")),
    _fault("a cell too few", CSV.replace(",val", "", 1), "given.csv line 2: 2 cells under 3 columns"),
    _fault("two columns of one name", CSV.replace("split", "label"), "remove the further 'label'"),
    _fault("classes in another column", CSV.replace("label", "class"), "name that of the classes `label`"),
    _fault("an id that a spreadsheet changed", CSV.replace(IDS[1], "#NAME?"), "line 3: '#NAME\\?' is no YouTube id"),
    _fault(
        "a class that is none", CSV.replace(NAMES[1], "klass b"), "given.csv line 3: 'klass b' is no class of names.txt"
    ),
    _fault("UTF-16", CSV.encode("utf-16"), "given.csv is UTF-16, not UTF-8; convert it"),
    _fault("an id twice in JSON", json.dumps(ENTRIES)[:-1] + f', "{IDS[0]}": {{}}}}', "has entries twice"),
    _fault("labels elsewhere in JSON", json.dumps({video: {"label": "class a"} for video in IDS}), "is expected"),
    _fault("half a JSON", json.dumps(ENTRIES)[:-30], "given.csv line 1: no JSON"),
    _fault(
        "labels that begin with 1",
        "".join(f"{NAMES[number]}/{video}.mp4 {number + 1}\n" for number, video in enumerate(IDS)),
        "contradicts given.csv line 1 folder 'class a'.*numbers that begin with 1",
    ),
    Fault(
        "two classes of one video",
        _given(CSV + f"{NAMES[5]},{IDS[0]},val\n"),
        make_list(),
        1,
        ["conflict: 1\\n", "twice: 1\\n"],
        present=["new/test.csv", "new/test.ledger.csv"],
    ),
    Fault(
        "a list of the user at the output",
        _given(CSV, lambda: os.mkdir("new"), write("new/test.csv", "mine.mp4 3\n")),
        make_list(),
        2,
        ["new/test.csv exists with other rows"],
        absent=["new/test.ledger.csv"],
    ),
    Fault("replacements that are the videos", _given(CSV), make_list("--replacements", "data"), 2, ["data contains"]),
    Fault(
        "semicolons are read, and other splits named",
        _given(CSV.replace(",", ";"), edit("given.csv", lambda data: data.replace(b"val", b"train", 1))),
        make_list(),
        0,
        [r"official csv without 1 row of other splits \('train'\)", "found: 2"],
    ),
)
