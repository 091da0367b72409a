"""The report's page in Chromium: loading, sorting, searching, keyboard, print, colour schemes, accessibility."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from test.browser.chromium import AXE, DESKTOP, PHONE, find_chromium, open_browser, open_page
from test.made_up_report import make_hostile_report, make_report, make_table
from x3d.dataset.class_names import kinetics400_names
from x3d.report.page import render_page

if not find_chromium():
    pytest.skip("Chromium is not installed; install Debian's chromium", allow_module_level=True)

MAX_BYTES = 2_000_000
MAX_LOAD_MS = 10_000
"""Far above the 2 s that are aimed at: other processes may run beside the browser."""
KINDS = ("plain", "compared", "unlabelled", "hostile")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def large_report() -> dict[str, Any]:
    """The report of a whole validation set, compared with another run."""
    return make_report(make_table(19761, 400, 30, 14), kinetics400_names(), compared=True)


@pytest.fixture(scope="module")
def paths(large_report, tmp_path_factory) -> dict[str, Path]:
    """Files of pages, by kind of report; two are of the whole validation set."""
    reports = {
        "compared": large_report,
        "plain": large_report | {"comparison": None},
        "unlabelled": make_report(make_table(labelled=False), compared=True),
        "hostile": make_hostile_report(),
    }
    folder = tmp_path_factory.mktemp("pages")
    for kind, report in reports.items():
        (folder / f"{kind}.html").write_text(render_page(report), encoding="utf-8")
    return {kind: folder / f"{kind}.html" for kind in reports}


@pytest.fixture
def page(browser, paths) -> Iterator[Any]:
    page = open_page(browser, paths["compared"])
    yield page
    page.close()


def cells(page: Any, table: str, column: int) -> list[str]:
    """Read the texts of a column, in the order of the shown rows."""
    return page.evaluate(
        "([table, column]) => [...document.querySelectorAll(`#${table}-table tbody tr`)]"
        ".filter(row => !row.hidden).map(row => row.cells[column].textContent.trim())",
        [table, column],
    )


def sort_key(text: str, numeric: bool) -> Any:
    return float(text.replace(",", "").replace("\u2212", "-").split("\u202f")[0]) if numeric else text.lower()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_with_no_message_and_no_request(kind, browser, paths):
    page = browser.new_page()
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(paths[kind].as_uri(), wait_until="load")
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert problems == []
    assert requests == [paths[kind].as_uri()]
    assert 0 < timing < MAX_LOAD_MS
    assert paths[kind].stat().st_size < MAX_BYTES
    page.close()


TABLES = ("lost-classes", "flips", "classes", "confusions", "confident-errors", "disagreeing")


@pytest.mark.parametrize("table", TABLES)
def test_every_column_sorts_both_ways(table, page):
    headers = page.locator(f"#{table}-table thead th:not(.mark)")
    assert headers.count() >= 5
    for number in range(headers.count()):
        header = headers.nth(number)
        column = header.evaluate("header => header.cellIndex")
        numeric = "num" in header.get_attribute("class")
        directions = set()
        for _ in range(2):
            header.get_by_role("button").click()
            direction = header.get_attribute("aria-sort")
            directions.add(direction)
            values = [text for text in cells(page, table, column) if text not in ("", "\u2013")]
            keys = [sort_key(text, numeric) for text in values]
            if numeric:
                assert keys == sorted(keys, reverse=direction == "descending")
            else:
                assert values == page.evaluate(
                    "([texts, sign]) => texts.sort((a, b) => sign * a.localeCompare(b, 'en', {numeric: true}))",
                    [values, 1 if direction == "ascending" else -1],
                )
            assert page.locator(f"#{table}-table [aria-sort]").count() == 1
        assert directions == {"ascending", "descending"}


def test_sorting_keeps_every_row_and_missing_values_last(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(render_page(make_report(make_table(num_videos=9, num_failed=1))), encoding="utf-8")
    page = open_page(browser, path)
    header = page.locator("#classes-table th", has_text="Top-1")
    for _ in range(2):
        header.get_by_role("button").click()
        values = cells(page, "classes", 4)
        num_missing = values.count("\u2013")
        assert len(values) == 8
        assert num_missing
        assert values[-num_missing:] == ["\u2013"] * num_missing
    page.close()


def test_counts_of_four_digits_sort_as_numbers(browser, tmp_path):
    report = make_report(make_table())
    for row, count in zip(report["classes"], (7, 1_234, 56_789, 99, 0, 1_000, 999, 8), strict=True):
        row["num_predicted"] = count
    path = tmp_path / "index.html"
    path.write_text(render_page(report), encoding="utf-8")
    page = open_page(browser, path)
    page.locator("#classes-table th", has_text="Predicted").get_by_role("button").click()
    assert cells(page, "classes", 9) == ["56,789", "1,234", "1,000", "999", "99", "8", "7", "0"]
    page.close()


@pytest.mark.parametrize(("typed", "matches"), [("PLAYING ba", None), ("zumba", 1), ("no such class", 0), ("  ", 400)])
def test_search_shows_the_classes_with_all_words(typed, matches, page):
    page.get_by_label("Search classes", exact=True).fill(typed)
    names = cells(page, "classes", 1)
    words = typed.lower().split()
    expected = [name for name in kinetics400_names() if all(word in name.lower() for word in words)]
    assert sorted(names) == sorted(expected)
    assert matches is None or len(names) == matches
    status = page.locator("#classes .matches")
    assert status.get_attribute("role") == "status"
    assert status.inner_text() == (f"{len(expected)} of 400 classes match" if words else "")


def test_sorting_and_searching_work_together(page):
    page.get_by_label("Search classes", exact=True).fill("dancing")
    page.locator("#classes-table th", has_text="Class").get_by_role("button").click()
    names = cells(page, "classes", 1)
    assert len(names) > 3
    assert names == sorted(names)


def test_the_keyboard_alone_skips_to_the_content_searches_and_sorts(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("#classes-search").focus()
    page.keyboard.type("zumba")
    assert cells(page, "classes", 1) == ["zumba"]
    for expected in ("DIV", "BUTTON", "BUTTON"):  # the scrolling region, then the first two headers
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == expected
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("#classes-table th", has_text="Class").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert page.locator("#classes-table th", has_text="Class").get_attribute("aria-sort") == "descending"


def test_print_shows_whole_tables_and_no_controls(page):
    def shown(selector: str) -> int:
        return page.locator(f"{selector} >> visible=true").count()

    assert shown("nav") == 1
    assert shown("input") > 1
    page.emulate_media(media="print")
    assert [shown(selector) for selector in ("nav", "input", ".filter")] == [0, 0, 0]
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollHeight <= e.clientHeight + 1)")
    assert shown("#coverage details tbody tr") == 20
    assert page.pdf().startswith(b"%PDF")


def test_without_javascript_everything_is_readable_and_no_control_is_dead(browser, paths):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(paths["compared"].as_uri())
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("searchbox").count() == 0
    assert page.locator("#classes-table tbody tr >> visible=true").count() == 400
    context.close()


def test_dark_and_light_have_colours_of_their_own(browser, paths):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(browser, paths["plain"], scheme=scheme)
        colours[scheme] = page.evaluate(
            "['backgroundColor', 'color'].map(key => getComputedStyle(document.body)[key]"
            ".match(/\\d+/g).reduce((sum, value) => sum + Number(value), 0))"
        )
        page.close()
    assert colours["light"][0] > 600 > 200 > colours["light"][1]
    assert colours["dark"][1] > 600 > 200 > colours["dark"][0]


@pytest.mark.parametrize("size", [PHONE, (768, 1024), DESKTOP])
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_is_wider_than_its_window(kind, size, browser, paths):
    page = open_page(browser, paths[kind], size)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.close()


def test_the_first_screen_shows_verdict_score_and_what_stands_out(page):
    for shown in (
        page.locator(".verdict"),
        page.locator(".big", has_text="%").first,
        page.locator(".findings li").first,
    ):
        box = shown.bounding_box()
        assert box["y"] + box["height"] < DESKTOP[1], shown


def test_links_of_the_navigation_lead_to_their_sections(page):
    for link in page.locator("nav a").all():
        link.click()
        target = link.get_attribute("href").removeprefix("#")
        assert page.evaluate("location.hash") == f"#{target}"
        assert page.locator(f"#{target}").count() == 1


def test_hostile_names_run_nothing_and_are_shown(browser, paths):
    page = open_page(browser, paths["hostile"])
    page.mouse.move(300, 300)
    assert page.evaluate("typeof window.attacked") == "undefined"
    assert page.locator("h1").count() == 1
    assert page.locator("main img, main script").count() == 0
    assert "<script>window.attacked = 1</script>" in cells(page, "classes", 1)
    assert page.title().endswith("</title></style></script><h1>gone</h1>")
    page.close()


def test_a_script_that_a_name_would_bring_is_blocked_by_the_policy(browser, paths, tmp_path):
    html = paths["plain"].read_text(encoding="utf-8")
    path = tmp_path / "attacked.html"
    path.write_text(html.replace("</main>", "<script>window.attacked = 1</script></main>"), encoding="utf-8")
    page = browser.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(path.as_uri())
    assert page.evaluate("typeof window.attacked") == "undefined"
    assert any("Content Security Policy" in message for message in messages)
    page.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci --prefix test/browser")
@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_violation(kind, scheme, size, browser, paths):
    page = open_page(browser, paths[kind], size, scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    violations = [
        f"{violation['id']}: {violation['help']}: {json.dumps([node['html'] for node in violation['nodes'][:3]])}"
        for violation in found["violations"]
    ]
    assert violations == []
    assert len(found["passes"]) > 20
    page.close()
