"""The benchmarks run, their results have the fields that tables and figures need, and the documents are up to date.

No time is checked.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import inference_tables, plot, result_tables, tables
from benchmarks.common import RESULTS, Cost, load_results, make_video, median_ratio, run_measured, time_in_turn
from benchmarks.inference import Action, time_calls
from test.helpers import ROOT

WITH_VIDEOS = ("preprocess", "end_to_end", "scaling", "manifest")
FIELDS = {
    "preprocess": ["per_video", "total", "workers"],
    "inference": ["threads", "gmac_a_view", "precisions", "batches", "agreement"],
    "scoring": ["files", "floor", "ours", "ours_over_floor"],
    "report": ["threads", "evaluation", "result_files"],
    "end_to_end": ["streaming", "files", "inference_alone", "streaming_share_of_inference_alone"],
    "scaling": ["x3d_preprocess", "x3d_evaluate"],
    "manifest": ["manifest", "sync", "listing"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A folder with every benchmark's results of a quick run."""
    folder = tmp_path_factory.mktemp("results")
    video = make_video(folder / "v.mp4", 60)
    for name in FIELDS:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--output", str(folder / f"{name}.json")]
        videos = [video] if name in WITH_VIDEOS else []
        ran = subprocess.run([*command, *videos], check=False, cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    return folder


def test_every_result_records_its_machine(results):
    for name, fields in FIELDS.items():
        result = json.loads((results / f"{name}.json").read_text())
        assert result["benchmark"] == name
        assert result["quick"] is True
        assert result["rounds"] == 1
        assert result["machine"].keys() == {"processor", "cores", "python", "versions"}
        assert set(fields) <= result.keys()


def test_every_table_is_made_of_them(results):
    read = load_results(results)
    for name, made in (result_tables.TABLES | inference_tables.TABLES).items():
        if name not in ("parity", "networks", "precisions", "verdicts"):
            assert made(read).count("|") > 20, name
    assert "| 600 |" in result_tables.scoring(read)
    assert result_tables.report(read).count("| compare |") == 2
    assert "OpenVINO | 2 |" in inference_tables.inference(read)
    read["preprocess"]["total"].pop("pyslowfast_seconds", None)
    assert "not measured yet" in result_tables.preprocess(read)
    read["preprocess"]["total"]["pyslowfast_seconds"] = 12.34
    assert "| 12.3 |" in result_tables.preprocess(read)


def test_every_table_marks_what_is_not_measured():
    for made in tables.TABLES.values():
        assert result_tables.NOT_MEASURED in made({})
    assert "not measured here | 333.2 | 381.6 | 386.8 | 365.2 | 358.9 | 354.9 |" in inference_tables.batches({})


def test_figures_are_svg_of_the_same_bytes_each_time(results, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        plot.main(["--results", str(results), "--output", str(tmp_path / name)])
    assert {path.stem for path in (tmp_path / "first").iterdir()} == set(plot.FIGURES)
    for path in (tmp_path / "first").iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_the_figures_show_the_results(tmp_path):
    plot.main(["--output", str(tmp_path)])
    for path in tmp_path.iterdir():
        assert texts(path) == texts(RESULTS / path.name), f"{path.name}: run python -m benchmarks.plot"
    assert "Ascend 310P3: published by the original recipe, not measured here" in texts(RESULTS / "inference.svg")


def texts(figure: Path) -> list[str]:
    """Read the text elements of a figure, in the order drawn."""
    return [node.text or "" for node in ElementTree.parse(figure).iter("{http://www.w3.org/2000/svg}text")]


def test_the_documents_contain_the_tables_of_the_results():
    assert tables.main(["--check"]) == 0
    shown = {name for text in documents() for name in re.findall(r"<!-- table: (\w+) -->", text)}
    assert shown == set(tables.TABLES)


def test_the_figures_of_the_documents_exist():
    for name in tables.DOCUMENTS:
        for path in re.findall(r"!\[\w+\]\((.*?)\)", (ROOT / name).read_text()):
            assert (ROOT / name).parent.joinpath(path).is_file(), path


def documents() -> list[str]:
    return [(ROOT / name).read_text() for name in tables.DOCUMENTS]


def test_check_names_the_document_that_differs(tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text("before\n<!-- table: scoring -->\n<!-- end -->\nafter\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCUMENTS", ["README.md"])
    assert tables.main(["--check"]) == 1
    assert "README.md differ from the results; run python -m benchmarks.tables" in capsys.readouterr().err
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n<!-- table: scoring -->\n\n|")
    assert text.endswith("|\n\n<!-- end -->\nafter\n")


def test_a_quick_result_is_rejected(tmp_path, monkeypatch):
    (tmp_path / "scoring.json").write_text('{"quick": true}')
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match=r"scoring in .*: results of a --quick run; run it without"):
        tables.main([])


def test_a_table_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"no table 'scorign'; tables: .*scoring"):
        tables.fill("<!-- table: scorign -->\n<!-- end -->", "", {})


def test_actions_take_turns():
    taken = []
    seconds = time_in_turn({"a": lambda: taken.append("a"), "b": lambda: taken.append("b")}, 2)
    assert "".join(taken) == "ababab"
    assert [len(rounds) for rounds in seconds.values()] == [2, 2]


def test_calls_take_turns_after_one_of_each_that_is_not_timed():
    taken = []
    seconds = time_calls({"a": Action(lambda: taken.append("a"), 2), "b": Action(lambda: taken.append("b"))}, 2)
    assert "".join(taken) == "ab" + "aab" + "baa", "every second round is in reverse order"
    assert {name: [len(calls) for calls in rounds] for name, rounds in seconds.items()} == {"a": [2, 2], "b": [1, 1]}


def test_ratios_are_of_the_same_round():
    assert median_ratio([2, 40, 9], [1, 10, 3]) == 3


def test_a_command_is_measured():
    cost = run_measured([sys.executable, "-c", "import time; taken = b'x' * 100_000_000; time.sleep(0.2)"])
    assert isinstance(cost, Cost)
    assert 100 < cost.peak_megabytes < 200


def test_a_command_that_fails_is_named_with_the_end_of_its_stderr():
    with pytest.raises(ValueError, match="ended with 3: last words"):
        run_measured([sys.executable, "-c", "import sys; print('last words', file=sys.stderr); sys.exit(3)"])
