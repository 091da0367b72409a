import os

import pytest

from x3d.storage.scratch import locked_scratch


def test_a_scratch_folder_is_private_and_removed_with_its_lock(tmp_path):
    with locked_scratch(tmp_path / ".lock") as scratch:
        (scratch / "part").touch()
        assert scratch.parent == tmp_path
        assert scratch.stat().st_mode & 0o077 == 0
        with pytest.raises(ValueError, match=r"\.lock is in use by another run"), locked_scratch(tmp_path / ".lock"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    left = tmp_path / ".scratch-abcdefgh"
    other = tmp_path / ".scratch-12345678"
    for folder in (left, other):
        folder.mkdir()
        (folder / "file").touch()
    (tmp_path / ".lock").write_text(left.name)
    with locked_scratch(tmp_path / ".lock"):
        assert not left.exists()
        assert other.exists()


@pytest.mark.parametrize("name", ["../victim", "victim", ".scratch-abcdefgh"])
def test_a_lock_that_records_another_folder_or_a_link_removes_nothing(tmp_path, name):
    victim = tmp_path / "victim"
    (victim / "precious").mkdir(parents=True)
    folder = tmp_path / "views"
    folder.mkdir()
    (folder / ".scratch-abcdefgh").symlink_to(victim)
    (folder / ".lock").write_text(name)
    with locked_scratch(folder / ".lock"):
        pass
    assert (victim / "precious").is_dir()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / ".lock").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"), locked_scratch(tmp_path / ".lock"):
        pass
    assert os.path.getsize(tmp_path / "target") == 0


def test_locks_and_folders_of_killed_runs_under_other_names_are_removed_too(tmp_path):
    (tmp_path / ".scratch-abcdefgh").mkdir()
    (tmp_path / ".old.lock").write_text(".scratch-abcdefgh")
    (tmp_path / ".foreign.lock").write_text("pid 17")
    with locked_scratch(tmp_path / ".running.lock") as running:
        with locked_scratch(tmp_path / ".new.lock"):
            assert running.is_dir()
        assert {path.name for path in tmp_path.iterdir()} == {".running.lock", ".foreign.lock", running.name}
    assert [path.name for path in tmp_path.iterdir()] == [".foreign.lock"]
