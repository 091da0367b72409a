"""Rows are written so that they are read back as they are, or not at all."""

import re
from pathlib import Path

import pytest

from x3d.dataset.annotations import ListFormat, read_list_file
from x3d.dataset.list_writer import format_list
from x3d.errors import InputError

READABLE = [
    "air drumming/a b.mp4",
    "-a.mp4",
    '"a" b.mp4',
    "a'b.mp4",
    "a 3 2.mp4",
    "a,b;c|d.mp4",
    "../replacements/a.mp4",
    "żubr/跳舞.mkv",
    " a.mp4",
    "a\tb.mp4",
    "a\u2028b\x85\x1bc.mp4",
    "=1+1.mp4",
    "#a.mp4",
]


@pytest.mark.parametrize("separator", [" ", ",", "\t", ";"])
def test_any_name_that_a_list_can_hold_is_read_back(separator, tmp_path):
    rows = [(path, label) for label, path in enumerate(READABLE, start=-1)]
    path = tmp_path / "test.csv"
    path.write_bytes(format_list(rows, separator, path))
    videos = read_list_file(path, ListFormat(separator, "", 400))
    assert [(video.listed, video.label) for video in videos] == rows


@pytest.mark.parametrize(
    "name",
    ["a\nb.mp4", "a\rb.mp4", "a.mp4 ", "a.mp4,", "a.mp4|", '"a.mp4"', "\udcff.mp4", "\ufeffa.mp4", "a" * 5000, ""],
)
def test_other_names_are_an_error(name):
    problem = f"out/test.csv cannot hold 1 path, such as {name[:200]!r}"
    with pytest.raises(InputError, match=f"^{re.escape(problem)}.*; rename the files$") as raised:
        format_list([("good.mp4", 0), (name, 1)], " ", Path("out/test.csv"))
    assert len(str(raised.value)) < 600


def test_a_first_row_that_looks_like_another_kind_of_file_is_an_error():
    with pytest.raises(InputError, match=r"test\.csv is no list of videos: it is a playlist"):
        format_list([("#EXTM3U.mp4", 0)], " ", Path("test.csv"))


def test_no_rows_are_an_empty_list():
    assert format_list([], " ", Path("test.csv")) == b""
