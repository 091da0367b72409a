"""Elements, scales and axes of inline SVG."""

import xml.etree.ElementTree as ElementTree

import pytest

from x3d.report.svg import Scale, element, figure, label, polygon, rectangle, small, x_axis, y_axis


def test_texts_and_attributes_are_escaped_and_elements_are_not():
    inner = element("text", "a < b & c", class_='"><script>')
    assert inner == '<text class="&#34;&gt;&lt;script&gt;">a &lt; b &amp; c</text>'
    assert element("g", inner, stroke_width=1.5) == f'<g stroke-width="1.5">{inner}</g>'


def test_a_figure_has_a_title_and_a_description_of_its_own():
    root = ElementTree.fromstring(figure("drop", "Drop", "It is <1>.", (520, 118.0)))
    title, description = root
    assert root.get("role") == "img"
    assert root.get("viewBox") == "0 0 520 118"
    assert (
        root.get("aria-labelledby")
        == f"{title.get('id')} {description.get('id')}"
        == "chart-drop-title chart-drop-desc"
    )
    assert (title.text, description.text) == ("Drop", "It is <1>.")


def test_a_mark_is_hidden_from_screen_readers():
    assert ElementTree.fromstring(small(120, 12)).get("aria-hidden") == "true"


def test_a_rectangle_takes_its_corners_in_any_order():
    drawn = '<rect x="1" y="2" width="3" height="5" class="bar"></rect>'
    assert rectangle((1, 2), (4, 7), "bar") == rectangle((4, 2), (1, 7), "bar") == drawn


def test_points_of_a_polygon():
    assert 'points="0,1.5 2,3"' in polygon([(0, 1.5), (2, 3)], "band")


@pytest.mark.parametrize(("value", "position"), [(0, 10), (50, 60), (100, 110), (-7, 10), (1000, 110)])
def test_a_scale_maps_values_and_keeps_them_within_it(value, position):
    assert Scale(0, 100, 10, 110)(value) == position


def test_a_scale_may_fall_and_may_have_no_extent():
    assert Scale(0, 10, 200, 0)(2.5) == 150
    assert Scale(5, 5, 0, 100)(5) == 0


@pytest.mark.parametrize(
    ("low", "high", "num", "texts"),
    [
        (0, 100, 5, "0 20 40 60 80 100"),
        (0, 7, 4, "0 2 4 6"),
        (-0.45, 0.9, 6, "\u22120.4 \u22120.2 0 0.2 0.4 0.6 0.8"),
        (0, 5120, 5, "0 1,000 2,000 3,000 4,000 5,000"),
        (60, 100, 5, "60 70 80 90 100"),
        (0, 0, 5, "0"),
    ],
)
def test_ticks_are_round_values_on_the_scale(low, high, num, texts):
    assert [text for _, text in Scale(low, high, 0, 1000).ticks(num)] == texts.split()


def test_axes_draw_a_grid_line_and_a_number_per_tick():
    scale = Scale(0, 100, 0, 100, "%")
    for drawn in (x_axis(scale, 0, 50, "share"), y_axis(scale, 0, 50, "accuracy")):
        root = ElementTree.fromstring(drawn)
        assert len(root.findall("line[@class='grid']")) == 6
        assert [text.text for text in root.findall("text[@class='tick']")] == ["0%", "20%", "40%", "60%", "80%", "100%"]
        assert len(root.findall("text[@class='axis']")) == 1


def test_a_label_may_be_a_value():
    assert label((1, 2), "73.75", "value", "end") == '<text x="1" y="2" text-anchor="end" class="value">73.75</text>'
