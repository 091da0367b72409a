"""Numbers of the report as text."""

import pytest

from x3d.report import formats


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.count(19761), "19,761"),
        (formats.count(None), "\u2013"),
        (formats.quantity(1, "video"), "1 video"),
        (formats.quantity(0, "video"), "0 videos"),
        (formats.quantity(1400, "class", "classes"), "1,400 classes"),
        (formats.percent(73.7513), "73.75\u202f%"),
        (formats.percent(100.0, 0), "100\u202f%"),
        (formats.percent(None), "\u2013"),
        (formats.part(57, 57, "video", "videos"), "57 videos"),
        (formats.part(200, 1757, "video", "videos"), "200 of 1,757 videos"),
        (formats.share_percent(3377, 4000), "84.43\u202f%"),
        (formats.decimal(0.9996, 3), "1.000"),
        (formats.decimal(-0.004), "0.00"),
        (formats.decimal(-1.5, 1), "\u22121.5"),
        (formats.points(0.44), "+0.44"),
        (formats.points(-0.44), "\u22120.44"),
        (formats.points(0.001), "0.00"),
        (formats.points(None), "\u2013"),
        (formats.interval(-0.5, 74.358), "\u22120.50 to 74.36"),
        (formats.interval(None, None), "\u2013"),
        (formats.significant(0.00412), "0.0041"),
        (formats.significant(1.23e-7), "1.2e\u221207"),
        (formats.significant(0.0), "0"),
        (formats.significant(None), "\u2013"),
        (formats.name_of("/data/runs/x3d_s/"), "x3d_s"),
        (formats.name_of("."), "."),
        (formats.sentence("FAIL: the drop is 2", "FAIL"), "The drop is 2."),
        (formats.sentence("One video.", "PASS"), "One video."),
    ],
)
def test_numbers_are_rounded_with_their_unit(written, expected):
    assert written == expected
