"""A list that is not read is named for what it is, and following the advice in a shell makes it readable."""

import re
import shlex
import subprocess

import pytest

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import read_list
from x3d.dataset.bad_rows import BadRow, format_bad_rows

GOOD = 'moving right blue/007, a.mp4 3\nshrinking red/żółw.mp4 10\nit\'s "here"/b.mp4 -1\n'
EXPECTED = [("moving right blue/007, a.mp4", 3), ("shrinking red/żółw.mp4", 10), ('it\'s "here"/b.mp4', -1)]


def separated(text: str, by: str) -> str:
    return re.sub(r" (-?\d+)\n", lambda found: f"{by}{found[1]}\n", text)


LISTS = {
    "tab": (separated(GOOD, "\t"), r"3 lines: path and label are separated by '\\t'; set DATA.PATH_LABEL_SEPARATOR \$"),
    "comma": (separated(GOOD, ","), "3 lines: path and label are separated by ','"),
    "semicolon": (separated(GOOD, ";"), "3 lines: path and label are separated by ';'"),
    "bar": (separated(GOOD, "|"), "3 lines: path and label are separated by '|'"),
    "two spaces": (separated(GOOD, "  "), "3 lines: more than one ' ' between path and label"),
    "two and three spaces": (separated(GOOD, "  ").replace("  3", "   3"), "3 lines: more than one ' '"),
    "comma and space": (separated(GOOD, ", "), "3 lines: more than one ' '"),
    "tabs": (separated(GOOD, "\t\t"), "3 lines: more than one ' '"),
    "no-break space": (
        separated(GOOD, "\u00a0"),
        r"3 lines: path and label are separated by '\\xa0', which is no plain",
    ),
    "space at the end": (GOOD.replace("\n", " \n"), "or something after them"),
    "quoted": (re.sub(r"(?m)^(.*) (-?\d+)$", r'"\1",\2', GOOD), "3 lines: the path is quoted"),
    "quoted with space": (re.sub(r"(?m)^(.*) (-?\d+)$", r'"\1" \2', GOOD), "3 lines: the path is quoted"),
    "all quoted": (re.sub(r"(?m)^(.*) (-?\d+)$", r'"\1"\t"\2"', GOOD), "3 lines: the path is quoted"),
    "header": ("path label\n" + GOOD, "1 line: no label: .* if it is a header, remove it"),
    "empty line": (GOOD.replace("\nit", "\n\n \nit"), "2 lines: an empty line"),
    "frames": (re.sub(r" (-?\d+)\n", r" 300 \1\n", GOOD), "3 lines: a number before the label, as in lists of frames"),
    "UTF-16": (GOOD.encode("utf-16"), "test.csv is UTF-16, not UTF-8; convert it"),
    "UTF-16 big-endian": (b"\xfe\xff" + GOOD.encode("utf-16-be"), "test.csv is UTF-16, not UTF-8; convert it"),
    "UTF-16 without mark": (GOOD.encode("utf-16-le"), "test.csv is UTF-16LE, not UTF-8; convert it"),
    "UTF-32": (GOOD.encode("utf-32"), "test.csv is UTF-32, not UTF-8; convert it"),
    "Latin-1": (GOOD.replace("żółw", "café").encode("latin-1"), "is not UTF-8 in line 2 .byte 0xe9.; if it is Latin-1"),
}


@pytest.mark.parametrize("folder", ["data", "it's a folder; $HOME"])
@pytest.mark.parametrize(("content", "text"), LISTS.values(), ids=LISTS.keys())
def test_following_the_advice_makes_the_list_readable(content, text, folder, tmp_path):
    path = tmp_path / folder / "test.csv"
    path.parent.mkdir()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=text) as raised:
        read(path)
    assert str(path) in str(raised.value)
    keys = follow(str(raised.value), tmp_path)
    expected = [(listed.replace("żółw", "café") if "Latin" in text else listed, label) for listed, label in EXPECTED]
    assert [(video.listed, video.label) for video in read(path, *keys)] == expected


def read(path, *keys):
    cfg = ["DATA.PATH_TO_DATA_DIR", str(path.parent), "MODEL.NUM_CLASSES", "400", *keys]
    return read_list(load_cfg(str(ROOT / "configs/X3D_S.yaml"), cfg))


def follow(message, folder):
    """Type what a message advises in bash: a command, or a key and its value, which are returned."""
    if found := re.search(r"set (DATA\.PATH_LABEL_SEPARATOR .*)", message):
        typed = subprocess.run(["bash", "-c", f"printf '%s\\0' {found[1]}"], capture_output=True, text=True, check=True)
        return typed.stdout.split("\0")[:-1]
    [command] = re.findall(r": ((?:sed|iconv) .*)", message)
    subprocess.run(["bash", "-c", command], cwd=folder, check=True)
    return []


@pytest.mark.parametrize("separator", [",", "\t", "::", "/", "&", "\\"])
def test_the_advice_writes_the_separator_that_is_set(separator, tmp_path):
    path = tmp_path / "test.csv"
    path.write_text(separated(GOOD, "  "))
    keys = ["DATA.PATH_LABEL_SEPARATOR", separator]
    with pytest.raises(ValueError, match="more than one") as raised:
        read(path, *keys)
    follow(str(raised.value), tmp_path)
    assert [(video.listed, video.label) for video in read(path, *keys)] == EXPECTED


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (GOOD.encode()[:40] + b"\0" + GOOD.encode()[40:], "test.csv has a NUL byte in line 2"),
        (b"<html>404</html>", "test.csv is no list of videos: it is an HTML or XML page"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "is no list of videos: it is a git-LFS pointer; run",
        ),
        (b"\x1f\x8b\x08\0\0\0", "is no list of videos: it is a gzip archive"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n \r\n", "is empty"),
        (b"7\n", "1 line: no label"),
        (b" 7\n", "1 line: a label without a path"),
        (
            b"a.mp4 0\nb.mp4 4.0\n",
            "1 line: no label: a whole number after ' ' is .*\n  line 2: 'b.mp4 4.0'",
        ),
        (b"a.mp4 0\nb\x1b[31m.mp4\n", r"line 2: 'b\\x1b\[31m.mp4'"),
    ],
)
def test_what_no_command_corrects_is_named(content, text, tmp_path):
    (tmp_path / "test.csv").write_bytes(content)
    with pytest.raises(ValueError, match=text):
        read(tmp_path / "test.csv")


@pytest.mark.parametrize(
    "content",
    [GOOD.encode(), b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode(), GOOD.strip().encode()],
)
def test_a_mark_and_line_ends_of_windows_do_no_harm(content, tmp_path):
    (tmp_path / "test.csv").write_bytes(content)
    assert [(video.listed, video.label) for video in read(tmp_path / "test.csv")] == EXPECTED


def test_a_number_in_some_paths_is_part_of_the_path(tmp_path):
    (tmp_path / "test.csv").write_text("a/clip 300 0\na/b.mp4 1\n")
    assert [video.listed for video in read(tmp_path / "test.csv")] == ["a/clip 300", "a/b.mp4"]


def test_a_cause_is_named_once_with_a_count_and_its_first_rows():
    rows = [BadRow(number, f"'{number}'", "even" if number % 2 == 0 else "odd") for number in range(12)]
    assert format_bad_rows(rows).split("\n") == [
        "6 lines: even",
        *(f"  line {number}: '{number - 1}'" for number in (1, 3, 5, 7, 9)),
        "  ... and 1 more",
        "6 lines: odd",
        *(f"  line {number}: '{number - 1}'" for number in (2, 4, 6, 8, 10)),
        "  ... and 1 more",
    ]
    assert shlex.split(format_bad_rows(rows[:1])) == ["1", "line:", "even", "line", "1:", "0"]
