import pytest

from x3d.dataset.known_sets import KNOWN_SETS, describe_count


def test_the_known_copies_are_those_of_the_literature():
    assert sorted(KNOWN_SETS) == [19404, 19761, 19796, 19881, 19906, 19907]


@pytest.mark.parametrize(
    ("num_videos", "text"),
    [
        (19881, "CVDF's copy"),
        (19907, "the official csv"),
        (19795, "no known copy of the validation set; the nearest, mmaction2's copy, has 19796"),
        (0, "no known copy of the validation set; the nearest, GluonCV's copy, has 19404"),
        (250000, "no known copy of the validation set; the nearest, the official csv, has 19907"),
    ],
)
def test_a_count_names_the_copy_or_the_nearest(num_videos, text):
    assert describe_count(num_videos) == text
