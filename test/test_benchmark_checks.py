"""benchmarks/checks.py, commit.py and machine.py: which results are rejected, and what a result records."""

import argparse
import json
import subprocess

import pytest

from benchmarks import checks, commit, common, tables
from benchmarks.machine import describe_machine

PINS = {"numpy": "2.4.6", "torch": "2.13.0"}


def make_result(**changes: object) -> dict[str, object]:
    versions = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "ray": "1"}
    return {"quick": False, "commit": "a" * 40, "rounds": 5, "machine": {"versions": versions}, **changes}


def test_a_result_of_the_pinned_environment_passes():
    assert checks.find_problems({"scoring": make_result()}, PINS) == []
    assert checks.read_pins()["torch"].startswith("2.")
    assert checks.read_pins()["opencv-python-headless"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"quick": True}, "of a --quick run; run it without"),
        ({"commit": ""}, "names no commit"),
        ({"rounds": 3}, "has 3 rounds instead of 5"),
        ({"machine": {"versions": {"torch": "2.14.1"}}}, r"of torch 2.14.1 instead of 2.13.0 (constraints.txt)"),
    ],
)
def test_a_result_is_rejected_for_one_cause(changes, problem):
    assert checks.find_problems({"scoring": make_result(**changes)}, PINS) == [f"scoring.json: {problem}"]


def test_a_result_without_commit_and_rounds_is_only_rejected_for_the_commit():
    result = make_result()
    del result["commit"], result["rounds"]
    assert checks.find_problems({"scoring": result}, PINS) == ["scoring.json: names no commit"]


def test_pyslowfasts_environment_has_other_versions():
    changes = {"machine": {"versions": {"torch": "2.14.1"}}, "pyslowfast": "9839d13", "rounds": 3}
    assert checks.find_problems({"parity_S": make_result(**changes)}, PINS) == []


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository of one commit, in place of the project's."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "x.py").write_text("1\n")
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "x")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_of_another_history_is_foreign(clone):
    head = commit.read_commit()
    results = {"scoring": make_result(commit=head), "report": make_result()}
    assert checks.find_foreign(results) == ["report.json: its commit aaaaaaa is not in the history of HEAD"]


def test_changed_files_are_named_but_for_what_benchmarks_write(clone):
    (clone / "benchmarks" / "results" / "new.json").write_text("{}")
    assert checks.find_foreign({}) == []
    (clone / "x.py").write_text("2\n")
    (problem,) = checks.find_foreign({})
    assert "x.py" in problem


def test_without_git_there_is_no_history_to_check(clone, monkeypatch):
    monkeypatch.setattr(commit, "ROOT", clone / "nowhere")
    assert checks.find_foreign({"scoring": make_result()}) == []
    with pytest.raises(ValueError, match="git status failed in"):
        commit.read_commit()


def test_no_result_is_written_from_changed_files(clone, capsys):
    path = clone / "benchmarks" / "results" / "scoring.json"
    args = argparse.Namespace(quick=False, output=path)
    (clone / "x.py").write_text("2\n")
    with pytest.raises(ValueError, match="commit first"):
        common.write_results("scoring", args, {"rounds": 5})
    assert not path.exists()
    subprocess.run(["git", "checkout", "-q", "x.py"], cwd=clone, check=True)
    common.write_results("scoring", args, {"rounds": 5})
    written = json.loads(path.read_text())
    assert written["commit"] == commit.read_commit()


def test_check_fails_on_a_problem(tmp_path, monkeypatch, capsys):
    (tmp_path / "scoring.json").write_text(json.dumps(make_result(commit="")))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "DOCUMENTS", [])
    monkeypatch.setattr(tables, "find_foreign", lambda results: [])
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 1
    assert "scoring.json: names no commit" in capsys.readouterr().err


def test_the_machine_names_instruction_sets_that_the_processor_has(monkeypatch):
    machine = describe_machine()
    assert machine.keys() == {"processor", "instruction_sets", "cores", "python", "versions"}
    monkeypatch.setattr("benchmarks.machine.read_processor", lambda: {"model name": "P", "flags": "fpu avx2 amx_bf16"})
    assert describe_machine()["instruction_sets"] == ["avx2", "amx_bf16"]
    monkeypatch.setattr("benchmarks.machine.read_processor", lambda: {"Features": "fp asimd sve"})
    assert describe_machine()["instruction_sets"] == ["asimd", "sve"]
