"""A folder of an earlier run is emptied of its files; one of the user is not touched."""

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from test.helpers import ROOT
from x3d.errors import InputError
from x3d.storage.output_folder import open_output

NAMES = ("own.json", "table.csv")
KEYS = frozenset(["schema", "run"])


def opened(folder: Path, *inputs: Path) -> AbstractContextManager[Path]:
    return open_output(str(folder), NAMES, KEYS, [str(given) for given in inputs])


def open_once(folder: Path, *inputs: Path) -> None:
    with opened(folder, *inputs):
        pass


def test_a_new_folder_is_created(tmp_path):
    with opened(tmp_path / "a" / "b") as folder:
        assert folder == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_the_files_of_an_earlier_run_are_removed_and_no_others(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"schema": 1, "run": 2, "more": 3}))
    for name in ("table.csv", "notes.txt", ".table.csv.0123456789abcdef", ".hidden"):
        (tmp_path / name).touch()
    open_once(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "notes.txt"]


def test_a_folder_with_hidden_files_only_counts_as_empty(tmp_path):
    (tmp_path / ".own.json.0123456789abcdef").touch()
    open_once(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [None, "", "[1]", '{"schema": 1}'])
def test_a_folder_of_the_user_stays_as_it_is(content, tmp_path):
    (tmp_path / "table.csv").write_text("mine")
    if content is not None:
        (tmp_path / "own.json").write_text(content)
    match = "holds table.csv and no own.json; give" if content is None else "own.json is no file of this suite"
    with pytest.raises(InputError, match=match):
        open_once(tmp_path)
    assert (tmp_path / "table.csv").read_text() == "mine"


def test_the_file_that_marks_the_folder_is_removed_last(tmp_path, monkeypatch):
    (tmp_path / "own.json").write_text('{"schema": 1, "run": 2}')
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(InputError, match=r"^--output .*: .*; give another folder"):
        open_once(tmp_path)
    assert (tmp_path / "own.json").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^--output \S+file: File exists; give another folder"):
        open_once(tmp_path / "file")


def test_two_runs_do_not_write_one_folder(tmp_path):
    with opened(tmp_path) as folder:
        (folder / "own.json").write_text('{"schema": 1, "run": 2}')
        with pytest.raises(InputError, match="is in use by another run; wait for it, or give another folder"):
            open_once(tmp_path)
        assert (folder / "own.json").exists()
    assert os.listdir(tmp_path) == ["own.json"]
    open_once(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_killed_run_does_not_lock_the_folder(tmp_path):
    code = (
        "import os, sys; from x3d.storage.output_folder import open_output\n"
        "with open_output(sys.argv[1], ('own.json',), frozenset(), []): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    assert os.listdir(tmp_path) == [".own.json.lock"]
    open_once(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["eval", "eval/report", "link/a/b", "eval/../eval/x"])
def test_the_folder_of_a_run_is_left_alone(name, tmp_path):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "manifest.json").touch()
    (tmp_path / "link").symlink_to("eval")
    with pytest.raises(InputError, match="give another folder"):
        open_once(tmp_path / name, tmp_path / "other", tmp_path / "eval")
    assert os.listdir(tmp_path / "eval") == ["manifest.json"]


def test_a_folder_beside_or_above_a_run_is_used(tmp_path):
    (tmp_path / "eval").mkdir()
    open_once(tmp_path / "eval2", tmp_path / "eval")
    (tmp_path / "own.json").write_text('{"schema": 1, "run": 2}')
    open_once(tmp_path, tmp_path / "eval")
    assert sorted(os.listdir(tmp_path)) == ["eval", "eval2"]
