from types import SimpleNamespace

import pytest

from x3d.dataset.naming import (
    VIEW_SUFFIXES,
    WHOLE,
    Shard,
    parse_result_name,
    parse_view_stem,
    result_stem,
    view_stem,
    views_per_video,
)


def test_views_per_video_are_clips_times_crops():
    cfg = SimpleNamespace(TEST=SimpleNamespace(NUM_ENSEMBLE_VIEWS=10, NUM_SPATIAL_CROPS=3))
    assert views_per_video(cfg) == 30


@pytest.mark.parametrize(("view", "label", "stem"), [(61, 7, "61_7"), (0, -1, "0_-1"), (592_829, 399, "592829_399")])
def test_a_stem_is_parsed_back(view, label, stem):
    assert view_stem(view, label) == stem
    assert parse_view_stem(stem) == (view, label)


@pytest.mark.parametrize("stem", ["61", "a_7", "61_7_0", "-1_7", "61_7 ", "x61_7", "61_", f"{10**12}_1", f"1_{10**9}"])
def test_another_stem_is_not_parsed(stem):
    assert parse_view_stem(stem) is None


@pytest.mark.parametrize("suffix", ["bin", "npy", "txt", "BIN"])
def test_the_name_of_a_first_output_is_parsed(suffix):
    assert parse_result_name(f"61_-1_0.{suffix}") == (61, -1)


@pytest.mark.parametrize("name", ["61_7_1.bin", "61_7.bin", "61_7_0.json", "61_7_0xbin", "a61_7_0.bin", "61_7_0.bin.1"])
def test_another_name_is_not_parsed(name):
    assert parse_result_name(name) is None


@pytest.mark.parametrize(("path", "stem"), [("views/61_7.npy", "61_7"), ("61_7.x.bin", "61_7"), ("a.b/1_2", "1_2")])
def test_results_are_named_by_the_first_dot(path, stem):
    assert result_stem(path) == stem


def test_shards_split_the_list_without_overlap():
    items = [f"{number}.mp4" for number in range(7)]
    parts = [Shard(i, 3).select(items) for i in range(3)]
    assert parts == [["0.mp4", "3.mp4", "6.mp4"], ["1.mp4", "4.mp4"], ["2.mp4", "5.mp4"]]
    assert [[n for n in range(7) if Shard(i, 3).owns(n)] for i in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
    assert WHOLE.select(items) == items
    assert all(WHOLE.owns(n) for n in range(7))


def test_the_suffixes_of_views():
    assert VIEW_SUFFIXES == (".npy", ".bin")
