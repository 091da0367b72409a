"""The videos that --input names."""

import os

import pytest

from x3d.dataset.annotations import UNLABELLED, Video
from x3d.dataset.input_videos import find_input_videos
from x3d.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with files that are named relative to it."""
    for name in ("a.mp4", "b.mp4", "c,d.mp4", "sub/deep/e.MKV", "sub/f.webm", "sub/notes.txt", "sub/.hidden.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.mp4", ["a.mp4"]),
        ("b.mp4,a.mp4", ["b.mp4", "a.mp4"]),
        ("c,d.mp4", ["c,d.mp4"]),
        ("a.mp4,c,d.mp4,b.mp4", ["a.mp4", "c,d.mp4", "b.mp4"]),
        ("sub", ["sub/deep/e.MKV", "sub/f.webm"]),
        ("sub/,a.mp4", ["sub/deep/e.MKV", "sub/f.webm", "a.mp4"]),
        ("sub/f.webm,sub", ["sub/f.webm", "sub/deep/e.MKV"]),
        ("a.mp4,./a.mp4", ["a.mp4"]),
        ("sub/notes.txt", ["sub/notes.txt"]),
    ],
)
def test_files_folders_and_lists_of_them_give_each_video_once(text, paths, folder):
    assert find_input_videos(text) == [Video(index, path, path, UNLABELLED) for index, path in enumerate(paths)]


def test_a_file_that_is_named_like_a_list_is_preferred(folder):
    (folder / "a.mp4,b.mp4").write_bytes(b"content")
    assert [video.path for video in find_input_videos("a.mp4,b.mp4")] == ["a.mp4,b.mp4"]
    os.unlink("a.mp4,b.mp4")
    assert [video.path for video in find_input_videos("a.mp4,b.mp4")] == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none.mp4", "--input none.mp4 does not exist; give video files or folders of them"),
        ("a.mp4,none.mp4,b.mp4", "--input none.mp4 does not exist"),
        ("", "--input '' does not exist"),
        ("a.mp4,,b.mp4", "--input '' does not exist"),
        ("empty", "--input empty holds no file with the suffix of a video; name the files"),
    ],
)
def test_what_does_not_exist_is_named(text, message, folder):
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find_input_videos(text)
