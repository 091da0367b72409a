"""A list and its ledger: what they hold, and which files they replace."""

import csv
import hashlib
import logging
from pathlib import Path

import pytest

from x3d.errors import InputError
from x3d.storage import list_file
from x3d.storage.list_file import LedgerRow, State, ledger_path, write_list

OLD, NEW = b"a.mp4 0\n", b"b.mp4 1\n"


def rows_of(path: Path) -> list[list[str]]:
    with open(ledger_path(path), newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_ledger_records_the_list_and_holds_no_formula(tmp_path):
    path = tmp_path / "new" / "deep" / "test.csv"
    rows = [LedgerRow(State.FOUND, "-a.mp4", 3, "=x"), LedgerRow(State.IGNORED, "*.txt", detail="@\n\x1b2 files")]
    write_list(path, OLD, rows, "1 video of val")
    assert path.read_bytes() == OLD
    assert rows_of(path) == [
        ["state", "path", "label", "class", "detail"],
        ["list", "test.csv", "", "", f"sha256:{hashlib.sha256(OLD).hexdigest()} 1 video of val"],
        ["found", "./-a.mp4", "3", "'=x", ""],
        ["ignored", "*.txt", "", "", r"'@\n\x1b2 files"],
    ]
    assert {entry.name for entry in path.parent.iterdir()} == {"test.csv", "test.ledger.csv"}


def test_a_list_of_this_suite_is_replaced(tmp_path):
    path = tmp_path / "test.csv"
    write_list(path, OLD, [], "one")
    write_list(path, NEW, [], "two")
    assert path.read_bytes() == NEW
    assert rows_of(path)[1][-1].endswith(" two")
    path.unlink()
    write_list(path, OLD, [], "three")


def test_what_a_list_replaces_is_logged(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "test.csv"
    write_list(path, OLD, [], "1 video of val, seed 0")
    write_list(path, OLD, [], "1 video of val, seed 3")
    assert caplog.messages == []
    write_list(path, NEW, [], "1 video of train, seed 0")
    assert caplog.messages == [f"replaces {path}: 1 video of val, seed 3"]
    path.unlink()
    write_list(path, OLD, [], "1 video of val")
    assert len(caplog.messages) == 1


def test_a_list_of_another_origin_or_an_edited_one_stays(tmp_path):
    path = tmp_path / "test.csv"
    path.write_bytes(OLD)
    with pytest.raises(
        InputError, match=r"test\.csv exists with other rows, and is not as x3d_list\.py wrote it; move"
    ):
        write_list(path, NEW, [], "two")
    assert not ledger_path(path).exists()
    write_list(path, OLD, [], "the same rows")
    path.write_bytes(OLD + NEW)
    with pytest.raises(InputError, match="exists with other rows"):
        write_list(path, NEW, [], "two")
    assert path.read_bytes() == OLD + NEW


@pytest.mark.parametrize(
    "content", [b"", b"mine", b"state,path\n1,2\n", b"\xff\n\n", b"state,path,label,class,detail\n"]
)
def test_a_file_with_the_name_of_the_ledger_stays(content, tmp_path):
    path = tmp_path / "test.csv"
    ledger_path(path).write_bytes(content)
    with pytest.raises(InputError, match=r"test\.ledger\.csv is no ledger of test\.csv and would be replaced; move it"):
        write_list(path, NEW, [], "two")
    assert (ledger_path(path).read_bytes(), path.exists()) == (content, False)


def test_the_ledger_of_another_list_stays(tmp_path):
    write_list(tmp_path / "val.csv", OLD, [], "one")
    with pytest.raises(InputError, match=r"val\.ledger\.csv is no ledger of val\.txt and would be replaced"):
        write_list(tmp_path / "val.txt", NEW, [], "two")
    write_list(tmp_path / "val.csv", NEW, [], "three")


def test_what_cannot_be_replaced_or_written_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be replaced: Is a directory; give another --output"):
        write_list(tmp_path, NEW, [], "two")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.* cannot be written: .*; give another --output"):
        write_list(tmp_path / "file" / "test.csv", NEW, [], "two")


def test_a_run_that_ends_between_list_and_ledger_can_be_repeated(tmp_path, monkeypatch):
    path = tmp_path / "test.csv"
    write_list(path, OLD, [], "one")

    def fail(*_):
        raise OSError(28, "No space left on device", "test.ledger.csv")

    monkeypatch.setattr(list_file, "write_csv", fail)
    with pytest.raises(InputError, match="No space left on device; give another"):
        write_list(path, NEW, [], "two")
    monkeypatch.undo()
    write_list(path, NEW, [], "two")
    assert rows_of(path)[1][-1].startswith(f"sha256:{hashlib.sha256(NEW).hexdigest()}")


def test_states_that_leave_an_expected_video_out_are_problems():
    assert [state for state in State if not state.is_problem] == ["found", "replaced", "unlisted", "ignored"]
