"""Stop scripts with signals at moments spread over their duration, and count what is left.

    python -m benchmarks.signals [--num 200]

What a trial does and when it fails: python -m test.stop_at_moments --help. Writes results/signals.json and from it the
table of benchmarks/reliability.md.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.common import build_parser, parse_args, write_results
from benchmarks.tables import update
from test.stop_at_moments import run

DOCUMENT = "benchmarks/reliability.md"


def measure(num: int) -> list[dict[str, Any]]:
    """Run trials; return the number of them and of those with a problem, by script and signals."""
    counts: dict[tuple[str, str], list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for script, signals, share, problems in tqdm(run(num, Path(folder)), total=num, disable=None):
            found = counts.setdefault((script, signals), [0, 0])
            found[0] += 1
            found[1] += bool(problems)
            for problem in problems:
                print(f"{script}, {signals} at {share:.3f}: {problem}", file=sys.stderr, flush=True)
    return [
        {"script": script, "signals": signals, "trials": trials, "with_a_problem": failed}
        for (script, signals), (trials, failed) in sorted(counts.items())
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__)
    parser.add_argument("--num", type=int, default=200, help="trials (default: 200)")
    args = parse_args(parser, argv)
    counts = measure(3 if args.quick else args.num)
    write_results("signals", args, {"counts": counts})
    if not args.quick and not args.output:
        update(DOCUMENT)
    return int(any(count["with_a_problem"] for count in counts))


if __name__ == "__main__":
    raise SystemExit(main())
