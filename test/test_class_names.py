"""The names of the classes: Kinetics-400's, or those of DATA.CLASS_NAMES."""

import re
from pathlib import Path

import pytest

from x3d.config.loading import get_cfg
from x3d.dataset import class_names
from x3d.dataset.class_names import ClassNames, kinetics400_names, normalise, read_names
from x3d.errors import InputError


def names_of(path: Path | str, num_classes: int) -> ClassNames:
    cfg = get_cfg()
    cfg.DATA.CLASS_NAMES, cfg.MODEL.NUM_CLASSES = str(path), num_classes
    return ClassNames.from_cfg(cfg)


def test_kinetics_classes_have_their_names():
    names = names_of("", 400)
    assert names.source == "Kinetics-400"
    assert (names.name(0), names.name(2), names.name(399)) == ("abseiling", "answering questions", "zumba")
    assert names.names == sorted(set(names.names or []))


def test_a_changed_file_of_kinetics_names_is_rejected(tmp_path, monkeypatch):
    path = tmp_path / "kinetics400_names.txt"
    path.write_text("\n".join(reversed(kinetics400_names())))
    monkeypatch.setattr(class_names, "KINETICS400", path)
    with pytest.raises(InputError, match=r"kinetics400_names\.txt was changed; install the package again"):
        names_of("", 400)


def test_without_a_file_the_classes_of_another_set_have_numbers():
    names = names_of("", 16)
    assert (names.names, names.source, names.name(7)) == (None, "not known", "class 7")


@pytest.mark.parametrize(
    "content",
    ["a b\nc\nd\n", "\ufeffa b\nc\nd", "a b\r\nc\r\nd\r\n\r\n", " a b \nc\t\nd\n\n \n", "a b\rc\rd\r"],
    ids=["plain", "mark", "Windows", "spaces", "old Mac"],
)
def test_a_file_has_a_name_per_line(content, tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes(content.encode())
    names = names_of(path, 3)
    assert (names.names, names.source) == (["a b", "c", "d"], str(path))


def test_a_file_goes_before_kinetics(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("".join(f"class of mine {number}\n" for number in range(400)))
    assert names_of(path, 400).name(3) == "class of mine 3"


def test_any_character_is_read_and_control_characters_are_escaped_where_shown(tmp_path):
    path = tmp_path / "classes.txt"
    raw = ["<b>&", '=1+"2"', "跳\u2028舞", "\x1b[31mred"]
    path.write_text("\n".join(raw), encoding="utf-8")
    names = names_of(path, 4)
    assert names.names == raw
    assert [names.name(number) for number in range(4)] == [*raw[:2], r"跳\u2028舞", r"\x1b[31mred"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\nb\n", "has 2 lines and MODEL.NUM_CLASSES is 3; give one name per class"),
        (b"a\nb\nc\nd\n", "has 4 lines and MODEL.NUM_CLASSES is 3"),
        (b"", "has 0 lines and MODEL.NUM_CLASSES is 3"),
        (b"a\n\nb\n", "has no name in line 2;"),
        (b"a\nb\n a\n", "has names twice: a in lines 1 and 3;"),
        (b"\x1b\nb\n\x1b\n", r"has names twice: \x1b in lines 1 and 3;"),
        (b"a\nb\xe9\nc\n", "is not UTF-8 in line 2 (byte 0xe9); if it is Latin-1, convert it: iconv"),
        ("a\nb\nc\n".encode("utf-16"), "is UTF-16, not UTF-8; convert it: iconv"),
        (b"PK\x03\x04", "is no list of class names: it is a zip archive"),
        (None, "does not exist; give a file with a name per line"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it_and_the_key(content, problem, tmp_path):
    path = tmp_path / "classes.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^DATA\.CLASS_NAMES {re.escape(f'{path} {problem}')}"):
        read_names(str(path), 3)


def test_a_folder_is_an_error_that_names_the_key(tmp_path):
    with pytest.raises(
        InputError, match=r"^DATA\.CLASS_NAMES .* cannot be read: Is a directory; give a file that you can read$"
    ):
        read_names(str(tmp_path), 3)


@pytest.mark.parametrize(
    "spelling",
    [
        "hurling (sport)",
        "hurling_(sport)",
        "hurling_-sport-",
        "hurling sport",
        '"hurling (sport)"',
        "Hurling (Sport)",
        " hurling  (sport)\t",
        "hurling__sport_",
    ],
)
def test_a_class_is_found_by_every_spelling(spelling):
    assert names_of("", 400).find(spelling) == kinetics400_names().index("hurling (sport)")


def test_every_name_of_kinetics_is_found_in_its_normalised_form():
    names = kinetics400_names()
    forms = [normalise(name) for name in names]
    assert len(set(forms)) == 400
    assert [names_of("", 400).find(form) for form in forms] == list(range(400))
    assert all(re.fullmatch("[a-z0-9]+", form) for form in forms)


@pytest.mark.parametrize("name", ["", "val_256", "hurling", "hurling (sport) 2", "舞", "..."])
def test_another_name_is_none_of_the_classes(name):
    assert names_of("", 400).find(name) is None


def test_names_that_are_equal_when_normalised_are_found_as_they_are(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("push up\npush-up\n跳舞\n唱歌\nsit up\n", encoding="utf-8")
    names = names_of(path, 5)
    assert [names.find(name) for name in ("push up", "push-up", "跳舞", "唱歌", "Sit_Up")] == [0, 1, 2, 3, 4]
    assert [names.find(name) for name in ("pushup", "")] == [None, None]


def test_letters_of_other_languages_distinguish_classes_and_may_be_decomposed(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("舞 A\nCafé\nनृत्य\n", encoding="utf-8")
    names = names_of(path, 3)
    assert [names.find(name) for name in ("舞_a", "Cafe\u0301", "CAFÉ", "नृत्य_")] == [0, 1, 1, 2]
    assert [names.find(name) for name in ("泳 A", "a", "caf", "नतय")] == [None] * 4


def test_without_names_nothing_is_found():
    assert names_of("", 16).find("abseiling") is None
