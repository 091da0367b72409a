import errno
import os

import pytest

from x3d.files import describe_content, describe_no_folder, open_regular, printable, read_regular, short_path


def test_a_regular_file_and_a_link_to_one_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    assert read_regular(tmp_path / "a") == read_regular(str(tmp_path / "link")) == b"content"


def test_a_pipe_does_not_block_and_a_folder_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"not a regular file: '.*/pipe'"):
        open_regular(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_regular(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_system(name):
    with pytest.raises(OSError, match="no name that a file can have") as raised:
        open_regular(name)
    assert raised.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-LFS"),
        (b"\n <!DOCTYPE html><html>", "HTML"),
        (b"ffconcat version 1.0\nfile 'a.mp4'\n", "ffconcat"),
        (b"#EXTM3U\n", "playlist"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"PK\x03\x04\0\0", "zip"),
        (b'\x10\x4e\0\0\0\0\0\0{"__metadata__":{', "safetensors"),
        (b"Fran\xc3\xa7ais\r\n\tmore", "text"),
        ("ż".encode() * 400, "text"),
        (b"\0\0\0\x20ftypisom", ""),
        (b"\x1aE\xdf\xa3 matroska", ""),
    ],
)
def test_a_file_is_named_by_its_first_bytes(head, name):
    found = describe_content(head)
    assert name in found
    assert bool(name) == bool(found)


def test_control_characters_are_escaped_and_text_stays():
    assert printable("a\x1b[31m\r\x07b\u202e żółw 亀\nnext") == "a\\x1b[31m\\r\\x07b\\u202e żółw 亀\nnext"
    assert printable("\udcff") == "\\udcff"


def test_a_path_below_the_current_folder_is_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "out" / "x.json") == "out/x.json"
    assert short_path(f"{tmp_path}_2/x.json") == f"{tmp_path}_2/x.json"
    assert short_path("out/x.json") == "out/x.json"


def test_what_is_no_folder_is_described(tmp_path):
    (tmp_path / "file").touch()
    assert describe_no_folder(f"{tmp_path}/file") == f"{tmp_path}/file is no folder"
    assert describe_no_folder(f"{tmp_path}/none") == f"{tmp_path}/none does not exist"
