import csv
from pathlib import Path

import pytest

from x3d.errors import InputError
from x3d.storage.csv_file import check_csv, path_cell, text_cell, value_cell, write_csv


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(start):
    assert text_cell(f"{start}1+1") == f"'{start}1+1"
    assert path_cell(f"{start}1+1.mp4") == f"./{start}1+1.mp4"


def test_numbers_have_six_digits_and_texts_are_no_formula():
    values = (1 / 3, 123456789, "=1", None, True)
    assert [value_cell(value) for value in values] == ["0.333333", 123456789, "'=1", None, True]


def test_other_texts_stay():
    for text in ("a-b", "air drumming/-x.mp4", "/data/=a.mp4", "", 'Größe, "x"; 1'):
        assert (text_cell(text), path_cell(text)) == (text, text)


def test_control_characters_and_newlines_are_escaped():
    assert text_cell("a\x1b[2J\nb\u202ec") == r"a\x1b[2J\nb\u202ec"
    assert path_cell("\t=a\n.mp4") == r"\t=a\n.mp4"
    assert path_cell("a\udcff.mp4") == r"a\udcff.mp4"


def test_rows_are_read_back(tmp_path):
    rows = [["path", "n"], ['a,"b";c.mp4', 1], ["ä", None]]
    write_csv(tmp_path / "a.csv", rows)
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["path", "n"], ['a,"b";c.mp4', "1"], ["ä", ""]]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    write_csv(tmp_path / "a.csv", [["old"]])
    monkeypatch.setattr("x3d.storage.csv_file.write_all", fail)
    with pytest.raises(OSError, match="No space left") as raised:
        write_csv(tmp_path / "a.csv", [["new"]])
    assert raised.value.filename == str(tmp_path / "a.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old\n"]


def test_a_csv_is_replaced_only_by_one_with_the_same_columns(tmp_path):
    path, columns = tmp_path / "a.csv", ("path", "label")
    check_csv(path, columns, "check", "run elsewhere")
    write_csv(path, [columns, ["a.mp4", 1]])
    check_csv(path, columns, "check", "run elsewhere")
    for others in (("path", "n"), ("label",)):
        with pytest.raises(
            InputError, match=r"a\.csv is another file than the csv of an earlier check; move it, or run e"
        ):
            check_csv(path, others, "check", "run elsewhere")
    with pytest.raises(InputError, match=r"b\.csv cannot be written in .*none; run elsewhere"):
        check_csv(tmp_path / "none" / "b.csv", columns, "check", "run elsewhere")
