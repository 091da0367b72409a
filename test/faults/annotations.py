"""Faults of lists and of where their videos are."""

import shutil
from pathlib import Path

from test import world
from test.faults.row import Fault, edit, nothing, replace_by_folder, write

LIST = "data/test.csv"


def _separated(separator: bytes) -> bytes:
    return b"".join(b"%d.mp4%b%d\n" % (number, separator, number) for number in range(3))


def preprocess(*keys: str) -> world.Ran:
    return world.preprocess("new", *keys)


def _with_prefix(prefix: str) -> world.Ran:
    return preprocess("DATA.PATH_PREFIX", prefix)


FAULTS = (
    Fault("no list", lambda: Path(LIST).unlink(), preprocess, 2, ["test.csv does not exist; set DATA.PATH_TO"]),
    Fault("empty list", write(LIST, ""), preprocess, 2, ["test.csv is empty"]),
    Fault("a folder as list", replace_by_folder(LIST), preprocess, 2, ["test.csv"]),
    Fault("tabs", write(LIST, _separated(b"\t")), preprocess, 2, ["test.csv", r"DATA\.PATH_LABEL_SEPARATOR"]),
    Fault("commas", write(LIST, _separated(b",")), preprocess, 2, ["test.csv", r"DATA\.PATH_LABEL_SEPARATOR"]),
    Fault("semicolons", write(LIST, _separated(b";")), preprocess, 2, ["test.csv", r"DATA\.PATH_LABEL_SEPARATOR"]),
    Fault("quoted cells", write(LIST, b'"0.mp4","0"\n"1.mp4","1"\n'), preprocess, 2, ["test.csv", "quot"]),
    Fault("UTF-16", edit(LIST, lambda data: data.decode().encode("utf-16")), preprocess, 2, ["test.csv", "UTF-16"]),
    Fault("Latin-1", write(LIST, "café.mp4 0\n".encode("latin-1")), preprocess, 2, ["test.csv", "UTF-8"]),
    Fault("a header", edit(LIST, lambda data: b"path label\n" + data), preprocess, 2, ["test.csv", "line 1"]),
    Fault(
        "label too large", write(LIST, "h264.mp4 9\n"), preprocess, 2, [r"outside -1\.\.8", "h264.mp4 9", "NUM_CLASSES"]
    ),
    Fault("label below -1", write(LIST, "h264.mp4 -2\n"), preprocess, 2, [r"outside -1\.\.8", "h264.mp4 -2"]),
    Fault("prefix empty", nothing, lambda: _with_prefix(""), 2, [r"DATA\.PATH_PREFIX"], absent=["new"]),
    Fault("prefix wrong", nothing, lambda: _with_prefix("data"), 2, [r"DATA\.PATH_PREFIX"], absent=["new"]),
    Fault("no videos", lambda: shutil.rmtree("data/val"), preprocess, 2, [r"DATA\.PATH_PREFIX"]),
    Fault(
        "control characters in a name",
        edit(LIST, lambda data: b"\x1b[31mred.mp4 0\n" + data),
        preprocess,
        1,
        [r"\\x1b\[31mred\.mp4"],
        reason="missing",
        folder="new",
    ),
    Fault(
        "list of other labels than the results",
        write(LIST, "".join(f"{name} {number + 1}\n" for number, name in enumerate(world.VIDEOS))),
        lambda: world.score("res", *world.DATA[:2]),
        2,
        [r"test\.csv is not the list"],
    ),
)
