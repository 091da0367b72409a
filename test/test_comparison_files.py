"""The files of a comparison: JSON, csv, Markdown and JUnit xml, with hostile names in all of them."""

import csv
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from test.tables import score_table
from x3d.dataset.class_names import ClassNames
from x3d.errors import InputError
from x3d.pipeline.compare import comparison_to_dict, list_flips
from x3d.pipeline.comparison_files import (
    FLIP_COLUMNS,
    MAX_ROWS,
    OWN_KEYS,
    flip_rows,
    format_junit,
    format_summary,
    open_comparison,
    write_comparison,
    write_error,
)
from x3d.pipeline.comparison_text import describe_agreement
from x3d.pipeline.comparison_warnings import BY_POSITION
from x3d.scoring.comparison import compare_tables

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "a|b`c`\n| x |",
    "<script>alert(1)</script>",
    "\x1b[31m\ufffe&\u2028",
    "@all #1 *b* _c_",
]


def content_of(
    num_videos: int, lost: int, names: list[str] | None = None, labels: int = 0, paths: list[str] | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare two runs whose first videos are lost: from class 0 to class 1."""
    best = np.zeros(num_videos, int), np.arange(num_videos) < lost
    scores = [np.eye(5, dtype=np.float32)[row.astype(int)] for row in best]
    reference, candidate = (
        score_table(rows, [labels] * num_videos, listed_paths=paths or [], folder=folder)
        for folder, rows in zip(("run|<b>", "run|<i>"), scores, strict=True)
    )
    comparison = compare_tables(reference, candidate, 0.735)
    class_names = ClassNames(names, "file")
    return comparison_to_dict(comparison, class_names), list_flips(comparison, class_names)


@pytest.fixture
def hostile() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return content_of(5, 5, HOSTILE, paths=HOSTILE)


def test_all_files_are_written_and_replaced(tmp_path):
    for lost in (5, 0):
        content, flips = content_of(400, lost)
        with open_comparison(str(tmp_path / "out")) as folder:
            write_comparison(folder, content, flips)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            *("comparison.json", "flips.csv", "junit.xml", "summary.md")
        ]
        saved = json.loads((tmp_path / "out" / "comparison.json").read_text())
        assert saved.pop("schema") == 1
        assert saved == json.loads(json.dumps(content))
        assert saved["lost"] == lost
        assert len((tmp_path / "out" / "flips.csv").read_text().splitlines()) == 1 + lost
        assert saved.keys() | {"schema"} >= OWN_KEYS
    assert "PASS" in (tmp_path / "out" / "summary.md").read_text()
    with open_comparison(str(tmp_path / "out")):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_with_other_files_is_rejected(tmp_path):
    (tmp_path / "manifest.rows").touch()
    with (
        pytest.raises(InputError, match=r"holds manifest\.rows and no comparison\.json; give another folder"),
        open_comparison(str(tmp_path)),
    ):
        pass


def test_the_csv_has_every_flip_and_no_formula(hostile):
    _, flips = hostile
    rows = list(flip_rows(flips))
    assert rows[0] == FLIP_COLUMNS
    assert set(flips[0]) == set(FLIP_COLUMNS)
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert [row["path"] for row in read][:2] == [f"./{HOSTILE[0]}", r"a|b`c`\n| x |"]
    assert {row["label_name"] for row in read} == {f"'{HOSTILE[0]}"}
    assert (read[0]["reference_probability"], read[0]["label"], read[0]["candidate"]) == ("1", "0", "1")
    cells = [cell for row in read for cell in row.values()]
    assert [
        cell for cell in cells if cell.startswith(("=", "+", "-", "@")) or re.search("[\x00-\x1f\u2028]", cell)
    ] == []


def test_the_csv_leaves_a_missing_label_empty():
    _, flips = content_of(2, 1, labels=-1)
    [_, row] = flip_rows(flips)
    assert list(row)[:3] == ["video 0", None, None], "write_csv leaves None empty"


SUMMARY = """\
## x3d_compare: UNDECIDED

{verdict}

Warning: {warnings[0]}

Warning: {warnings[1]}

|  | reference | candidate |
|---|---|---|
| folder | `run\\x7c<b>` | `run\\x7c<i>` |
| top-1 | 100.00 % (4 of 4, 95 % interval 51.01 to 100.00) | 75.00 % (3 of 4, 95 % interval 30.06 to 95.44) |
| top-5 | 100.00 % (4 of 4, 95 % interval 51.01 to 100.00) | 100.00 % (4 of 4, 95 % interval 51.01 to 100.00) |
| right in this run only | 1 | 0 |
| right in this run only, five best classes | 0 | 0 |

- {agreement[0]}
- {agreement[1]}

### Classes

| class | videos | lost | gained | drop, points | 95 % interval |
|---|---|---|---|---|---|
| `class 0` | 4 | 1 | 0 | 25.00 | -36.24 to 69.94 |

### Videos with another top-1

| video | label | reference | candidate | kind |
|---|---|---|---|---|
| `video 0` | `class 0` | `class 0` 1.00 | `class 1` 1.00 | lost |
"""


def test_the_summary_is_markdown_with_the_verdict_first():
    content, _ = content_of(4, 1)
    verdict, agreement = content["decision"]["text"], describe_agreement(content)
    assert [text.split(" % of the views")[0] for text in content["warnings"]] == [
        *(BY_POSITION, "the best class is the same in 75.00")
    ]
    warnings = [f"`{text}`" for text in content["warnings"]]
    assert format_summary(content) == SUMMARY.format(verdict=verdict, agreement=agreement, warnings=warnings)


def test_the_summary_without_labels_has_no_accuracy():
    content, _ = content_of(4, 1, labels=-1, paths=list("abcd"))
    lines = format_summary(content).splitlines()
    assert lines[0] == "## no compared video has a label, so there is no verdict, only agreement"
    assert lines[4:8] == [
        "|  | reference | candidate |",
        "|---|---|---|",
        r"| folder | `run\x7c<b>` | `run\x7c<i>` |",
        "",
    ]
    assert lines[-1] == "| `a` |  | `class 0` 1.00 | `class 1` 1.00 | changed |"


@pytest.mark.parametrize("lost", [20, 21, 250])
def test_long_tables_name_the_file_with_the_rest(lost):
    lines = format_summary(content_of(400, lost)[0]).splitlines()
    assert MAX_ROWS == 20
    assert len([line for line in lines if line.endswith("| lost |")]) == MAX_ROWS
    assert (f"{lost - MAX_ROWS} more of {lost} videos whose class changed: flips.csv" in lines) == (lost > MAX_ROWS)
    assert not any("comparison.json" in line for line in lines)


def test_many_classes_are_in_the_json():
    content, _ = content_of(2, 1)
    content["classes"] = content["classes"] * 30
    assert "\n10 more of 30 classes with a lost or gained video: comparison.json\n" in format_summary(content)


def test_the_summary_lists_what_is_left_out_and_differs():
    content, _ = content_of(2, 0)
    assert "###" not in format_summary(content)
    text = format_summary({**content, "left_out": ["1 video (`a`)"], "differences": ["engine: x"]})
    assert "### Left out\n\n- `1 video (\\x60a\\x60)`\n\n### Differences\n\n- `engine: x`\n" in text


def test_names_in_the_summary_are_code(hostile):
    text = format_summary(hostile[0])
    outside = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"[<>@#*_=](?!\w* x3d)", outside.replace("## x3d_compare", "").replace("###", ""))
    table = [line for line in text.splitlines() if line.endswith("| lost |")]
    assert len(table) == 5
    assert {line.count("|") for line in table} == {6}
    assert r"`a\x7cb\x60c\x60\n\x7c x \x7c`" in text
    assert "\x1b" not in text


def junit(content: dict[str, Any]) -> tuple[ElementTree.Element, ElementTree.Element, dict[str, str]]:
    """Parse the test, its failure or skip (of a passed test its output), and the counts."""
    suites = ElementTree.fromstring(format_junit(content))
    [suite] = suites
    [test] = suite
    assert test[-1].tag == "system-out"
    result = test[0]
    assert [suites.tag, suite.tag, test.tag, suite.attrib.pop("name")] == [
        *("testsuites", "testsuite", "testcase", "x3d_compare")
    ]
    return test, result, dict(suite.attrib)


@pytest.mark.parametrize(("num_videos", "lost", "verdict"), [(5, 5, "FAIL"), (32, 0, "UNDECIDED")])
def test_the_junit_test_fails_unless_the_verdict_is_pass(num_videos, lost, verdict):
    content, _ = content_of(num_videos, lost)
    test, result, counts = junit(content)
    assert test.attrib == {"classname": "x3d_compare", "name": "run|<i>: top-1 drops by less than the margin"}
    assert (result.tag, result.attrib) == ("failure", {"type": verdict, "message": content["decision"]["text"]})
    assert "have the same top-1 in both" in (result.text or "")
    assert counts == {"tests": "1", "failures": "1", "errors": "0", "skipped": "0"}


def test_the_junit_test_passes_and_without_labels_it_fails():
    _, result, counts = junit(content_of(400, 0)[0])
    assert result.tag == "system-out"
    assert (result.text or "").splitlines()[-1].startswith("PASS: ")
    assert counts == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    _, result, counts = junit(content_of(400, 0, labels=-1)[0])
    assert counts == {"tests": "1", "failures": "1", "errors": "0", "skipped": "0"}
    message = "no compared video has a label, so there is no verdict, only agreement"
    assert (result.tag, result.attrib) == ("failure", {"type": "UNDECIDED", "message": message})


@pytest.mark.parametrize("name", HOSTILE)
def test_why_nothing_is_compared_is_an_error_in_a_folder_that_can_be_replaced(name, tmp_path):
    with open_comparison(str(tmp_path / "out")) as folder:
        write_error(folder, ("a", "b"), f"{name} is missing")
    saved = json.loads((folder / "comparison.json").read_text())
    assert saved == {
        **{"schema": 1, "reference": {"folder": "a"}, "candidate": {"folder": "b"}, "decision": None},
        "error": f"{name} is missing",
    }
    [suite] = ElementTree.parse(folder / "junit.xml").getroot()
    [[error]] = suite
    assert (suite.get("errors"), suite.get("failures"), error.tag) == ("1", "0", "error")
    assert (error.get("message") or "").endswith(" is missing")
    assert re.fullmatch(r"## x3d_compare: not compared\n\n`[^`\n]+`\n", (folder / "summary.md").read_text())
    with open_comparison(str(folder)):
        assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []


def test_hostile_names_leave_the_xml_well_formed(hostile):
    _, result, _ = junit(hostile[0])
    assert "5 videos lost (=cmd|' /C calc'!A0, a|b`c`\\n| x |, <script>alert(1)</script> and 2 more)" in result.text
    paths = ["\x1b[31m\ufffe&\u2028", *HOSTILE[:2]]
    _, result, _ = junit(content_of(3, 3, paths=paths)[0])
    assert "(\\x1b[31m?&\\u2028, " in result.text


def test_warnings_are_no_markup():
    content, _ = content_of(400, 0)
    content["warnings"] = ["a `b` <c>\n# d"]
    assert r"Warning: `a \x60b\x60 <c>\n# d`" in format_summary(content).splitlines()
