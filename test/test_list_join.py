"""What happens to each listed video and each file, without a file on disk."""

from collections.abc import Iterator

import pytest

from x3d.dataset.annotation_files import Annotation, AnnotationFile
from x3d.dataset.class_names import ClassNames
from x3d.dataset.video_files import VideoFile
from x3d.pipeline.list_claims import Claim, collect_claims
from x3d.pipeline.list_join import Listed, find_unlisted, group_by_id, join, list_ids, rows_of
from x3d.storage.list_file import LedgerRow, State

NAMES = ClassNames(["archery", "zumba"])
ONE = Claim(1, "", "folder 'zumba'")


def states(videos: list[VideoFile], replacements: list[VideoFile] | None = None, claims=(ONE,)) -> Iterator[LedgerRow]:
    groups = group_by_id(videos), group_by_id(replacements or [])
    return join({"a": Listed("z/a.mp4", "given line 1")}, {"a": claims}, *groups, NAMES)


GOOD, TWIN, EMPTY = VideoFile("a.mkv", ""), VideoFile("b/a.mp4", ""), VideoFile("c/a.mp4", "", "empty")
NEW, BROKEN = VideoFile("../new/a.mp4", ""), VideoFile("../new/a.avi", "", "unreadable", "a broken link")


@pytest.mark.parametrize(
    ("videos", "replacements", "expected"),
    [
        ([], [], [("missing", "z/a.mp4", "given line 1")]),
        ([GOOD], [], [("found", "a.mkv", "")]),
        ([GOOD, TWIN], [], [("found", "a.mkv", ""), ("twice", "b/a.mp4", "as a.mkv, by the id 'a'")]),
        ([EMPTY, GOOD], [], [("empty", "c/a.mp4", ""), ("found", "a.mkv", "")]),
        ([EMPTY], [], [("empty", "c/a.mp4", "")]),
        ([EMPTY, TWIN], [NEW], [("replaced", "../new/a.mp4", "instead of c/a.mp4")]),
        ([], [NEW], [("replaced", "../new/a.mp4", "")]),
        ([GOOD], [BROKEN], [("unreadable", "../new/a.avi", "a broken link"), ("found", "a.mkv", "")]),
        ([], [BROKEN, NEW], [("unreadable", "../new/a.avi", "a broken link"), ("replaced", "../new/a.mp4", "")]),
    ],
)
def test_the_file_of_a_video_is_chosen(videos, replacements, expected):
    assert [(row.state, row.path, row.detail) for row in states(videos, replacements)] == expected
    assert {(row.label, row.class_name) for row in states(videos, replacements)} == {(1, "zumba")}


def test_sources_that_differ_are_a_conflict_whatever_the_files():
    claims = [ONE, Claim(0, "given", "given line 1 'archery'"), Claim(1, "", "folder 'Zumba'")]
    rows = list(states([GOOD, TWIN], [NEW], claims))
    detail = "folder 'zumba'; given line 1 'archery'"
    assert rows == [LedgerRow(State.CONFLICT, file.path, detail=detail) for file in (NEW, GOOD, TWIN)]
    [row] = states([], [], claims)
    assert (row.state, row.label) == (State.MISSING, None)


def test_a_missing_video_is_named_by_what_is_known_of_it():
    listed = {"-a": Listed("", "x line 1"), "-b": Listed("", "x line 2"), "-c": Listed("y/-c.mp4", "x line 3")}
    rows = list(join(listed, {"-a": [ONE]}, {}, {}, NAMES))
    assert [(row.path, row.label) for row in rows] == [("zumba/-a", 1), ("./-b", None), ("y/-c.mp4", None)]


def test_ids_are_those_of_all_files_and_repeated_lines_are_reported():
    first = AnnotationFile("x", "", [Annotation("a", "a", "line 1"), Annotation("b", "z/b.mp4", "line 2")])
    rows = [Annotation("b", "", "line 1"), Annotation("c", "z/c.mp4", "line 2"), Annotation("c", "z/c.mp4", "line 3")]
    listed, repeated = list_ids([first, AnnotationFile("y", "", [*rows, Annotation("b", "", "line 4")])], {})
    assert listed == {
        "a": Listed("", "x line 1"),
        "b": Listed("z/b.mp4", "x line 2"),
        "c": Listed("z/c.mp4", "y line 2"),
    }
    assert repeated == [
        LedgerRow(State.TWICE, "z/c.mp4", detail="y line 3, as line 2"),
        LedgerRow(State.TWICE, "./b", detail="y line 4, as line 1"),
    ]


def test_without_annotations_videos_in_folders_of_classes_are_listed():
    videos = [VideoFile("zumba/a.mp4", "zumba"), VideoFile("val/b.mp4", "val")]
    claims = collect_claims([], videos, NAMES)
    assert list_ids([], claims) == ({"a": Listed()}, [])
    groups = [group_by_id(videos)]
    [row] = find_unlisted({"a": Listed()}, groups, by_folder=True)
    assert row == LedgerRow(State.NO_CLASS, "val/b.mp4", detail="folder 'val'")
    assert [row.state for row in find_unlisted({}, groups, by_folder=False)] == [State.UNLISTED] * 2


def test_rows_of_the_list_are_the_videos_to_use():
    ledger = [LedgerRow(state, state.value, 3) for state in State] + [LedgerRow(State.FOUND, "a")]
    assert rows_of(ledger) == [("a", -1), ("found", 3), ("replaced", 3)]
