import pytest

from test.helpers import ROOT, with_keys
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import count_unlabelled, first_existing, read_list, read_videos, scan_list, split_row


def config(tmp_path, text, *opts):
    (tmp_path / "test.csv").write_bytes(text.encode())
    keys = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", "val"]
    return load_cfg(str(ROOT / "configs/X3D_S.yaml"), with_keys(keys, *opts))


def read(tmp_path, text, *opts):
    return read_list(config(tmp_path, text, *opts))


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
        ("a.mp4 400\n", r"1 line: the label is outside -1..399 \(MODEL.NUM_CLASSES 400\)\n  line 1: 'a.mp4 400'"),
        ("a.mp4 -2\n", "the label is outside"),
        ("a.mp4\n" * 30, r"bad lines: 30 of 30\n1 line: no label.*\n  line 1.*\n29 lines: (.*\n){6}  ... and 24 more"),
    ],
)
def test_bad_rows_are_named_by_cause(tmp_path, text, advice):
    with pytest.raises(ValueError, match=advice):
        read(tmp_path, text)


def test_a_missing_list_is_an_error_that_names_the_key(tmp_path):
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    with pytest.raises(ValueError, match=r"test.csv does not exist; set DATA.PATH_TO_DATA_DIR"):
        read_list(cfg)


def test_a_list_in_the_place_of_its_folder_is_named(tmp_path):
    (tmp_path / "test.csv").write_text("a.mp4 0\n")
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path / "test.csv")])
    with pytest.raises(ValueError, match=r"/test.csv is a file, no folder; set DATA.PATH_TO_DATA_DIR to the folder"):
        read_list(cfg)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "test.csv").mkdir()
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    with pytest.raises(ValueError, match=r"test.csv cannot be read: Is a directory"):
        read_list(cfg)


@pytest.mark.parametrize(
    ("row", "separator", "expected"),
    [
        ("a b.mp4 7", " ", ("a b.mp4", 7)),
        ("a.mp4 -1", " ", ("a.mp4", -1)),
        ("a.mp4\t0", "\t", ("a.mp4", 0)),
        ("a,b.mp4,3", ",", ("a,b.mp4", 3)),
        ("a.mp4::3", "::", ("a.mp4", 3)),
        ("a 'b'.mp4 3", " ", ("a 'b'.mp4", 3)),
        ("a.mp4 400", " ", ("a.mp4", 400)),
        ("a.mp4  3", " ", None),
        ("a.mp4, 3", " ", None),
        ("a.mp4 3 ", " ", None),
        ('"a.mp4" 3', " ", None),
        ("a.mp4,3", " ", None),
        ("a.mp4 1234567890", " ", None),
        ("  7", " ", None),
        ("7", " ", None),
        ("", " ", None),
    ],
)
def test_a_row_is_split_into_path_and_label(row, separator, expected):
    assert split_row(row, separator) == expected


def test_checking_a_list_lists_problems_and_repeated_paths(tmp_path):
    (tmp_path / "test.csv").write_text("a.mp4 1\nb.mp4\n./a.mp4 2\nc.mp4 0\n")
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    videos, bad_rows = scan_list(cfg)
    assert [(video.index, video.listed, video.label) for video in videos] == [
        (0, "a.mp4", 1),
        (2, "./a.mp4", 2),
        (3, "c.mp4", 0),
    ]
    assert [(row.index, row.text) for row in bad_rows] == [(1, "'b.mp4'"), (2, "'./a.mp4', as in line 1")]
    assert [row.problem for row in bad_rows][1] == "the path is listed before"


def test_rows_of_three_columns_are_bad_and_no_videos(tmp_path):
    videos, bad_rows = scan_list(config(tmp_path, "a.mp4 300 0\nb.mp4 250 1\n"))
    assert (videos, [row.index for row in bad_rows]) == ([], [0, 1])


def test_videos_are_warned_of_and_counted_that_have_no_label(tmp_path, caplog):
    (tmp_path / "b.mp4").touch()
    cfg = config(tmp_path, "a.mp4 0\nb.mp4 -1\nc.mp4 -1\n", "DATA.PATH_PREFIX", str(tmp_path))
    videos = read_videos(cfg)
    assert count_unlabelled(videos) == 2
    assert [record.message for record in caplog.records] == ["2 of 3 videos unlabelled (-1), left out of the accuracy"]


def test_a_list_none_of_whose_videos_exists_is_refused(tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "b.mp4").touch()
    cfg = config(tmp_path, "a.mp4 0\nb.mp4 1\n", "DATA.PATH_PREFIX", "")
    with pytest.raises(ValueError, match=f"DATA.PATH_PREFIX is empty; {tmp_path}/val/ holds"):
        read_videos(cfg)
    cfg = config(tmp_path, "a.mp4 0\nb.mp4 1\n", "DATA.PATH_PREFIX", f"{tmp_path}/val")
    assert len(read_videos(cfg)) == 2


def test_the_first_video_that_exists_is_found(tmp_path):
    videos = read(tmp_path, "a.mp4 0\nb.mp4 0\nc.mp4 0\n", "DATA.PATH_PREFIX", str(tmp_path))
    assert first_existing(videos) == ""
    for name in ("b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    assert first_existing(videos) == str(tmp_path / "b.mp4")


@pytest.mark.parametrize("row", [" " * 200_000 + "x", '"' * 200_000, "a,1" * 100_000, "a" * 200_000 + " 0"])
def test_a_row_without_end_is_named_at_once_and_shown_in_part(row, tmp_path):
    with pytest.raises(ValueError, match="1 line: longer than any path") as raised:
        read(tmp_path, f"a.mp4 1\n{row}\n")
    assert len(str(raised.value)) < 1000
