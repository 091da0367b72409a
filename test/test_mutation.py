"""The mutation run: which changes it makes, which tests it chooses, how it counts."""

import json

import pytest

from benchmarks.mutants import Mutant, make_mutants
from benchmarks.mutation import EQUIVALENT, EXCLUDED, SLOW_TESTS, pick, sum_up
from benchmarks.mutation_maps import choose_tests, own_files
from test.helpers import ROOT

SOURCE = '''"""A module."""
LIMIT = 3


class Reader:
    def read(self, path: str = "a b") -> int:
        """Read."""
        if len(path) < LIMIT and not self.done:
            raise ValueError(f"{path} 7")
        return sum(a * b for a, b in zip(self.x, self.y, strict=True))
'''


def changed(mutant: Mutant) -> str:
    """Return the line that a mutant changes."""
    return mutant.source.splitlines()[mutant.line - 1].strip()


def test_every_change_is_made_once_and_texts_are_left_alone():
    mutants = make_mutants("x3d/reader.py", SOURCE)
    assert sorted(changed(mutant) for mutant in mutants) == sorted(
        [
            "LIMIT = (4)",
            "LIMIT = (2)",
            "if (len(path) < LIMIT or not self.done):",
            "if (len(path) <= LIMIT) and not self.done:",
            "if len(path) < LIMIT and (self.done):",
            "pass",
            "return None",
            "return sum((a / b) for a, b in zip(self.x, self.y, strict=True))",
        ]
    )
    assert {mutant.function for mutant in mutants} == {"", "Reader.read"}
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        compile(mutant.source, mutant.id, "exec")


def test_a_choice_depends_on_the_seed_and_the_module_alone():
    modules = ["x3d/cli.py", "x3d/scoring/audit.py"]
    chosen = pick(modules, 6, seed=0)
    assert [mutant.id for mutant in pick(modules[1:], 6, seed=0)] == [
        mutant.id for mutant in chosen if mutant.module == modules[1]
    ]
    assert {mutant.id for mutant in chosen} != {mutant.id for mutant in pick(modules, 6, seed=1)}
    assert len(pick(["x3d/network/model.py"], 6, seed=0)) > 6, "more of a large module"


@pytest.mark.parametrize(
    ("module", "files"),
    [
        ("x3d/pipeline/infer.py", {"test/test_pipeline_infer.py", "test/test_infer.py"}),
        ("x3d/scoring/__init__.py", {"test/test_scoring.py"}),
        ("x3d/cli.py", {"test/test_cli.py"}),
        ("x3d_infer.py", {"test/test_x3d_infer.py", "test/test_infer.py"}),
    ],
)
def test_a_module_has_test_files_of_its_name(module, files):
    assert set(own_files(module)) == files


def mutant(module: str, function: str) -> Mutant:
    return Mutant("id", module, function, 1, "")


CLI, INFER = "test/test_cli.py::", "test/test_infer.py::"
MAPS = [
    {
        "seconds": {f"{CLI}slow": 5.0, f"{CLI}quick": 0.1, f"{CLI}other": 0.2},
        "functions": {"x3d/cli.py::fail": [f"{CLI}slow", f"{CLI}quick", f"{CLI}bad"]},
    },
    {
        "seconds": {f"{INFER}a": 0.01, f"{INFER}b": 9.0},
        "functions": {"x3d/cli.py::fail": [f"{INFER}a"], "x3d/cli.py::guarded": [""]},
    },
]


@pytest.mark.parametrize(
    ("function", "seconds", "expected"),
    [
        ("fail", 10, ["test_cli.py::quick", "test_cli.py::slow", "test_infer.py::a"]),
        ("fail", 1, ["test_cli.py::quick", "test_infer.py::a"]),
        ("guarded", 10, ["test_infer.py::a", "test_infer.py::b"]),
        ("", 1, ["test_cli.py::quick", "test_cli.py::other", "test_infer.py::a"]),
        ("unknown", 1, ["test_cli.py::quick", "test_cli.py::other", "test_infer.py::a"]),
    ],
)
def test_tests_that_call_the_function_run_those_of_its_file_first_the_quickest_first(function, seconds, expected):
    chosen = choose_tests(mutant("x3d/cli.py", function), MAPS, seconds)
    assert list(chosen) == [f"test/{name}" for name in expected]


def test_a_module_that_no_test_calls_is_tested_by_all():
    assert len(choose_tests(mutant("x3d/errors.py", ""), MAPS, 100)) == 5
    assert list(choose_tests(mutant("x3d/errors.py", ""), MAPS, 0)) == [f"{INFER}a"]


def test_hung_mutants_are_killed_and_survivors_may_be_equivalent():
    tried = [(mutant("x3d/cli.py", ""), verdict, 1.0) for verdict in ("killed", "hung", "survived")]
    tried.append((Mutant("same", "x3d/cli.py", "", 1, ""), "survived", 1.0))
    assert sum_up(tried, {"same": "it computes the same"}) == {
        "x3d/cli.py": {"tried": 4, "killed": 2, "equivalent": 1, "survived": 1}
    }


def test_what_is_left_out_exists():
    assert [path for path in EXCLUDED if not (ROOT / path).exists()] == []
    assert [name for name in SLOW_TESTS if not (ROOT / "test" / f"{name}.py").exists()] == []


def test_every_equivalent_mutant_exists():
    equivalent = json.loads(EQUIVALENT.read_text())
    modules = {name.partition("::")[0] for name in equivalent}
    existing = {mutant.id for module in modules for mutant in make_mutants(module, (ROOT / module).read_text())}
    assert sorted(set(equivalent) - existing) == []
