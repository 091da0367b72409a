"""Change inputs of the scripts at random, and check that each change is noticed or harmless.

    python -m test.fuzz [--seed 0] [--minutes 3] [--kinds videos,lists]
    python -m test.fuzz --seed 0 --kinds videos --case 17

A changed input goes through every script that reads it. It is noticed if a script rejects or reports it and names the
file; harmless if all that is made of it has the same bits. The exit status is 1 if a change was neither.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from test.fuzz.case import Case, Result
from test.fuzz.kinds import KINDS
from test.fuzz.oracle import FAULTS, Verdict
from test.fuzz.workers import run_cases

Counts = Mapping[str, Counter[Verdict]]
"""Number of each verdict, by kind."""


class Schedule:
    """Chooses the next case: of the kind that has taken the least time so far.

    Attributes:
        counts: of the results so far.
    """

    def __init__(self, kinds: Sequence[str], seed: int, seconds: float, cases_per_kind: int) -> None:
        self.counts: dict[str, Counter[Verdict]] = {kind: Counter() for kind in kinds}
        self._seconds = dict.fromkeys(kinds, 0.0)
        self._next = dict.fromkeys(kinds, 0)
        self._seed, self._most = seed, cases_per_kind
        self._limit = seconds
        self._deadline = 0.0

    def next_case(self) -> Case | None:
        """Return the next case, None at the end."""
        self._deadline = self._deadline or time.monotonic() + self._limit
        open_kinds = [kind for kind in self._next if self._next[kind] < self._most]
        if not open_kinds or time.monotonic() > self._deadline:
            return None
        kind = min(open_kinds, key=lambda kind: self._seconds[kind])
        self._seconds[kind] += 1e-3  # so that several workers do not all take the same kind
        self._next[kind] += 1
        return Case(self._seed, kind, self._next[kind] - 1)

    def add(self, result: Result) -> None:
        """Count a result."""
        self.counts[result.case.kind][result.judgement.verdict] += 1
        self._seconds[result.case.kind] += result.seconds


def fuzz(schedule: Schedule, num_workers: int, next_case: Callable[[], Case | None] | None = None) -> Iterator[Result]:
    """Run the cases of a schedule in a temporary folder; yield the results as they come."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for result in run_cases(Path(folder), num_workers, next_case or schedule.next_case):
            schedule.add(result)
            yield result


def describe(result: Result) -> str:
    """Spell a result, with the command that runs it again."""
    case = result.case
    again = f"python -m test.fuzz --seed {case.seed} --kinds {case.kind} --case {case.number}"
    return f"{result.judgement.verdict}: {result.change}: {result.judgement.detail}\n    {again}"


def format_counts(counts: Counts) -> str:
    """Format the counts as a table."""
    lines = [f"{'kind':28}{'tried':>8}" + "".join(f"{verdict:>14}" for verdict in Verdict)]
    for kind, found in counts.items():
        lines.append(f"{kind:28}{found.total():8}" + "".join(f"{found[verdict]:14}" for verdict in Verdict))
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m test.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of all changes (default: 0)")
    parser.add_argument("--minutes", type=float, default=3, help="time for all kinds together (default: 3)")
    parser.add_argument("--num", type=int, default=10**9, help="cases of each kind, at most")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--case", type=int, help="run this one case of each kind, and report it")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: cores)")
    args = parser.parse_args(argv)
    args.kinds = [kind.strip() for kind in args.kinds.split(",")]
    unknown = [kind for kind in args.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"--kinds {unknown[0]}: kinds are {', '.join(KINDS)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    schedule = Schedule(args.kinds, args.seed, 60 * args.minutes, args.num)
    next_case, workers = None, args.workers
    if args.case is not None:
        cases = iter([Case(args.seed, kind, args.case) for kind in args.kinds])
        next_case, workers = (lambda: next(cases, None)), 1
    for result in fuzz(schedule, workers, next_case):
        if args.case is not None or result.judgement.verdict in FAULTS:
            print(describe(result), flush=True)
    print(format_counts(schedule.counts))
    return int(any(found[verdict] for found in schedule.counts.values() for verdict in FAULTS))


if __name__ == "__main__":
    raise SystemExit(main())
