"""Video files are found in any layout, and identified by the id in their names."""

import os
import re
from pathlib import Path

import pytest

from x3d.dataset.video_files import distinguish, find_videos, is_video, video_id
from x3d.errors import InputError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("folding napkins/abcdefghijk_000044_000054.mp4", "abcdefghijk"),
        ("abcdefghijk.mp4", "abcdefghijk"),
        ("abcdefghijk.mkv", "abcdefghijk"),
        ("abcdefghijk", "abcdefghijk"),
        ("a/abcdefghijk_000044_000054", "abcdefghijk"),
        ("-cHyoOCs8iQ.mp4", "-cHyoOCs8iQ"),
        ("-_-_-_-_-_-.mp4", "-_-_-_-_-_-"),
        ("___________.webm", "___________"),
        ("_cHyoOCs8iQ_000001_000011.mp4", "_cHyoOCs8iQ"),
        ("cHyoOCs8iQ-_000001_000011.mp4", "cHyoOCs8iQ-"),
        ("cHyoOCs8iQ__000001_000011.mp4", "cHyoOCs8iQ_"),
        ("00000000000_000001_000011.mp4", "00000000000"),
        ("abcdefghijk_84_94.mp4", "abcdefghijk"),
        ("abcdefghijk-trimmed.mp4", "abcdefghijk"),
        ("abcdefghijk (1).mp4", "abcdefghijk"),
        ("abcdefghijk.f137.mp4", "abcdefghijk"),
        ("short.mp4", "short"),
        ("a.b.mp4", "a.b"),
        ("000_000123.mp4", "000_000123"),
        ("made_up_video_1.mp4", "made_up_video_1"),
        ("air drumming 3.MP4", "air drumming 3"),
        ("short", "short"),
    ],
)
def test_the_id_is_the_first_11_characters_of_the_name(path, expected):
    assert video_id(path) == expected


def test_names_in_several_folders_are_those_of_several_videos_unless_they_are_ids():
    identify = distinguish(
        ["a b/1.mp4", "c/1.mp4", "c/2.mp4", "c/x.mp4", "d/c/x.avi", "c/abcdefghijk.mp4", "d/abcdefghijk_1.mp4"]
    )
    assert identify("a b/1.mp4") == identify("val/A_b/1.mkv") != identify("c/1.mp4")
    assert [identify(path) for path in ("c/2.mp4", "d/2.mp4", "d/c/x.avi")] == ["2", "2", "x"]
    assert identify("c/abcdefghijk.mp4") == identify("d/abcdefghijk_1.mp4") == "abcdefghijk"


def test_videos_are_known_by_their_suffix():
    names = "a.mp4 a.MKV a.webm a.avi a.mov a.b.ts".split()
    assert [name for name in [*names, "a.txt", "mp4", "a.mp4.part", "a.jpg", ".mp4"] if is_video(name)] == names


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def test_files_are_found_in_folders_of_any_depth_and_sorted(tmp_path):
    write(tmp_path, "b/2.mp4", "b/1.mp4", "a b/c/-.mkv", "0.webm", "a b.mp4/x.mp4", "b/x.txt", "X.TXT", "none")
    write(tmp_path, "b/._1.mp4", ".cache/1.mp4", ".hidden")
    found = find_videos(str(tmp_path))
    assert [(video.path, video.folder, video.reason) for video in found.videos] == [
        ("0.webm", tmp_path.name, ""),
        ("a b.mp4/x.mp4", "a b.mp4", ""),
        ("a b/c/-.mkv", "c", ""),
        ("b/1.mp4", "b", ""),
        ("b/2.mp4", "b", ""),
    ]
    assert dict(found.num_others) == {"*.txt": 2, "*": 1, ".*": 2}


def test_the_class_of_files_in_the_folder_itself_is_its_name(tmp_path, monkeypatch):
    write(tmp_path, "zumba/1.mp4")
    monkeypatch.chdir(tmp_path / "zumba")
    assert [video.folder for video in find_videos(".").videos] == ["zumba"]
    assert [video.folder for video in find_videos(f"{tmp_path}/zumba/").videos] == ["zumba"]


def test_faults_are_found_without_opening_a_file(tmp_path):
    write(tmp_path, "good.mp4", "target.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "broken.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    (tmp_path / "link.mp4").symlink_to("target.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    found = {video.path: (video.reason, video.detail) for video in find_videos(str(tmp_path)).videos}
    assert found == {
        "good.mp4": ("", ""),
        "target.mp4": ("", ""),
        "link.mp4": ("", ""),
        "empty.mp4": ("empty", ""),
        "broken.mp4": ("unreadable", "No such file or directory, a broken link"),
        "itself.mp4": ("unreadable", "Too many levels of symbolic links, a broken link"),
        "pipe.mp4": ("unreadable", "not a regular file"),
    }


def test_a_file_without_permission_is_unreadable(tmp_path, monkeypatch):
    write(tmp_path, "a.mp4", "b.mp4")
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith("b.mp4"))
    assert [video.reason for video in find_videos(str(tmp_path)).videos] == ["", "unreadable"]


def test_links_to_folders_are_followed_but_in_no_circle(tmp_path):
    write(tmp_path, "val/a/1.mp4", "other/b/2.mp4")
    (tmp_path / "val/b").symlink_to("../other/b")
    (tmp_path / "val/a/up").symlink_to("..")
    (tmp_path / "other/b/self").symlink_to(".")
    assert [video.path for video in find_videos(str(tmp_path / "val")).videos] == ["a/1.mp4", "b/2.mp4"]


def test_a_folder_is_left_out_by_whatever_path(tmp_path):
    write(tmp_path, "a/1.mp4", "new/2.mp4")
    (tmp_path / "link").symlink_to("new")
    found = find_videos(str(tmp_path), left_out=f"{tmp_path}/a/../link")
    assert [video.path for video in found.videos] == ["a/1.mp4"]


def test_folders_nested_deeper_than_the_stack(tmp_path):
    folder = tmp_path
    for _ in range(300):
        folder = folder / "deep"
    write(folder, "1.mp4")
    assert len(find_videos(str(tmp_path)).videos) == 1


def test_any_bytes_may_be_in_a_name(tmp_path):
    names = [b"\xff.mp4", b"a\nb.mp4", b" .mp4", b'"q".mp4', b"-.mp4"]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"x")
    assert {os.fsencode(video.path) for video in find_videos(str(tmp_path)).videos} == set(names)


@pytest.mark.parametrize(
    ("name", "cause"), [("none", "does not exist"), ("1.mp4", "Not a directory"), ("a\0b", "null")]
)
def test_what_is_no_folder_is_an_error(name, cause, tmp_path):
    write(tmp_path, "1.mp4")
    with pytest.raises(InputError, match=rf"^{re.escape(f'{tmp_path}/{name}')} .*{cause}.*; give a folder of videos"):
        find_videos(f"{tmp_path}/{name}")


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    write(tmp_path, "a/1.mp4", "b/2.mp4")
    scandir = os.scandir

    def forbid(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbid)
    with pytest.raises(InputError, match="/b cannot be read: Permission denied; give a folder of videos that you can"):
        find_videos(str(tmp_path))
