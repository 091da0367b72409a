"""Captions, names of figures and explanations of the page."""

from typing import Any

import pytest

from test.html_document import Document
from test.made_up_report import make_report, make_table
from x3d.report.findings import checked_without_finding
from x3d.report.page import render_page


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, Any]]:
    return {
        "plain": make_report(make_table()),
        "compared": make_report(make_table(), compared=True),
        "unlabelled, compared": make_report(make_table(labelled=False), compared=True),
        "one view": make_report(make_table(num_views=1), compared=True),
    }


def test_captions_of_cut_tables_name_how_many_there_are(reports):
    report = make_report(make_table(num_videos=2000, num_classes=40), compared=True)
    comparison = report["comparison"]
    captions = [text for around, text in Document(render_page(report)).texts if around and around[-1][0] == "caption"]
    for expected in (
        f"200 of {comparison['num_flips']} videos whose class changed, lost ones first",
        f"100 of {report['totals']['confusions']} pairs of confused classes, most videos first",
        f"100 of {report['totals']['confident_errors']} wrong videos, highest probability of the predicted class first",
        f"50 of {report['totals']['disagreeing']:,} videos whose views disagree, fewest agreeing views first",
    ):
        assert expected in captions
    report = reports["one view"]
    captions = [text for around, text in Document(render_page(report)).texts if around and around[-1][0] == "caption"]
    num_flips = report["comparison"]["num_flips"]
    assert num_flips == len(report["comparison"]["flips"])
    assert f"{num_flips} videos whose class changed, lost ones first" in captions


def test_silence_is_explained_by_what_was_checked(reports):
    text = Document(render_page(reports["compared"])).text
    names = "lost classes, labels, calibration"
    assert checked_without_finding(reports["compared"]) == ["class order", *names.split(", ")]
    assert f"Checked without a finding: class order, {names}." in text
    quiet = reports["plain"] | {"findings": []}
    text = Document(render_page(quiet)).text
    assert "What stands out Nothing. Checked without a finding: class order, labels, calibration, failed or" in text
    text = Document(render_page(quiet | {"warnings": ["the list has another order"]})).text
    assert "What stands out Nothing else. Checked" in text


def test_three_kinds_of_agreement_have_three_names(reports):
    text = Document(render_page(reports["compared"])).text
    for name in (
        "Views that agree with their own video",
        *(f"{of} with the same class in both runs" for of in ("Views", "Videos")),
    ):
        assert name in text


def test_one_sided_limits_are_explained_once_and_only_of_a_verdict(reports):
    explained = "Each limit of the drop is a one-sided 95 % limit (together a 90 % interval)."
    for name, number in (("compared", 1), ("unlabelled, compared", 0), ("plain", 0)):
        assert Document(render_page(reports[name])).text.count(explained) == number
