"""The fuzz itself: what it calls harmless, noticed, silent, a traceback, a hang or misleading is so."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from test.fuzz import __main__ as command
from test.fuzz import edits, kinds, text_edits, workers
from test.fuzz.case import Case, Result, Runner
from test.fuzz.combinations import COMBINATIONS
from test.fuzz.kinds import KINDS, Kind
from test.fuzz.oracle import Judgement, ScriptError, Verdict, completed, judge
from test.in_process import Ran, run_script
from x3d.storage import score_rows

CHANGES = (*edits.BYTES, *text_edits.TEXT, *text_edits.JSON, *text_edits.JSON_LINES, *text_edits.NPY)


@pytest.fixture
def runner(intact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Runner(intact, tmp_path / "case")
    yield found
    found.close()


def plant(monkeypatch: pytest.MonkeyPatch, kind: str, change: object) -> Case:
    """Let one edit be all that is drawn for a kind."""
    fields = vars(KINDS[kind]) | {"edits": [change], "combinations": ()}
    monkeypatch.setitem(kinds.KINDS, kind, Kind(**fields))
    monkeypatch.setattr("test.fuzz.case.FILE_EDIT_SHARE", 0)
    return Case(0, kind, 0)


def leave(draw: edits.Random, data: bytes) -> bytes:
    return data


def change_score(draw: edits.Random, data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 4])


@pytest.mark.parametrize("kind", KINDS)
def test_an_intact_input_is_harmless(kind, runner, monkeypatch):
    reports = []
    judgement = runner.run(plant(monkeypatch, kind, leave), reports.append)
    assert judgement == Judgement(Verdict.HARMLESS)
    [report] = reports
    assert report.startswith("leave (changes nothing) ")


def test_a_changed_row_is_noticed(runner, monkeypatch):
    judgement = runner.run(plant(monkeypatch, "rows", change_score), lambda change: None)
    assert judgement.verdict is Verdict.NOTICED
    assert "manifest.rows" in judgement.detail


@pytest.mark.parametrize("kind", ["two_runs", "two_runs_listed"])
@pytest.mark.parametrize("combine", COMBINATIONS, ids=lambda combine: combine.__name__)
def test_files_of_two_runs_put_together_are_recognised(kind, combine, runner, monkeypatch):
    fields = vars(KINDS[kind]) | {"combinations": [combine]}
    monkeypatch.setitem(kinds.KINDS, kind, Kind(**fields))
    verdicts = {runner.run(Case(0, kind, number), lambda change: None).verdict for number in range(6)}
    assert verdicts <= {Verdict.NOTICED, Verdict.HARMLESS, Verdict.UNDETECTABLE}
    is_read = kind == "two_runs_listed" or combine.__name__ != "take_another_list"
    assert (Verdict.NOTICED in verdicts) == is_read


def test_only_other_weights_of_the_same_graph_are_undetectable(intact, tmp_path, monkeypatch):
    import onnx

    monkeypatch.chdir(intact)
    is_undetectable = KINDS["new_models"].is_undetectable
    assert is_undetectable(intact / "foreign.onnx")
    assert is_undetectable(intact / "other.onnx")
    model = onnx.load("other.onnx")
    model.graph.node[0].name += "x"
    onnx.save(model, tmp_path / "renamed.onnx")
    assert is_undetectable(tmp_path / "renamed.onnx"), "nothing refers to the name of a node"
    model.graph.node[0].op_type = "Identity"
    onnx.save(model, tmp_path / "rewired.onnx")
    assert not is_undetectable(tmp_path / "rewired.onnx")
    assert not is_undetectable(intact / "cfg.yaml")
    assert KINDS["older_checkpoints"].is_undetectable(intact / "older.pyth")
    assert not KINDS["older_checkpoints"].is_undetectable(intact / "cfg.yaml")


def test_a_reader_without_checks_is_silent(runner, monkeypatch):
    case = plant(monkeypatch, "rows", change_score)
    monkeypatch.setattr(score_rows, "_checksum", lambda row, seed: row["check"])
    assert runner.run(case, lambda change: None).verdict is Verdict.SILENT


@pytest.mark.parametrize(
    ("ran", "verdict"),
    [
        (Ran(0), Verdict.HARMLESS),
        (Ran(2, err="[ERROR] a.bin is damaged"), Verdict.NOTICED),
        (Ran(1, err="[ERROR] something is damaged"), Verdict.MISLEADING),
        (Ran(1, err="[ERROR] a.bin\nTraceback (most recent call last):\n"), Verdict.TRACEBACK),
        (Ran(1, err="[ERROR] internal_error: a.bin"), Verdict.TRACEBACK),
        (Ran(-11, err="[ERROR] a.bin"), Verdict.TRACEBACK),
    ],
)
def test_a_script_that_ran(ran, verdict):
    ran.arguments = ["x3d_infer"]
    assert judge(lambda: ({}, completed(ran)), {}, r"a\.bin", lambda: False).verdict is verdict


@pytest.mark.parametrize(
    ("product", "logged", "undetectable", "verdict"),
    [
        ({"line": "1"}, "", False, Verdict.HARMLESS),
        ({"line": "2"}, "", False, Verdict.SILENT),
        ({}, "", False, Verdict.SILENT),
        ({"line": "2"}, "", True, Verdict.UNDETECTABLE),
        ({"line": "2"}, "[INFO] a.bin\n", False, Verdict.SILENT),
        ({"line": "2"}, "[WARNING] 1 file:\na.bin\n", False, Verdict.NOTICED),
    ],
)
def test_another_product_is_reported_or_silent(product, logged, undetectable, verdict):
    assert judge(lambda: (product, logged), {"line": "1"}, r"a\.bin", lambda: undetectable).verdict is verdict


def test_a_status_that_is_not_expected_is_an_error():
    with pytest.raises(ScriptError, match="why"):
        completed(Ran(0), Ran(1, err="why", arguments=["a"]), statuses=(0,))


@pytest.mark.parametrize("edit", CHANGES, ids=lambda edit: edit.__name__)
def test_an_edit_draws_from_its_generator_only(edit):
    num_changed = 0
    for data in (b"", b"x", b'{"a": 1, "b": [2, {"c": "d"}]}', b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}\n1234"):
        changed = [edit(edits.Random(seed), data) for seed in range(20)]
        assert changed == [edit(edits.Random(seed), data) for seed in range(20)]
        num_changed += sum(content != data for content in changed)
    assert num_changed > 5


def test_a_flipped_bit_is_one_bit():
    [before, after] = (int.from_bytes(d, "big") for d in (b"abc", edits.flip_bit(edits.Random(1), b"abc")))
    assert (before ^ after).bit_count() == 1


def test_files_are_replaced(tmp_path):
    for edit in edits.FILES:
        folder = tmp_path / edit.__name__
        folder.mkdir()
        for name in ("a.bin", "b.bin"):
            (folder / name).write_text(name)
        edit(folder / "a.bin")
        assert not (folder / "a.bin").is_file() or (folder / "a.bin").read_text() == "b.bin"


def test_a_script_is_captured_with_what_libraries_in_c_print(monkeypatch, capfd):
    def main(arguments: list[str]) -> int:
        os.write(2, b"from C\n")
        print("line", *arguments)
        raise KeyError("planted")

    monkeypatch.setattr("x3d_verify.main", main)
    ran = run_script("x3d_verify", ["a"])
    assert (ran.status, ran.out) == (1, "line a\n")
    assert ran.err.startswith("from C\nTraceback")
    assert "KeyError: 'planted'" in ran.err
    assert capfd.readouterr() == ("", "")


def test_the_kind_that_took_least_time_is_next():
    schedule = command.Schedule(["a", "b"], seed=5, seconds=60, cases_per_kind=2)
    first, second = schedule.next_case(), schedule.next_case()
    assert [first, second] == [Case(5, "a", 0), Case(5, "b", 0)]
    schedule.add(Result(first, Judgement(Verdict.SILENT), seconds=9))
    schedule.add(Result(second, Judgement(Verdict.NOTICED), seconds=1))
    assert [schedule.next_case() for _ in range(3)] == [Case(5, "b", 1), Case(5, "a", 1), None]
    assert schedule.counts == {"a": Counter({Verdict.SILENT: 1}), "b": Counter({Verdict.NOTICED: 1})}


class EndlessOrDead:
    """A worker's runner that hangs, dies or fails, by the number of the case."""

    def __init__(self, intact: Path, folder: Path) -> None:
        pass

    def run(self, case: Case, report) -> Judgement:
        report("change")
        if case.number == 0:
            os._exit(7)
        if case.number == 1:
            time.sleep(600)
        return Judgement(Verdict.HARMLESS)


def test_a_worker_that_dies_or_hangs_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_work", work_badly)
    monkeypatch.setattr(workers, "LIMIT_SECONDS", 1)
    cases = iter([Case(0, "rows", number) for number in range(3)])
    found = [result.judgement for result in workers.run_cases(tmp_path, 1, lambda: next(cases, None))]
    assert found == [
        Judgement(Verdict.TRACEBACK, "process ended with 7"),
        Judgement(Verdict.HANG, "no end within 1 s"),
        Judgement(Verdict.HARMLESS),
    ]


def work_badly(cases, intact, folder):
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(workers, "Runner", EndlessOrDead)
        REAL_WORK(cases, intact, folder)


REAL_WORK = workers._work


def test_the_command_reports_a_fault_and_how_to_repeat_it(monkeypatch, capsys):
    def run_cases(folder, num_workers, next_case):
        while case := next_case():
            yield Result(case, Judgement(Verdict.SILENT if case.number else Verdict.NOTICED, "why"), "flip_bit a")

    monkeypatch.setattr(command, "run_cases", run_cases)
    assert command.main(["--kinds", "rows", "--num", "1"]) == 0
    assert "python -m" not in capsys.readouterr().out
    assert command.main(["--kinds", "rows,lists", "--num", "2", "--seed", "4"]) == 1
    out = capsys.readouterr().out
    assert "silent: flip_bit a: why\n    python -m test.fuzz --seed 4 --kinds rows --case 1\n" in out
    assert [line.split() for line in out.splitlines()[-2:]] == [
        ["rows", "2", "1", "0", "0", "1", "0", "0", "0"],
        ["lists", "2", "1", "0", "0", "1", "0", "0", "0"],
    ]
    assert command.main(["--kinds", "rows", "--case", "0"]) == 0
    assert "noticed: flip_bit a" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command.main(["--kinds", "rosw"])
    assert "--kinds rosw: kinds are videos, lists" in capsys.readouterr().err
