"""Change inputs of every kind at random, and count which changes are noticed.

    python -m benchmarks.reliability [--num 400] [--seed 0] [--kinds videos,lists]

What a change is and how it is judged: python -m test.fuzz --help. Writes results/reliability.json and from it the table
of benchmarks/reliability.md. The source must be committed, so that the commit in the table is what ran.
"""

import argparse
import datetime
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import build_parser, parse_args, write_results
from benchmarks.tables import update
from test.fuzz.__main__ import Schedule, describe
from test.fuzz.kinds import KINDS
from test.fuzz.oracle import FAULTS, Verdict
from test.fuzz.workers import run_cases

SECONDS = 24 * 3600
"""Time limit of the whole run: the number of cases is to decide."""
DOCUMENT = "benchmarks/reliability.md"


def measure(kinds: Sequence[str], seed: int, num: int) -> dict[str, Mapping[str, int]]:
    """Run so many cases of each kind; print each fault as it is found.

    Returns:
        Number of each verdict, by kind.
    """
    schedule = Schedule(kinds, seed, SECONDS, num)
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        for result in run_cases(Path(folder), len(os.sched_getaffinity(0)), schedule.next_case):
            schedule.add(result)
            if result.judgement.verdict in FAULTS:
                print(describe(result), file=sys.stderr, flush=True)
    return {kind: {str(verdict): found[verdict] for verdict in Verdict} for kind, found in schedule.counts.items()}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = build_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of all changes (default: 0)")
    parser.add_argument("--num", type=int, default=400, help="cases of each kind (default: 400)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of input, by commas (default: all)")
    return parse_args(parser, argv, free=("seed", "num", "kinds"))


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    figures: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shlex.join(["python", "-m", "benchmarks.reliability", *(sys.argv[1:] if argv is None else argv)]),
        "seed": args.seed,
    }
    counts = measure(args.kinds.split(","), args.seed, 1 if args.quick else args.num)
    write_results(
        "reliability", args, figures | {"kinds": counts, "notes": {kind: KINDS[kind].note for kind in counts}}
    )
    if not args.quick and not args.output:
        update(DOCUMENT)
    return int(any(found[verdict] for found in counts.values() for verdict in FAULTS))


if __name__ == "__main__":
    raise SystemExit(main())
