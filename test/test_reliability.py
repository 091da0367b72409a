"""The benchmark of reliability counts verdicts, and its table is made of a run of committed source."""

import json
import subprocess

import pytest

from benchmarks import commit, common, reliability, reliability_tables, result_tables, signals, tables
from test.fuzz.case import Result
from test.fuzz.oracle import Judgement, Verdict


@pytest.fixture
def run_cases(monkeypatch):
    """Judge the cases of each kind by their number, instead of running them."""

    def judged(folder, num_workers, next_case):
        while case := next_case():
            verdict = Verdict.SILENT if case.kind == "rows" and case.number == 2 else Verdict.NOTICED
            yield Result(case, Judgement(verdict, "why"), "flip_bit a")

    monkeypatch.setattr(reliability, "run_cases", judged)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit."""
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    (tmp_path / "a.py").touch()
    for arguments in ("init -q", "add a.py", "-c user.name=a -c user.email=a@b commit -qm a"):
        subprocess.run(["git", *arguments.split()], cwd=tmp_path, check=True)
    return tmp_path


def test_the_table_has_a_row_for_each_kind(run_cases, repository, monkeypatch, capsys):
    output = repository / "benchmarks/results/reliability.json"
    monkeypatch.setattr(common, "RESULTS", output.parent)
    monkeypatch.setattr(reliability, "update", lambda name: None)
    arguments = ["--kinds", "lists,rows", "--num", "3", "--seed", "4"]
    assert reliability.main(arguments) == 1
    printed = capsys.readouterr().err
    assert "silent: flip_bit a: why\n    python -m test.fuzz --seed 4 --kinds rows --case 2\n" in printed
    result = json.loads(output.read_text())
    assert len(result["commit"]) == 40
    table = reliability_tables.reliability({"reliability": result})
    assert "| lists | 3 | 3 | 0 | 0 | 0 | 0 | 0 | 0 | a list that" in table
    assert "| rows | 3 | 2 | 0 | 0 | 1 | 0 | 0 | 0 |" in table
    assert f"seed 4, commit {result['commit'][:7]}" in table
    assert "`python -m benchmarks.reliability --kinds lists,rows --num 3 --seed 4`" in table
    assert reliability.main([*arguments[:1], "lists", *arguments[2:]]) == 0


def test_a_run_without_output_updates_the_document(run_cases, repository, monkeypatch):
    written, updated = [], []
    monkeypatch.setattr(reliability, "write_results", lambda name, args, figures: written.append(name))
    monkeypatch.setattr(reliability, "update", updated.append)
    assert reliability.main(["--kinds", "lists", "--num", "1"]) == 0
    assert (written, updated) == (["reliability"], ["benchmarks/reliability.md"])


def test_source_that_is_not_committed_is_rejected(run_cases, repository):
    (repository / "a.py").write_text("changed")
    with pytest.raises(ValueError, match=r"(?s)commit first.*M a\.py"):
        reliability.main(["--kinds", "lists", "--num", "1"])


def test_one_document_is_updated(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    (tmp_path / "a.md").write_text("<!-- table: reliability -->\n<!-- end -->\n")
    tables.update("a.md")
    assert "| kind | tried | noticed |" in (tmp_path / "a.md").read_text()
    assert result_tables.NOT_MEASURED in (tmp_path / "a.md").read_text()


def test_stopped_runs_are_counted_by_script_and_signals(repository, tmp_path, monkeypatch, capsys):
    trials = [("a.py", "storm", 0.1, []), ("a.py", "storm", 0.5, ["hang"]), ("b.py", "SIGTERM", 0.9, [])]
    monkeypatch.setattr(signals, "run", lambda num, folder: iter(trials[:num]))
    output = tmp_path / "benchmarks/results/signals.json"
    assert signals.main(["--num", "3", "--output", str(output)]) == 1
    assert "a.py, storm at 0.500: hang" in capsys.readouterr().err
    table = reliability_tables.signals({"signals": json.loads(output.read_text())})
    assert "| a.py | storm | 2 | 1 |" in table
    assert "| b.py | SIGTERM | 1 | 0 |" in table
    assert signals.main(["--num", "1", "--output", str(output)]) == 0


def test_the_costs_of_records_are_shown():
    assert result_tables.NOT_MEASURED in reliability_tables.records({})
    seconds = {f"{name}_seconds": 1.26 for name in ("save", "load", "resume_after_kill", "merge")}
    figures = {
        "videos": 60000,
        "rounds": 3,
        "commit": "0123456789",
        "machine": {"processor": "P", "cores": 2, "python": "3.11", "versions": {}},
        "manifest": {"driver_share": 0.00071, **seconds},
        "listing": {"views": 592830, "seconds": 5.44},
        "sync": {"videos": 8, "ratio": 1.123, "with_seconds": 5.5, "without_seconds": 4.9},
    }
    table = reliability_tables.records({"manifest": figures})
    assert "recording 60000 videos, share of the driver at 20 videos/s | 0.07%" in table
    assert "1.3 s, 1.3 s, 1.3 s, 1.3 s" in table
    assert "592830 views | 5.4 s" in table
    assert "1.12 (5.5 s, 4.9 s)" in table
