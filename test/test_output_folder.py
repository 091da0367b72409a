"""A folder of an earlier run is emptied of its files; one of the user is not touched."""

import json
import os

import pytest

from x3d.errors import InputError
from x3d.storage.output_folder import open_output

NAMES = ("own.json", "table.csv")
KEYS = frozenset(["schema", "run"])


def test_a_new_folder_is_created(tmp_path):
    with open_output(str(tmp_path / "a" / "b"), NAMES, KEYS) as folder:
        assert folder == tmp_path / "a" / "b"
        (folder / NAMES[0]).touch()
    assert os.listdir(tmp_path / "a" / "b") == [NAMES[0]]


def test_the_files_of_an_earlier_run_are_removed_and_no_others(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"schema": 1, "run": 2, "more": 3}))
    for name in ("table.csv", "notes.txt", ".table.csv.0123456789abcdef", ".hidden"):
        (tmp_path / name).touch()
    with open_output(str(tmp_path), NAMES, KEYS):
        pass
    assert sorted(os.listdir(tmp_path)) == [".hidden", "notes.txt"]


def test_a_folder_with_hidden_files_only_counts_as_empty(tmp_path):
    (tmp_path / ".own.json.0123456789abcdef").touch()
    with open_output(str(tmp_path), NAMES, KEYS):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [None, "", "[1]", '{"schema": 1}'])
def test_a_folder_of_the_user_stays_as_it_is(content, tmp_path):
    (tmp_path / "table.csv").write_text("mine")
    if content is not None:
        (tmp_path / "own.json").write_text(content)
    match = "holds table.csv and no own.json; give" if content is None else "own.json is no file of this suite"
    with pytest.raises(InputError, match=match), open_output(str(tmp_path), NAMES, KEYS):
        pass
    assert (tmp_path / "table.csv").read_text() == "mine"


def test_the_file_that_marks_the_folder_is_removed_last(tmp_path, monkeypatch):
    (tmp_path / "own.json").write_text('{"schema": 1, "run": 2}')
    (tmp_path / "table.csv").mkdir()
    with (
        pytest.raises(InputError, match=r"^--output .*: .*; give another folder"),
        open_output(str(tmp_path), NAMES, KEYS),
    ):
        pass
    assert (tmp_path / "own.json").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"^--output \S+file: File exists; give another folder"),
        open_output(str(tmp_path / "file"), NAMES, KEYS),
    ):
        pass


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with open_output(str(tmp_path), NAMES, KEYS):
        (tmp_path / "table.csv").write_text("of the first")
        with pytest.raises(InputError, match="is in use by another run, which is writing there: delete"):
            open_output(str(tmp_path), NAMES, KEYS).__enter__()
        assert (tmp_path / "table.csv").read_text() == "of the first"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_an_error_of_the_block_is_not_one_of_the_folder(tmp_path):
    with pytest.raises(OSError, match="full"), open_output(str(tmp_path), NAMES, KEYS):
        raise OSError("full")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("inside", [".", "report", "a/../report"])
def test_a_folder_within_that_of_a_run_is_rejected(inside, tmp_path):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "0_0_0.bin").touch()
    output = str(tmp_path / "eval" / inside)
    match = "lies in .*eval, which holds nothing but a run; give another folder"
    with pytest.raises(InputError, match=match), open_output(output, NAMES, KEYS, ("", str(tmp_path / "eval"))):
        pass
    assert os.listdir(tmp_path / "eval") == ["0_0_0.bin"]
    with open_output(str(tmp_path / "eval2"), NAMES, KEYS, ("", str(tmp_path / "eval"))) as folder:
        assert folder.is_dir()


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_results_is_rejected_for_that_and_not_for_the_output_in_it(exists, tmp_path):
    if exists:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes.txt").touch()
    run = str(tmp_path / "mine")
    with (
        pytest.raises(
            InputError, match=r"^/.*/mine holds no results; give the folder that x3d_evaluate.py, .* outside of it"
        ),
        open_output(f"{run}/report", NAMES, KEYS, (run,)),
    ):
        pass
    assert not (tmp_path / "mine" / "report").exists()


def write_and_fail(folder):
    (folder / NAMES[0]).write_text("{}")
    raise FileNotFoundError


def test_a_new_folder_is_removed_if_nothing_is_written_to_it(tmp_path):
    (tmp_path / "kept").mkdir()
    for name in ("kept", "new", "a/b"):
        with pytest.raises(InputError, match="rejected"), open_output(str(tmp_path / name), NAMES, KEYS):
            raise InputError("rejected")
    assert os.listdir(tmp_path) == ["kept"]
    with pytest.raises(FileNotFoundError), open_output(str(tmp_path / "new"), NAMES, KEYS) as folder:
        write_and_fail(folder)
    assert os.listdir(tmp_path / "new") == [NAMES[0]]
