import pytest

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import read_list
from x3d.dataset.naming import Shard, parse_view_stem, view_stem


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
        ("", "is empty; it needs a line"),
        ("path label\na.mp4 1\n", r"1 bad lines of 2\nline 1: no whole number .*header"),
        ("a.mp4,1\n", "set DATA.PATH_LABEL_SEPARATOR to ','"),
        ("a.mp4 400\n", "label 400 is outside -1..399"),
        ("a.mp4 -2\n", "label -2 is outside"),
        ("5\n", "line 1: a label without a path"),
        ("a.mp4 1\n\nb.mp4 1\n", "line 2: an empty line"),
        ("a.mp4\n" * 30, r"30 bad lines.*\n(.*\n){20}... and 10 more"),
    ],
)
def test_bad_rows_are_all_named(tmp_path, text, advice):
    with pytest.raises(ValueError, match=advice):
        read(tmp_path, text)


def test_a_missing_list_says_which_key_to_set(tmp_path):
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["DATA.PATH_TO_DATA_DIR", str(tmp_path)])
    with pytest.raises(ValueError, match=r"test.csv is not there; set DATA.PATH_TO_DATA_DIR"):
        read_list(cfg)


def test_a_name_gives_back_view_and_label():
    assert view_stem(61, 7) == "61_7"
    assert [parse_view_stem(stem) for stem in ("61_7", "0_-1", "61", "a_7", "61_7_0")] == [
        (61, 7),
        (0, -1),
        None,
        None,
        None,
    ]


def test_shards_part_the_list_and_keep_its_indices(tmp_path):
    videos = read(tmp_path, "".join(f"{n}.mp4 0\n" for n in range(7)))
    parts = [Shard(i, 3).select(videos) for i in range(3)]
    assert [[v.index for v in part] for part in parts] == [[0, 3, 6], [1, 4], [2, 5]]
