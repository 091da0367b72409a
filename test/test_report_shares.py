import pytest

from x3d.report.shares import share


def test_a_share_has_counts_percentage_and_wilsons_interval():
    found = share(37, 49)
    assert found == {
        "num_correct": 37,
        "num_videos": 49,
        "percent": 100 * 37 / 49,
        "low": pytest.approx(61.9, abs=0.05),
        "high": pytest.approx(85.4, abs=0.05),
    }
