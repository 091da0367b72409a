"""Count the small changes of the source that the tests notice.

    python -m benchmarks.mutation [--modules 'x3d/video/*'] [--tests 'test_video.py,test_sampling.py'] [--num 5]

One process imports torch, OpenVINO and the like once. It forks for each test file, to learn which tests call which
function and how long each takes, and then for each mutant, to run the tests of the changed function, quickest first, in
a copy of the project, so that worker processes and subprocesses run the mutant too. A hang counts as killed.

The tests are the quick ones: all but SLOW_TESTS, which take minutes and whose functions have unit tests. The modules
are all but those of EXCLUDED, whose tests cannot run everywhere.
"""

import argparse
import ast
import fnmatch
import importlib
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, ROOT, describe_machine
from benchmarks.mutants import Mutant, make_mutants
from benchmarks.mutation_maps import choose_tests, read_maps
from benchmarks.mutation_runner import Slot, in_slots, run_mutant
from x3d.storage.atomic import write_json

HEAVY = "numpy cv2 av torch torch.onnx onnx openvino onnxruntime fvcore.common.config tqdm pytest".split()
EQUIVALENT = Path(__file__).parent / "mutation_equivalent.json"
SLOW_TESTS = [
    f"test_{name}"
    for name in (
        "benchmarks evaluate infer make_videos model_onnx packaging preprocess process_pool_processes "
        "process_pool_signals ray readme reference scripts semantics"
    ).split()
]
EXCLUDED = {"x3d/slowfast.py": "needs PySlowFast"}
ALL_MODULES, ALL_TESTS = "x3d/*,x3d_*.py", "test_*.py"
MUTANTS_PER_SAMPLE = 16
"""Of a large module one mutant in so many is drawn."""


def pick(modules: Sequence[str], num: int, seed: int) -> list[Mutant]:
    """Draw at least so many mutants of each module (0: all), with the seed and the module's name."""
    picked = []
    for module in modules:
        mutants = [m for m in make_mutants(module, (ROOT / module).read_text()) if _compiles(m)]
        wanted = max(num, len(mutants) // MUTANTS_PER_SAMPLE) if num else len(mutants)
        chosen = random.Random(f"{seed} {module}").sample(mutants, min(wanted, len(mutants)))
        picked += sorted(chosen, key=lambda mutant: mutant.line)
    return picked


def _compiles(mutant: Mutant) -> bool:
    try:
        ast.parse(mutant.source)
    except SyntaxError:
        return False
    return True


def sum_up(verdicts: Sequence[tuple[Mutant, str, float]], equivalent: dict[str, str]) -> dict[str, Any]:
    """Count each module's mutants: tried, killed (hung ones too), equivalent, survived."""
    modules: dict[str, Any] = {}
    for mutant, verdict, _ in verdicts:
        kind = "killed" if verdict != "survived" else "equivalent" if mutant.id in equivalent else "survived"
        counts = modules.setdefault(mutant.module, {"tried": 0, "killed": 0, "equivalent": 0, "survived": 0})
        counts["tried"] += 1
        counts[kind] += 1
    return modules


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", default=ALL_MODULES, help="globs, by commas (default: the package and scripts)")
    parser.add_argument("--tests", default=ALL_TESTS, help="globs of test files, by commas (default: the quick ones)")
    parser.add_argument("--num", type=int, default=6, help="mutants of each module, at least; 0: all (default: 6)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of mutants (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (default: 2)")
    parser.add_argument("--seconds", type=float, default=10, help="of tests for each mutant (default: 10)")
    parser.add_argument("--output", type=Path, help="JSON to write (default: benchmarks/results/mutation.json if all)")
    parser.add_argument("--list", action="store_true", help="print the mutants' ids and stop")
    args = parser.parse_args(argv)

    def matches(name: str, globs: str) -> bool:
        return any(fnmatch.fnmatch(name, glob) for glob in globs.split(","))

    names = [str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("x3d/**/*.py"), *ROOT.glob("x3d_*.py")])]
    modules = [name for name in names if matches(name, args.modules) and name not in EXCLUDED]
    mutants = pick(modules, args.num, args.seed)
    if args.list:
        print("\n".join(mutant.id for mutant in mutants))
        return 0
    for name in HEAVY:
        importlib.import_module(name)
    found = sorted(path.name for path in ROOT.glob("test/test_*.py") if path.stem not in SLOW_TESTS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        slots = [Slot(Path(folder) / str(number)) for number in range(args.jobs)]
        maps = read_maps(slots, [name for name in found if matches(name, args.tests)])
        verdicts = []

        def run(slot: Slot, mutant: Mutant) -> tuple[Mutant, str, float]:
            return run_mutant(slot, mutant, choose_tests(mutant, maps, args.seconds))

        for mutant, verdict, seconds in in_slots(slots, run, mutants):
            verdicts.append((mutant, verdict, seconds))
            print(f"{verdict:8} {seconds:5.1f} s  line {mutant.line}  {mutant.id}", flush=True)
    return report(verdicts, args, time.monotonic() - started)


def report(verdicts: list[tuple[Mutant, str, float]], args: argparse.Namespace, seconds: float) -> int:
    """Print the counts, and write them when they are of everything or a file is named."""
    equivalent = json.loads(EQUIVALENT.read_text())
    modules = sum_up(verdicts, equivalent)
    keys = ("tried", "killed", "equivalent", "survived")
    total = {key: sum(counts[key] for counts in modules.values()) for key in keys}
    for name, counts in [*modules.items(), ("all", total)]:
        share = 100 * counts["killed"] / max(1, counts["tried"] - counts["equivalent"])
        print(f"{name:40} {counts} {share:.1f} %")
    survivors = [mutant.id for mutant, verdict, _ in verdicts if verdict == "survived" and mutant.id not in equivalent]
    is_all = args.modules == ALL_MODULES and args.tests == ALL_TESTS
    output = args.output or (RESULTS / "mutation.json" if is_all else None)
    if output:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        result: dict[str, Any] = {
            "benchmark": "mutation",
            "quick": False,
            "commit": head.stdout.strip(),
            "seed": args.seed,
            "num": args.num,
            "machine": describe_machine(),
        }
        result |= {"seconds": seconds, "excluded": EXCLUDED}
        write_json(output, result | {"modules": modules, "total": total, "survivors": survivors})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
