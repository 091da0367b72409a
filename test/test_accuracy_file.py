"""The file of an accuracy: one of an earlier scoring is removed, one of the user is not."""

import errno
import json
from pathlib import Path

import pytest

from x3d.errors import InputError
from x3d.storage.accuracy_file import remove_accuracy, write_accuracy

OWN = {"expected_from": "test.csv", "conditions": {}}


def test_the_accuracy_of_an_earlier_scoring_is_removed(tmp_path):
    (tmp_path / "res").mkdir()
    path = write_accuracy(str(tmp_path / "res"), OWN)
    assert json.loads(path.read_text()) == OWN
    remove_accuracy(str(tmp_path / "res"))
    assert not path.exists()
    remove_accuracy(str(tmp_path / "res"))


@pytest.mark.parametrize("content", ["{}", "notes", '["expected_from", "conditions"]', '{"conditions": {}}'])
def test_a_file_of_the_user_stays(content, tmp_path):
    (tmp_path / "res").mkdir()
    path = tmp_path / "res_accuracy.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"res_accuracy.json is no file of this suite .*; move it elsewhere"):
        remove_accuracy(str(tmp_path / "res"))
    assert path.read_text() == content


@pytest.mark.parametrize("folder", ["none", "file", ""])
def test_nothing_is_removed_for_what_is_no_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for name in ("none", "file", ""):
        write_accuracy(name, OWN) if name else None
    remove_accuracy(folder)
    assert sorted(path.name for path in tmp_path.glob("*_accuracy.json")) == [
        "file_accuracy.json",
        "none_accuracy.json",
    ]


def test_an_accuracy_that_cannot_be_removed_is_in_a_folder_to_make_writable(tmp_path, monkeypatch):
    (tmp_path / "res").mkdir()
    write_accuracy(str(tmp_path / "res"), OWN)

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match="cannot be removed: Permission denied; make its folder writable, or score a"):
        remove_accuracy(str(tmp_path / "res"))


@pytest.mark.parametrize("folder", ["/", "//", "/.."])
def test_the_root_of_all_folders_has_no_accuracy(folder):
    with pytest.raises(InputError, match=f"^{folder} is no folder of a run: .*; give another folder$"):
        remove_accuracy(folder)
