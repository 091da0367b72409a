"""Which value of DATA.PATH_PREFIX is named when none of the listed videos exists."""

import pytest

from x3d.dataset.prefix import explain_prefix

LISTED = ["air drumming/a.mp4", "zumba/b.mp4"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with its videos in val/, seen from the folder above it."""
    for path in LISTED:
        (tmp_path / "Kinetics-400" / "val" / path).parent.mkdir(parents=True)
        (tmp_path / "Kinetics-400" / "val" / path).touch()
    (tmp_path / "Kinetics-400" / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("prefix", "listed", "text"),
    [
        ("", LISTED, "DATA.PATH_PREFIX is empty; Kinetics-400/val/ holds them: set DATA.PATH_PREFIX"),
        ("Kinetics-400", LISTED, "is Kinetics-400; Kinetics-400/val/ holds"),
        ("Kinetics-400/empty/", LISTED, "is Kinetics-400/empty/; Kinetics-400/val/ holds"),
        ("Kinetics-400/val/val", LISTED, "is Kinetics-400/val/val; Kinetics-400/val/ holds"),
        ("nowhere", LISTED, "is nowhere; Kinetics-400/val/ holds"),
        ("Kinetics-400/val", [f"val/{path}" for path in LISTED], "is Kinetics-400/val; Kinetics-400/ holds"),
        ("Kinetics-400/val/zumba", LISTED, "Kinetics-400/val/ holds"),
        (
            "x",
            [f"Kinetics-400/val/{path}" for path in LISTED],
            "the paths of the list exist without it: set .* ''",
        ),
        ("x/y", ["c.mp4"], "no listed video exists, such as x/y/c.mp4: DATA.PATH_PREFIX is x/y; set it"),
        ("", ["c.mp4"], "such as c.mp4: DATA.PATH_PREFIX is empty; set it"),
    ],
)
def test_the_folder_that_holds_the_videos_is_named(prefix, listed, text, data):
    found = explain_prefix(prefix, listed, "Kinetics-400/")
    with pytest.raises(ValueError, match=text):
        raise ValueError(found)


def test_a_value_with_spaces_is_quoted_for_the_shell(data):
    (data / "Kinetics-400").rename(data / "my data")
    assert explain_prefix("", LISTED, "my data").endswith("set DATA.PATH_PREFIX 'my data/val/'")


def test_the_folder_that_holds_most_of_a_sample_is_named(data):
    (data / "Kinetics-400" / "empty" / "zumba").mkdir()
    (data / "Kinetics-400" / "empty" / "zumba" / "b.mp4").touch()
    assert "Kinetics-400/val/ holds" in explain_prefix("", LISTED, "Kinetics-400")
    many = [LISTED[1]] + [f"{number}.mp4" for number in range(20_000)]
    assert "Kinetics-400/empty/ holds" in explain_prefix("", many, "Kinetics-400")


def test_all_folders_above_the_prefix_are_tried(data):
    listed = [f"val/{path}" for path in LISTED]
    assert "Kinetics-400/ holds" in explain_prefix("Kinetics-400/val/zumba", listed, "elsewhere")
