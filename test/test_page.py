"""index.html: every section of every kind of report, numbers of report.json only, names as text, a strict policy."""

import base64
import copy
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from test.html_document import Document
from test.made_up_report import HOSTILE, make_hostile_report, make_report, make_table
from x3d.files import printable
from x3d.report.page import SECTIONS, render_page
from x3d.scoring.accuracy import Share

NUMBER = re.compile(r"(?<![\w.,])[\u2212+]?\d[\d,]*(?:\.\d+)?(?:e[\u2212+]\d+)?(?![\w])")
WORDS = re.compile(r"[Tt]op-[15]|9[05] %|99th|0 to 100 %|X3D|x3d-eval")
"""Text of the page with digits that are no data."""


REPORTS = {
    "plain": lambda: make_report(make_table()),
    "compared": lambda: make_report(make_table(), compared=True),
    "unlabelled": lambda: make_report(make_table(labelled=False)),
    "unlabelled, compared": lambda: make_report(make_table(labelled=False), compared=True),
    "one video": lambda: make_report(make_table(num_videos=1, num_failed=0), compared=True),
    "two classes": lambda: make_report(make_table(num_classes=2), ["no", "yes"]),
    "no failures": lambda: make_report(make_table(num_failed=0)),
    "one view": lambda: make_report(make_table(num_views=1), compared=True),
    "empty class": lambda: make_report(make_table(num_videos=9, num_failed=1)),
    "hostile names": make_hostile_report,
}


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, Any]]:
    return {name: make() for name, make in REPORTS.items()}


def leaves(value: Any) -> Iterator[Any]:
    """Yield every key, text and number of a report."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from leaves(item)
    elif isinstance(value, list):
        yield len(value)
        for item in value:
            yield from leaves(item)
    else:
        yield value


def roundings(report: dict[str, Any]) -> set[str]:
    """Format every number of a report in every way in which the page may show it."""
    numbers = [value for value in leaves(report) if isinstance(value, (int, float))]
    written = {f"{number:,.{digits}f}" for number in numbers for digits in range(4)}
    return written | {f"{number:.2g}" for number in numbers} | set(shares(report))


def shares(value: Any) -> Iterator[str]:
    """Format every share of a report as in the JSON line of an accuracy."""
    if isinstance(value, dict):
        for number, total in itertools.product(("num_correct", "num_agreeing"), ("num_videos", "num_views")):
            if value.get(number) is not None and value.get(total):
                yield Share(value[number], value[total]).percent
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from shares(item)


def foreign_numbers(document: Document, report: dict[str, Any]) -> list[str]:
    """List the numbers of a page's text that are the rounding of no number of the report."""
    allowed = roundings(report)
    strings = {printable(value) for value in leaves(report) if isinstance(value, str)}
    strings |= {string.partition(": ")[2][1:] for string in strings}  # the sentence below a verdict
    strings |= {string[1:].removesuffix(".") for string in strings}  # with a capital letter
    allowed |= strings
    quoted = sorted((string for string in strings if re.search(r"\d", string) and len(string) > 4), key=len)[::-1]
    found = []
    for around, text in document.texts:
        scale = any("tick" in (attributes.get("class") or "") for _, attributes in around)
        if scale or any(name in ("style", "script") for name, _ in around):
            continue
        for string in quoted if re.search(r"\d", text) else ():
            text = text.replace(string, " ")
        numbers = [number.lstrip("+").replace("\u2212", "-") for number in NUMBER.findall(WORDS.sub("", text))]
        found += [f"{number} in {text!r}" for number in numbers if number not in allowed]
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_every_number_is_the_rounding_of_a_number_of_the_report(name, reports):
    assert foreign_numbers(Document(render_page(reports[name])), reports[name]) == []


def test_a_number_that_is_not_in_the_report_is_noticed(reports):
    html = render_page(reports["plain"]).replace("</main>", "<p>Of 123,456 videos 78.91 %</p></main>")
    found = foreign_numbers(Document(html), reports["plain"])
    assert [text.split(" in ")[0] for text in found] == ["123,456", "78.91"]


@pytest.mark.parametrize("name", REPORTS)
def test_the_policy_allows_exactly_the_style_and_the_script_of_the_page(name, reports):
    document = Document(render_page(reports[name]))
    [policy] = [meta["content"] for meta in document.all("meta") if meta.get("http-equiv")]
    hashes = {
        tag: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for tag in ("style", "script")
        for content in document.content(tag)
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert len(document.all("style")) == len(document.all("script")) == 1
    attributes = {key for _, given in document.elements for key in given}
    assert not {key for key in attributes if key.startswith("on")} | attributes & {"style", "src", "srcset"}
    assert all(link["href"].startswith("#") for link in document.all("a"))
    assert not {tag for tag, _ in document.elements} & {"link", "img", "iframe", "object", "base", "form"}


@pytest.mark.parametrize("name", REPORTS)
def test_structure_for_readers_of_the_screen(name, reports):
    document = Document(render_page(reports[name]))
    identifiers = [given["id"] for _, given in document.elements if "id" in given]
    assert len(identifiers) == len(set(identifiers))
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert {link["href"][1:] for link in document.all("a")} <= set(identifiers)
    for given in (given for _, given in document.elements):
        for key in ("aria-labelledby", "for"):
            assert set((given.get(key) or "").split()) <= set(identifiers)
    assert all(header.get("scope") in ("col", "row") for header in document.all("th"))
    assert len(document.all("caption")) == len(document.all("table"))
    charts = [chart for chart in document.all("svg") if chart.get("role") == "img"]
    assert len(charts) == len(document.all("desc"))
    assert all(chart.get("role") == "img" or chart.get("aria-hidden") == "true" for chart in document.all("svg"))


def shown_sections(document: Document) -> list[str]:
    return [section["id"] for section in document.all("section") if section["id"] in SECTIONS]


def test_the_sections_of_a_whole_report(reports):
    assert shown_sections(Document(render_page(reports["compared"]))) == list(SECTIONS)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("plain", {"comparison", "flips"}),
        ("unlabelled", {"comparison", "flips", "confusions", "calibration", "coverage", "confident-errors"}),
        ("no failures", {"comparison", "flips", "failures"}),
        ("one view", {"views", "disagreeing"}),
    ],
)
def test_a_section_without_content_is_left_out_of_page_and_navigation(name, left_out, reports):
    document = Document(render_page(reports[name]))
    assert set(SECTIONS) - set(shown_sections(document)) == left_out
    assert not {f"#{anchor}" for anchor in left_out} & {link["href"] for link in document.all("a")}


def test_the_first_screen_has_the_score_with_interval_and_both_denominators(reports):
    report = reports["plain"]
    scored, listed = (report["accuracy"]["top1"][of] for of in ("scored", "listed"))
    text = Document(render_page(report)).text
    assert (
        f"Top-1 accuracy {scored['percent']:.2f} % 95 % interval {scored['low']:.2f} to {scored['high']:.2f} "
        f"{scored['num_correct']} of 296 scored videos {listed['percent']:.2f} % of all 300 listed videos, missing "
        "ones counted as wrong"
    ) in text
    for finding in report["findings"]:
        assert finding["text"] in text


def test_a_run_without_labels_has_no_accuracy(reports):
    text = Document(render_page(reports["unlabelled"])).text
    assert "Not measured No scored video has a label." in text
    compared = reports["unlabelled, compared"]
    text = Document(render_page(compared)).text
    assert f"Same top-1 class as made_up {compared['comparison']['agreement']['percent']:.2f} %" in text
    assert "Without labels there is no verdict" in text
    assert " lost" not in text.split("Videos that flip Videos whose")[0]


@pytest.mark.parametrize(("num_classes", "num_charts"), [(20, 0), (21, 1)])
def test_few_classes_have_no_chart_of_all(num_classes, num_charts):
    html = render_page(make_report(make_table(num_classes=num_classes)))
    assert html.count('class="chart all-classes"') == num_charts


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "UNDECIDED"])
def test_the_verdict_comes_first(verdict, reports):
    report = copy.deepcopy(reports["compared"])
    report["comparison"]["decision"] |= {"verdict": verdict, "text": f"{verdict}: the drop is small"}
    text = Document(render_page(report)).text
    assert text.index(f"{verdict} The drop is small.") < text.index("Top-1 accuracy")
    assert f'class="card verdict {verdict.lower()}"' in render_page(report)


def test_a_warning_that_is_a_finding_too_stands_once_on_the_first_screen(reports):
    report = copy.deepcopy(reports["plain"])
    report["warnings"] = ["the list is in the order of class names"]
    report["findings"].insert(0, {"kind": "class_order", "text": report["warnings"][0], "anchor": "score"})
    assert Document(render_page(report)).text.count(report["warnings"][0]) == 1


def test_of_many_warnings_the_first_are_open_and_the_others_folded(reports):
    warnings = [f"warning {letter * 3}" for letter in "abcdefghij"]
    document = Document(render_page(reports["plain"] | {"warnings": warnings}))
    folded = [text for around, text in document.texts if any(tag == "details" for tag, _ in around)]
    assert [warning in folded for warning in warnings] == [False] * 4 + [True] * 6


def test_hostile_names_are_text(reports):
    html = render_page(reports["hostile names"])
    document = Document(html)
    for name in HOSTILE:
        assert html.count(printable(name)) == 0 or not set(name) & set("<>\"'&")
        assert any(printable(name) in text for _, text in document.texts)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert len(document.all("h1")) == 1
    html.encode()


def test_classes_are_ordered_by_their_upper_limit_and_those_without_videos_follow(reports):
    report = reports["empty class"]
    rows = re.findall(r'<tr id="class-(\d+)">', render_page(report))
    limits = [report["classes"][int(row)]["high"] for row in rows]
    known = [limit for limit in limits if limit is not None]
    assert None in limits
    assert limits == sorted(known) + [None] * (len(limits) - len(known))


def test_the_longest_lists_fit_into_the_page():
    report = make_report(make_table(num_videos=4000, num_classes=400), compared=True)
    report["comparison"]["flips"] = (report["comparison"]["flips"] * 200)[:200]
    report["confident_errors"] = (report["confident_errors"] * 100)[:100]
    report["findings"] *= 50
    assert len(render_page(report).encode()) < 2_000_000


def test_only_the_report_decides_the_page(reports):
    assert render_page(reports["plain"]) == render_page(copy.deepcopy(reports["plain"]))
    renamed = make_report(dataclasses.replace(make_table(), folder="runs/other"))
    assert "<h1>other</h1>" in render_page(renamed)
