import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from x3d.storage.atomic import read_json, take_lock, write_all, write_json


def test_json_is_written_and_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2], "a": "ż"})
    assert read_json(tmp_path / "a.json") == {"a": "ż", "b": [1, 2]}
    assert (tmp_path / "a.json").read_text() == '{\n "a": "\\u017c",\n "b": [\n  1,\n  2\n ]\n}'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failing_replace_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"old": 1})

    def fail(source: Path, target: Path) -> None:
        assert json.loads(source.read_text()) == {"new": 1}
        raise OSError(errno.EIO, "failed")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="failed"):
        write_json(tmp_path / "a.json", {"new": 1})
    assert read_json(tmp_path / "a.json") == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_content_that_is_not_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert read_json(tmp_path / "a.json") == {"old": 1}


@pytest.mark.parametrize(("text", "problem"), [("{", "cannot be read"), ("[1]", "is not a JSON object")])
def test_other_content_is_rejected_with_the_file(text, problem, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"a.json {problem}"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"b.json cannot be read: .*No such file"):
        read_json(tmp_path / "b.json")


def test_short_writes_are_continued(tmp_path, monkeypatch):
    write, sizes = os.write, []

    def write_three(descriptor: int, data: memoryview) -> int:
        sizes.append(len(data))
        return write(descriptor, data[:3])

    monkeypatch.setattr(os, "write", write_three)
    with open(tmp_path / "a", "wb") as file:
        write_all(file.fileno(), b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    assert sizes == [10, 7, 4, 1]


def test_a_lock_excludes_others_until_it_is_closed(tmp_path):
    lock = take_lock(tmp_path / "lock")
    with pytest.raises(ValueError, match="lock is in use by another run; wait for it, or give another folder"):
        take_lock(tmp_path / "lock")
    os.close(lock)
    os.close(take_lock(tmp_path / "lock"))


def test_anyone_whom_the_umask_allows_may_write_a_lock(tmp_path):
    before = os.umask(0)
    try:
        os.close(take_lock(tmp_path / "lock"))
    finally:
        os.umask(before)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o666


def test_a_rejected_lock_leaves_no_descriptor_open(tmp_path):
    lock = take_lock(tmp_path / "lock")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match="in use"):
        take_lock(tmp_path / "lock")
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(lock)


def test_the_descriptor_of_a_lock_appends(tmp_path):
    (tmp_path / "lock").write_bytes(b"old ")
    lock = take_lock(tmp_path / "lock")
    os.write(lock, b"new")
    os.close(lock)
    assert (tmp_path / "lock").read_bytes() == b"old new"


def test_a_file_system_without_locks_is_warned_about(tmp_path, monkeypatch, caplog):
    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    descriptor = take_lock(tmp_path / "lock")
    os.write(descriptor, b"x")
    os.close(descriptor)
    assert f"{tmp_path / 'lock'} cannot be locked (No locks available)" in caplog.text
    assert "make sure that no other run writes there" in caplog.text
