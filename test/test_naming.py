"""Names of views and results, and which shard owns a video."""

import pytest

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import split_row
from x3d.dataset.naming import Shard, parse_result_name, result_stem, views_per_video


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("37_3_0.bin", (37, 3)),
        ("0_-1_0.npy", (0, -1)),
        ("12_399_0.txt", (12, 399)),
        ("37_3_1.bin", None),
        ("37_3_0.binX", None),
        ("37_3_0.csv", None),
        ("37_3.bin", None),
        ("x37_3_0.bin", None),
    ],
)
def test_a_results_name_gives_view_and_label(name, expected):
    assert parse_result_name(name) == expected


def test_a_result_is_named_after_its_view():
    assert result_stem("some/37.d/37_3.npy") == "37_3"


def test_shards_own_every_video_once():
    assert [[index for index in range(7) if Shard(number, 3).owns(index)] for number in range(3)] == [
        [0, 3, 6],
        [1, 4],
        [2, 5],
    ]
    assert all(Shard().owns(index) for index in range(5))


def test_views_of_a_video_are_clips_times_crops():
    assert views_per_video(load_cfg(str(ROOT / "configs/X3D_S.yaml"), ["TEST.NUM_ENSEMBLE_VIEWS", "4"])) == 12


@pytest.mark.parametrize("row", ["   5", " 5"])
def test_a_label_after_blanks_only_has_no_path(row):
    assert split_row(row, " ", 9)[2] == "a label without a path"
