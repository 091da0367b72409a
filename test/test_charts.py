"""Charts: where their marks lie, and what their descriptions say."""

import xml.etree.ElementTree as ElementTree

import pytest

from x3d.report import charts

CALIBRATION = {
    "ece_percent": 6.25,
    "null_ece_percent": 0.8,
    "null_high_percent": 1.1,
    "ece_low_percent": 5.5,
    "ece_high_percent": 7.0,
    "mean_confidence_percent": 60.0,
    "accuracy_percent": 70.0,
    "num_correct": 14,
    "num_videos": 20,
    "bins": [
        {
            "low": 10.0,
            "high": 50.0,
            "num_videos": 20,
            "confidence": 30.0,
            "accuracy": 40.0,
            "accuracy_low": 20.0,
            "accuracy_high": 60.0,
        }
    ],
}
"""A model with one bin, of which every number differs."""


def parse(chart: str) -> ElementTree.Element:
    root = ElementTree.fromstring(chart)
    description = root.find("desc")
    assert description is not None
    root.set("description", description.text or "")
    return root


def numbers(mark: ElementTree.Element | None, *keys: str) -> list[float]:
    assert mark is not None
    return [float(mark.get(key) or "nan") for key in keys]


def test_a_bin_lies_at_its_confidence_and_accuracy():
    root = parse(charts.reliability(CALIBRATION, "videos", "videos"))
    assert numbers(root.find("circle"), "cx", "cy") == [44 + 3 * 30, 330 - 3 * 40]
    assert numbers(root.find("line[@class='range']"), "y1", "y2") == [330 - 3 * 20, 330 - 3 * 60]
    assert numbers(root.find("line[@class='faint']"), "x1", "x2") == [44 + 3 * 10, 44 + 3 * 50]
    assert numbers(root.find("line[@class='reference']"), "x1", "y1", "x2", "y2") == [44, 330, 344, 30]
    assert "confidence 60.00\u202f%, accuracy 70.00\u202f%" in root.get("description", "")


def test_the_calibration_error_is_drawn_beside_its_null_level():
    root = parse(charts.calibration_error(CALIBRATION, "videos", "videos"))
    [band_end] = [start + width for start, width in [numbers(root.find("rect"), "x", "width")]]
    [null] = numbers(root.find("line[@class='reference']"), "x1")
    low, high = numbers(root.find("line[@class='range']"), "x1", "x2")
    [error] = numbers(root.find("circle"), "cx")
    assert null < band_end < low < error < high
    assert "is 6.25\u202f%, 95 % interval 5.50 to 7.00" in root.get("description", "")


def test_coverage_runs_from_the_most_confident_share_to_all():
    curve = [
        {
            "coverage_percent": 50.0,
            "accuracy_percent": 95.0,
            "num_correct": 19,
            "num_videos": 20,
            "low": 90.0,
            "high": 98.0,
        },
        {
            "coverage_percent": 100.0,
            "accuracy_percent": 70.0,
            "num_correct": 28,
            "num_videos": 40,
            "low": 68.0,
            "high": 72.0,
        },
    ]
    root = parse(charts.coverage(curve))
    (x1, y1), (x2, y2) = (numbers(mark, "cx", "cy") for mark in root.findall("circle"))
    assert x1 == (44 + x2) / 2
    assert y1 < y2 < 250
    [value] = root.findall("text[@class='value']")
    assert value.text == "70.00\u202f%"


def test_agreement_stacks_right_wrong_and_unlabelled_videos():
    rows = [
        {"num_agreeing": 0, "num_videos": 0, "num_labelled": 0, "num_correct": 0},
        {"num_agreeing": 1, "num_videos": 10, "num_labelled": 8, "num_correct": 5},
    ]
    root = parse(charts.agreement(rows))
    heights = {mark.get("class"): numbers(mark, "height")[0] for mark in root.findall("rect")}
    assert heights == {"bar-gained": 110, "bar-lost": 66, "bar-soft": 44}
    assert root.get("description") == "In 10 videos all 1 views agree."


def test_agreement_without_labels_is_neither_right_nor_wrong():
    root = parse(charts.agreement([{"num_agreeing": 2, "num_videos": 4, "num_labelled": 0, "num_correct": None}]))
    heights = {mark.get("class"): numbers(mark, "height")[0] for mark in root.findall("rect")}
    assert heights == {"bar-gained": 0, "bar-lost": 0, "bar-soft": 220}


CLASSES = [
    {"class": 0, "percent": 80.0, "low": 60.0, "high": 90.0},
    {"class": 1, "percent": None, "low": None, "high": None},
    {"class": 2, "percent": 30.0, "low": 20.0, "high": 50.0},
    {"class": 3, "percent": 40.0, "low": 10.0, "high": 50.0},
]


def test_classes_are_drawn_from_the_lowest_upper_limit():
    assert [c["class"] for c in charts.weakest_first(CLASSES)] == [3, 2, 0, 1]
    root = parse(charts.all_classes(CLASSES))
    ranges = root.find("path[@class='thin-range']")
    assert ranges is not None
    assert (ranges.get("d") or "").count("M") == 3
    assert "from the lowest upper limit, 50.0\u202f%, to the highest, 90.0\u202f%" in root.get("description", "")


@pytest.mark.parametrize(
    ("low", "drop", "high", "order"),
    [
        (-0.1, 0.1, 0.3, "low drop high margin"),
        (0.4, 0.6, 0.9, "low drop margin high"),
        (2, 3, 4, "margin low drop high"),
    ],
)
def test_the_drop_lies_left_or_right_of_the_margin(low, drop, high, order):
    decision = {"low_points": low, "drop_points": drop, "high_points": high, "margin_points": 0.735}
    root = parse(charts.drop(decision))
    at = dict(zip(("low", "high"), numbers(root.find("line[@class='range wide']"), "x1", "x2"), strict=True))
    [at["drop"]] = numbers(root.find("circle"), "cx")
    assert f"The drop is +{drop:.3f} points, limits " in root.get("description", "")
    [at["margin"]] = numbers(root.find("line[@class='limit']"), "x1")
    assert sorted(at, key=lambda name: at[name]) == order.split()
    [zero] = numbers(root.find("line[@class='zero']"), "x1")
    assert 12 < zero < at["margin"] < 508
