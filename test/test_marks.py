"""Marks within table rows."""

import xml.etree.ElementTree as ElementTree

import pytest

from x3d.report import marks


def test_an_interval_lies_on_the_scale_of_percentages():
    track, interval, dot = ElementTree.fromstring(marks.interval_mark(25.0, 50.0, 100.0))
    assert (track.get("x1"), track.get("x2")) == ("0", "120")
    assert (interval.get("x1"), interval.get("x2")) == ("32", "116")
    assert dot.get("cx") == "60"


@pytest.mark.parametrize("values", [(None, None, None), (None, 50.0, 60.0)])
def test_a_class_without_videos_has_no_mark(values):
    assert marks.interval_mark(*values) == ""


def test_a_count_is_a_share_of_the_highest():
    [bar] = ElementTree.fromstring(marks.count_mark(5, 20))
    assert (bar.get("x"), bar.get("width")) == ("0", "30")


def test_two_counts_grow_from_the_middle():
    left, right, middle = ElementTree.fromstring(marks.two_sided_mark(1, 4, 4, "bar-gained", "bar-lost"))
    assert (left.get("x"), left.get("width"), left.get("class")) == ("45", "15", "bar-gained")
    assert (right.get("x"), right.get("width"), right.get("class")) == ("60", "60", "bar-lost")
    assert middle.get("x1") == "60"
