"""Annotation files: every format is recognised by its content, and every fault named with file and line."""

import json
import re
from pathlib import Path

import pytest

from x3d.dataset.annotation_files import Annotation, read_annotations
from x3d.errors import InputError

A, B = "-a345678901", "_b345678901"
HEADER = "label,youtube_id,time_start,time_end,split"
OFFICIAL = {
    A: {"annotations": {"label": "air drumming", "segment": [1.0, 11.0]}, "duration": 10.0, "subset": "validate"},
    B: {"annotations": {"label": "zumba", "segment": [1.0, 11.0]}, "duration": 10.0, "subset": "validate"},
}


def read(tmp_path: Path, content: str | bytes) -> tuple[str, list[tuple[str, str, int | None, str | None]]]:
    path = tmp_path / "given"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    file = read_annotations(str(path))
    return file.form, [(row.video_id, row.place, row.index, row.name) for row in file.rows]


NAMED = [(A, "line 2", None, "air drumming"), (B, "line 3", None, "zumba")]


@pytest.mark.parametrize(
    "content",
    [
        f'{HEADER}\n"air drumming",{A},1,11,validate\nzumba,{B},1,11,validate\n',
        f"{HEADER},is_cc\nair drumming,{A},1,11,val,0\nzumba,{B},1,11,val,1",
        f'\ufeff{HEADER}\r\n"air drumming",{A},1,11,validate\r\nzumba,{B},1,11,validate\r\n\r\n',
        f'"youtube_id","label"\n"{A}","air drumming"\n"{B}","zumba"\n',
        f"split, YouTube_ID , label\nval, {A} , air drumming \nval,{B},zumba\n",
        f'label;youtube_id;split\r\n"air drumming";{A};val\r\nzumba;{B};val\r\n',
        f"label\tyoutube_id\nair drumming\t{A}\nzumba\t{B}\n",
    ],
    ids=["new", "old", "mark and Windows", "quoted header", "spaces and capitals", "semicolons", "tabs"],
)
def test_the_official_csv(content, tmp_path):
    assert read(tmp_path, content) == ("official csv", NAMED)


def test_the_oldest_test_csv_has_no_labels(tmp_path):
    form, rows = read(tmp_path, f"youtube_id,time_start,time_end,split\n{A},1,11,test\n")
    assert (form, rows) == ("official csv", [(A, "line 2", None, None)])
    assert read(tmp_path, f"{HEADER}\n,{A},1,11,test\n")[1] == [(A, "line 2", None, None)]


@pytest.mark.parametrize("indent", [None, 1])
def test_the_official_json(indent, tmp_path):
    form, rows = read(tmp_path, json.dumps(OFFICIAL, indent=indent))
    assert form == "official json"
    assert rows == [(A, f'entry "{A}"', None, "air drumming"), (B, f'entry "{B}"', None, "zumba")]
    assert read(tmp_path, json.dumps({A: {"subset": "test", "duration": 10.0}}))[1] == [(A, f'entry "{A}"', None, None)]


def test_of_several_splits_the_validation_set_is_read(tmp_path):
    rows = f"zumba,{A},1,11,train\nzumba,{B},1,11,val\n"
    form, found = read(tmp_path, f"{HEADER}\n{rows}")
    assert (form, [row[0] for row in found]) == ("official csv without 1 row of other splits ('train')", [B])
    assert [row[0] for row in read(tmp_path, f"{HEADER}\n{rows.replace('val', 'test')}")[1]] == [A, B]
    assert [row[0] for row in read(tmp_path, json.dumps(OFFICIAL | {A: {"subset": "train"}}))[1]] == [B]


LISTED = [(A, "line 1", 2, None), (B, "line 2", 399, None)]


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (f"air_drumming/{A}_000001_000011.mp4 2\nzumba/{B}_000001_000011.mp4 399\n", "list of labels"),
        (f"air drumming/{A}.mp4 2\r\nzumba/{B}.mkv 399\r\n", "list of labels"),
        (f"/data/air drumming/{A}.mp4,2\n/data/zumba/{B}.mp4,399", "list of labels"),
        (f'"air drumming/{A}.mp4" 2\n"zumba/{B}.mp4" 399\n', "list of labels"),
        (f"air_drumming/{A}_000001_000011 300 2\nzumba/{B}_000001_000011 250 399\n", "list of frames and labels"),
        (f"{A}.mp4\t2\n{B}.mp4\t399\n", "list of labels"),
        (f"{A} 2\n{B} 399\n", "list of ids and labels"),
        (f"\ufeff{A} 2\n{B} 399\n\n \n", "list of ids and labels"),
    ],
)
def test_lists(content, form, tmp_path):
    assert read(tmp_path, content) == (form, LISTED)


def test_only_a_list_whose_rows_all_have_two_numbers_is_one_of_frames(tmp_path):
    form, rows = read(tmp_path, "push up/my clip 3 2\npush up/x 4\n")
    assert (form, [row[0] for row in rows]) == ("list of labels", ["my clip 3", "x"])


def test_a_list_of_paths_alone_and_blank_lines(tmp_path):
    form, rows = read(tmp_path, f"a/{A}.mp4\n\n{B}.webm\n")
    assert (form, rows) == ("list of paths", [(A, "line 1", None, None), (B, "line 3", None, None)])


def test_a_json_of_paths_has_numbers_names_or_no_labels(tmp_path):
    items = [{"filename": f"x/{A}.mp4", "label": 2}, {"filename": f"{B}.mp4", "label": "zumba"}, {"filename": "c.mp4"}]
    form, rows = read(tmp_path, json.dumps(items))
    assert form == "json of paths and labels"
    assert rows == [(A, "entry 0", 2, None), (B, "entry 1", None, "zumba"), ("c", "entry 2", None, None)]


def test_a_path_may_begin_with_a_bracket(tmp_path):
    assert read(tmp_path, "[a] b.mp4 2\n{c}.mp4 3\n")[1] == [("[a] b", "line 1", 2, None), ("{c}", "line 2", 3, None)]


def test_the_folder_of_a_path_is_known():
    assert Annotation("a", "val_256/folding_napkins/a.mp4", "line 1").folder == "folding_napkins"
    assert Annotation("a", "a.mp4", "line 1").folder == Annotation("a", "", "line 1").folder == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "given is empty; give a csv, json or list of videos"),
        ("\n \n", "given is empty; give"),
        (f"{HEADER}\n", "given has no rows or entries; download it again"),
        ("{}", "given has no rows or entries"),
        ("[]", "given has no rows or entries"),
        ("abseiling\nzumba\n", "given line 1: 'abseiling' is no path or id with a number as label (2 such lines of 2)"),
        (
            "a.mp4 2\nb.mp4\n",
            "given line 2: 'b.mp4' is no path or id with a number as label (1 such line of 2); give a",
        ),
        ("a.mp4 2\nb.mp4 zumba\n", "given line 2: 'b.mp4 zumba' is no path or id"),
        (f'"air drumming",{A},1,11,validate\n', "is no path or id with a number as label"),
        (f"{HEADER}\nzumba,{A},1,11\n", "given line 2: 4 cells under 5 columns; download it again"),
        (f"{HEADER}\nzumba,{A},1,11,val\nzumba,#NAME?,1,11,val", "given line 3: '#NAME?' is no YouTube id of 11 chara"),
        (f"{HEADER}\nzumba,{A[1:]},1,11,val\n", "a spreadsheet may have changed it: download the file again"),
        (f'{HEADER}\nzumba,"{A},1,11,val\n', "given line 2: 2 cells under 5 columns"),
        (f'{HEADER}\n"{"x" * 200_000}"\n', "given line 2: field larger than field limit (131072); download it again"),
        ('{"a": \n1', "given line 2: no JSON (Expecting ',' delimiter); download or write it again"),
        ("[" * 100_000, "given is no JSON of videos: "),
        ('{"short": {"subset": "val"}}', "given entry \"short\": 'short' is no YouTube id of 11 characters"),
        (json.dumps({A: []}), f'given entry "{A}": {{"annotations": {{"label": NAME}}, "subset": NAME}} is expected'),
        (json.dumps({A: {"annotations": {"label": 3}}}), "is expected"),
        (json.dumps({A: {"annotations": []}}), "is expected"),
        (json.dumps({A: {"subset": 1}}), "is expected"),
        ('[{"filename": "a.mp4", "label": [1, 2]}]', 'given entry 0: {"filename": PATH, "label": NUMBER} is expected'),
        ('[{"filename": "a.mp4", "label": true}]', "is expected"),
        ('["a.mp4"]', "is expected"),
        (
            f'{{"{A}": {{"subset": "val"}}, "{A}": {{"subset": "val"}}}}',
            f'given has entries twice: "{A}"; remove the wr',
        ),
        ('[{"filename": "a", "label": 1, "label": 2}]', 'given has entries twice: "label"; remove'),
        (
            json.dumps({A: {"label": "zumba", "subset": "val"}}),
            f'given entry "{A}": {{"annotations": {{"label": NAME}}',
        ),
        (json.dumps({"database": {A: {}}}), 'given entry "database": {"annotations": {"label": NAME}'),
        ('[{"filename": "a.mp4", "class_id": 3}]', 'given entry 0: {"filename": PATH, "label": NUMBER} is expected'),
        (f"class,youtube_id\nzumba,{A}\n", "given has the columns class, youtube_id; name that of the classes `label`"),
        (
            f"label,youtube_id,Label\nzumba,{A},yoga\n",
            "given has the columns label, youtube_id, label; remove the further",
        ),
        ("a.mp4 2\n".encode("utf-16"), "given is UTF-16, not UTF-8; convert it: iconv"),
        ("a.mp4 2\nb.mp4 3\n".encode("utf-16-le"), "given is UTF-16LE, not UTF-8; convert it: iconv"),
        (b"a.mp4 2\nb\xe9.mp4 3\n", "given is not UTF-8 in line 2"),
        (b"a.mp4 2\nb\0\0\0.mp4 3\n" + b"c.mp4 3\n" * 9, "given has a NUL byte in line 2"),
        (b"\x1f\x8b\x08", "given is no list of annotations: it is a gzip archive"),
        ("<!DOCTYPE html>", "given is no list of annotations: it is an HTML or XML page"),
    ],
)
def test_a_fault_is_named_with_file_and_place(content, problem, tmp_path):
    with pytest.raises(InputError, match=re.escape(problem)) as raised:
        read(tmp_path, content)
    assert str(raised.value).startswith(str(tmp_path / "given"))
    assert "\n" not in str(raised.value)


def test_what_is_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_annotations(str(tmp_path))
    with pytest.raises(InputError, match="does not exist; give a csv, json or list of videos"):
        read_annotations(str(tmp_path / "none"))
