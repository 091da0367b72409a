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

from benchmarks import inference_tables, plot, result_tables, speed_tables, tables
from benchmarks.common import RESULTS, Cost, load_results, make_video, median_ratio, run_measured, time_in_turn
from benchmarks.inference import Action, time_calls
from benchmarks.scaling import summarise
from test.helpers import ROOT

WITH_VIDEOS = ("preprocess", "end_to_end", "scaling", "manifest")
FIELDS = {
    "preprocess": ["clips", "tmpfs", "disk"],
    "inference": ["threads", "gmac_a_view", "precisions", "batches", "agreement"],
    "scoring": ["files", "floor", "ours", "ours_over_floor"],
    "report": ["threads", "evaluation", "result_files"],
    "end_to_end": ["precisions", "files", "videos"],
    "scaling": ["x3d_preprocess", "x3d_evaluate", "memory"],
    "manifest": ["manifest", "sync", "listing"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A folder with every benchmark's results of a quick run."""
    folder = tmp_path_factory.mktemp("results")
    video = make_video(folder / "v.mp4", 60)
    for name in FIELDS:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--output", str(folder / f"{name}.json")]
        videos = [video] * (2 if name == "scaling" else 1) if name in WITH_VIDEOS else []
        ran = subprocess.run([*command, *videos], check=False, cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    return folder


def test_every_result_records_its_machine(results):
    for name, fields in FIELDS.items():
        result = json.loads((results / f"{name}.json").read_text())
        assert result["benchmark"] == name
        assert result["quick"] is True
        assert result["rounds"] == 1
        assert result["machine"].keys() == {"processor", "instruction_sets", "cores", "python", "versions"}
        assert set(fields) <= result.keys()


def test_every_table_is_made_of_them(results):
    read = load_results(results)
    for name, made in (result_tables.TABLES | inference_tables.TABLES | speed_tables.TABLES).items():
        if name not in ("parity", "networks", "precisions", "verdicts"):
            assert made(read).count("|") > 20, name
    assert "| 600 |" in result_tables.scoring(read)
    assert result_tables.report(read).count("| compare |") == 2
    assert "OpenVINO | 2 |" in inference_tables.inference(read)
    assert speed_tables.end_to_end(read).count("| x3d_evaluate.py | f32 |") == 1
    assert speed_tables.memory(read).count("| 400 |") == 6


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
    assert tables.stale_documents(load_results(RESULTS), check=True) == []
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
    monkeypatch.setattr(tables, "find_foreign", lambda results: [])
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


def test_the_first_content_of_a_file_and_the_memory_of_a_started_process_are_measured(tmp_path):
    child = "taken = b'x' * 150_000_000; import time; time.sleep(0.3)"
    code = (
        "import subprocess, sys, time, pathlib; time.sleep(0.2);"
        f" pathlib.Path({str(tmp_path / 'rows')!r}).write_text('row');"
        f" subprocess.run([sys.executable, '-c', {child!r}])"
    )
    cost = run_measured([sys.executable, "-c", code], watched=[tmp_path / "rows"])
    assert 0.2 <= cost.first_seconds < cost.seconds
    assert cost.peak_megabytes < 100 < cost.worker_peak_megabytes


def test_start_up_is_subtracted_from_the_time_of_both_lists():
    one = [(11.0, 1.0), (21.0, 1.0)]
    two = [(6.0, 1.0), (9.0, 1.0)]
    row = summarise(2, two, one, 380)
    assert row["speed_up"] == 2.25  # of 10 / 5 and 20 / 8
    assert row["views_a_second"] == pytest.approx(380 / 6.5)
    assert (row["lowest_speed_up"], row["highest_speed_up"]) == (2.0, 2.5)
