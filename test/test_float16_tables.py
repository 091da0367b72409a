"""The benchmark of float16 views runs, and its table shows the figures of its result."""

import json

import pytest

from benchmarks import float16, float16_tables
from benchmarks.common import load_results
from benchmarks.result_tables import NOT_MEASURED


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    float16.main(["--quick", "--output", str(folder / "float16.json")])
    return load_results(folder)


def test_views_take_half_the_bytes_and_change_little(results):
    found = results["float16"]
    assert (found["quick"], found["rounds"], found["videos"]) == (True, 1, 2)
    sizes = found["bytes_per_view"]
    assert sizes["float32"] - 128 == 2 * (sizes["float16"] - 128) == 4 * 3 * 13 * 160 * 160
    assert 0 < found["largest_difference"]["value"] <= 2**-10
    assert 0 < found["largest_difference"]["probability_of_a_view"] < 0.01
    assert found["comparison"]["views"]["num_views"] == 2
    assert "/tmp" not in json.dumps(found)


def test_the_table_shows_them(results):
    table = float16_tables.float16(results)
    assert "| bytes per view | 3993728 | 1996928 |" in table
    assert "| whole validation set, TB | 2.37 | 1.18 |" in table
    assert "| x3d_compare.py's verdict |  | UNDECIDED |" in table
    assert "1 thread per worker; one round" in table


def test_what_is_not_measured_is_marked():
    assert NOT_MEASURED in float16_tables.float16({})
