import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from x3d.storage.atomic import is_locked, remove_leftovers, take_lock, write_all, write_json


def test_json_is_written(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2], "a": "ż"})
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
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_content_that_is_not_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}


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
    message = (
        "lock is in use by another run, which is writing there: delete nothing, wait for it, or give another folder"
    )
    with pytest.raises(ValueError, match=f"{message}$"):
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


def test_a_lock_that_is_only_looked_at_is_waited_for(tmp_path, monkeypatch):
    os.close(take_lock(tmp_path / "lock"))
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("x3d.storage.atomic.time.sleep", lambda seconds: os.close(looking))
    lock = take_lock(tmp_path / "lock")
    assert is_locked(tmp_path / "lock")
    os.close(lock)
    assert not is_locked(tmp_path / "lock")


def test_a_lock_that_is_looked_at_for_ever_is_in_use(tmp_path, monkeypatch):
    looking = os.open(tmp_path / "lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("x3d.storage.atomic.MAX_ATTEMPTS", 3)
    with pytest.raises(ValueError, match="in use by another run"):
        take_lock(tmp_path / "lock")
    os.close(looking)


def test_only_what_a_killed_replacement_left_is_removed(tmp_path):
    kept = [
        ".a.json.0123456789abcde",
        ".a.json.0123456789abcdeg",
        ".b.json.0123456789abcdef",
        "a.json",
        ".axjson." + "0" * 16,
    ]
    for name in [*kept, ".a.json.0123456789abcdef", ".a.json." + "f" * 16]:
        (tmp_path / name).touch()
    (tmp_path / (".a.json." + "1" * 16)).mkdir()
    (tmp_path / (".a.json." + "2" * 16)).symlink_to("a.json")
    remove_leftovers(tmp_path / "a.json")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, ".a.json." + "1" * 16, ".a.json." + "2" * 16}
