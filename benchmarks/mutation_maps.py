"""Map tests to the functions they call, and choose the tests of a mutant."""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT
from benchmarks.mutants import Mutant
from benchmarks.mutation_runner import Selection, Slot, in_slots, run_pytest
from x3d.storage.atomic import write_json

MAPS = Path(tempfile.gettempdir()) / f"x3d-mutation-{os.getuid()}"
PROBE = """
import os, sys, threading
_seen = set()
def _probe(frame, event, arg):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(os.environ["MUTATION_ROOT"]):
        call = os.environ.get("PYTEST_CURRENT_TEST"), code.co_filename, code.co_qualname
        if call[0] and call not in _seen:
            _seen.add(call)
            with open(os.environ["MUTATION_CALLS"], "a") as file:
                file.write("\\t".join(call) + "\\n")
threading.setprofile(_probe)
sys.setprofile(_probe)
"""


def map_tests(slot: Slot, test_file: str) -> dict[str, Any]:
    """Learn how long each test of a file takes, and which functions it calls, in its subprocesses too."""
    probe = slot.root.parent / "probe"
    probe.mkdir(exist_ok=True)
    (probe / "sitecustomize.py").write_text(PROBE)
    calls, taken = probe / "calls.txt", probe / "seconds.json"
    calls.write_text("")
    taken.write_text("{}")

    def action() -> int:
        os.environ |= {"PYTHONPATH": str(probe), "MUTATION_CALLS": str(calls)}
        exec(compile(PROBE, "probe", "exec"), {})
        selection = Selection()
        status = run_pytest([test_file], selection)
        taken.write_text(json.dumps(selection.seconds))
        return status

    status = slot.wait(slot.fork(action))
    if status not in (0, 5):
        tail = (slot.root.parent / "log.txt").read_text()[-1500:]
        print(f"{test_file}: pytest ended with {status}; only what passed is used\n{tail}", file=sys.stderr)
    functions: dict[str, set[str]] = {}
    for line in calls.read_text().splitlines():
        test, path, function = line.split("\t")
        test, phase = test.rsplit(" ", 1)
        key = f"{Path(path).relative_to(slot.root)}::{function.partition('.<')[0]}"
        functions.setdefault(key, set()).add("" if phase == "(setup)" else test)
    return {"seconds": json.loads(taken.read_text()), "functions": {k: sorted(v) for k, v in functions.items()}}


def read_maps(slots: Sequence[Slot], test_files: Sequence[str]) -> list[dict[str, Any]]:
    """Map the test files; a map is kept in the temporary folder until its file changes."""
    MAPS.mkdir(exist_ok=True)

    def read(slot: Slot, name: str) -> dict[str, Any]:
        digest = hashlib.sha256((ROOT / "test" / name).read_bytes()).hexdigest()
        stored = MAPS / f"{name}-{digest[:16]}.json"
        if not stored.exists():
            started = time.monotonic()
            write_json(stored, map_tests(slot, f"test/{name}"))
            print(f"{name} mapped, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        mapped: dict[str, Any] = json.loads(stored.read_text())
        return mapped

    return list(in_slots(slots, read, test_files))


def own_files(module: str) -> tuple[str, ...]:
    """Name the test files of a module: `test_pipeline_infer.py` and `test_infer.py`; of a package `test_scoring.py`."""
    parts = [part for part in Path(module).with_suffix("").parts if part not in ("x3d", "__init__")] or ["x3d"]
    return tuple(f"test/test_{name}.py" for name in ("_".join(parts), parts[-1], parts[-1].removeprefix("x3d_")))


def choose_tests(mutant: Mutant, maps: Sequence[dict[str, Any]], seconds: float) -> dict[str, float]:
    """Choose the tests that call a mutant's function, quickest first, for at most so many seconds.

    A fixture's calls count for every test of its file. A change outside functions, or of a function that no map knows,
    is tested by all tests that call the module or have its name, and without any by all tests.

    Returns:
        Seconds of each test, in the order to run them, those of the module's own file first.
    """

    def calling(function: str) -> dict[str, float]:
        chosen: dict[str, float] = {}
        for mapped in maps:
            for key, tests in mapped["functions"].items():
                passed = mapped["seconds"]
                if key == f"{mutant.module}::{function}" or (not function and key.startswith(f"{mutant.module}::")):
                    chosen |= passed if "" in tests else {test: passed[test] for test in tests if test in passed}
        return chosen

    every = {test: taken for mapped in maps for test, taken in mapped["seconds"].items()}
    own = own_files(mutant.module)
    chosen = calling(mutant.function)
    if not mutant.function or not chosen:
        chosen = calling("") | {test: taken for test, taken in every.items() if test.startswith(own)} or every
    ordered: dict[str, float] = {}
    for test in sorted(chosen, key=lambda test: (not test.startswith(own), chosen[test])):
        if not ordered or sum(ordered.values()) + chosen[test] <= seconds:
            ordered[test] = chosen[test]
    return ordered
