import pytest

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import first_existing, read_list, scan_list, split_row


def read(tmp_path, text, *opts):
    (tmp_path / "test.csv").write_bytes(text.encode())
    opts = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", "val", *opts]
    return read_list(load_cfg(str(ROOT / "configs/X3D_S.yaml"), opts))


def test_rows_are_split_at_the_last_separator(tmp_path):
    videos = read(tmp_path, "ice skating/a b.mp4 7\r\nżółw/'q'.mp4 -1\n\n")
    assert [(v.index, v.path, v.label) for v in videos] == [
        (0, "val/ice skating/a b.mp4", 7),
        (1, "val/żółw/'q'.mp4", -1),
    ]


def test_a_byte_order_mark_and_another_separator_are_read(tmp_path):
    assert read(tmp_path, "\ufeffa,b.mp4,3\n", "DATA.PATH_LABEL_SEPARATOR", ",")[0].path == "val/a,b.mp4"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "is empty; each line holds"),
        ("path label\na.mp4 1\n", r"bad lines: 1 of 2\nline 1: no whole number .*header"),
        ("a.mp4,1\n", "set DATA.PATH_LABEL_SEPARATOR to ','"),
        ("a.mp4 400\n", "label 400 is outside -1..399"),
        ("a.mp4 -2\n", "label -2 is outside"),
        ("5\n", "line 1: a label without a path"),
        ("a.mp4 1\n\nb.mp4 1\n", "line 2: an empty line"),
        ("a.mp4\n" * 30, r"bad lines: 30 of 30\n(.*\n){20}... and 10 more"),
    ],
)
def test_bad_rows_are_all_named(tmp_path, text, advice):
    with pytest.raises(ValueError, match=advice):
        read(tmp_path, text)


def test_a_missing_list_is_an_error_that_names_the_key(tmp_path):
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    with pytest.raises(ValueError, match=r"test.csv does not exist; set DATA.PATH_TO_DATA_DIR"):
        read_list(cfg)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "test.csv").write_bytes(b"\xff.mp4 1\n")
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    with pytest.raises(ValueError, match=r"test.csv cannot be read: 'utf-8' codec"):
        read_list(cfg)


@pytest.mark.parametrize(
    ("line", "separator", "expected"),
    [
        ("a b.mp4 7", " ", ("a b.mp4", 7, "")),
        ("a.mp4 -1", " ", ("a.mp4", -1, "")),
        ("a.mp4 399", " ", ("a.mp4", 399, "")),
        ("a.mp4\t0", "\t", ("a.mp4", 0, "")),
        ("a.mp4 400", " ", ("a.mp4", 400, "label 400 is outside -1..399 (MODEL.NUM_CLASSES 400)")),
        (
            "a.mp4 1234567890",
            " ",
            ("a.mp4 1234567890", -1, "no whole number after the last ' ', so no label (a header?)"),
        ),
        ("  7", " ", ("  7", -1, "a label without a path")),
        ("7", " ", ("7", -1, "a label without a path")),
        ("  ", " ", ("  ", -1, "an empty line")),
        ("a.mp4\t7", " ", ("a.mp4\t7", -1, "no label after ' '; for this list set DATA.PATH_LABEL_SEPARATOR to '\\t'")),
        ("a.mp4,-1", " ", ("a.mp4,-1", -1, "no label after ' '; for this list set DATA.PATH_LABEL_SEPARATOR to ','")),
        ("a.mp4,x7", " ", ("a.mp4,x7", -1, "no whole number after the last ' ', so no label (a header?)")),
        ("a.mp4, 7", ",", ("a.mp4, 7", -1, "no label after ','; for this list set DATA.PATH_LABEL_SEPARATOR to ' '")),
    ],
)
def test_a_row_is_split_into_path_and_label(line, separator, expected):
    assert split_row(line, separator, 400) == expected


def test_checking_a_list_lists_problems_and_repeated_paths(tmp_path):
    (tmp_path / "test.csv").write_text("a.mp4 1\nb.mp4\n./a.mp4 2\nc.mp4 0\n")
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    videos, problems = scan_list(cfg)
    assert [(video.index, video.listed, video.label) for video in videos] == [
        (0, "a.mp4", 1),
        (2, "./a.mp4", 2),
        (3, "c.mp4", 0),
    ]
    assert problems == [
        "line 2: no whole number after the last ' ', so no label (a header?): 'b.mp4'",
        "line 3: listed before in line 1: './a.mp4'",
    ]


def test_the_first_video_that_exists_is_found(tmp_path):
    videos = read(tmp_path, "a.mp4 0\nb.mp4 0\nc.mp4 0\n", "DATA.PATH_PREFIX", str(tmp_path))
    assert first_existing(videos) == ""
    for name in ("b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    assert first_existing(videos) == str(tmp_path / "b.mp4")
