"""Generate the tables of the documents from the results.

    python -m benchmarks.tables [--check]

The table NAME of TABLES replaces the text between `<!-- table: NAME -->` and `<!-- end -->` of each document. With
--check nothing is written, and the exit status is 1 if a document differs, a result is not from the pinned environment,
the number of rounds of its script and a commit before HEAD, the results of speed are not from one commit, or files
differ from HEAD.
"""

import argparse
import re
import sys
from collections.abc import Sequence

from benchmarks import (
    evidence_tables,
    float16_tables,
    inference_tables,
    reliability_tables,
    result_tables,
    speed_tables,
)
from benchmarks.checks import find_foreign, find_problems, read_pins
from benchmarks.common import RESULTS, ROOT, load_results
from benchmarks.labels import Results

DOCUMENTS = (
    "README.md",
    "README.zh-CN.md",
    "benchmarks/README.md",
    "benchmarks/parity.md",
    "benchmarks/reliability.md",
    "benchmarks/evidence.md",
)
_MODULES = (inference_tables, result_tables, speed_tables, float16_tables, reliability_tables, evidence_tables)
TABLES = {name: make for module in _MODULES for name, make in module.TABLES.items()}
_SECTION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(document: str, folder: str, results: Results) -> str:
    """Replace the tables of a document.

    Args:
        folder: of the figures, relative to the document.
    Raises:
        ValueError: the document names a table that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise ValueError(f"no table {match[2]!r}; tables: {', '.join(TABLES)}")
        return f"{match[1]}\n{TABLES[match[2]](results).replace('FIGURES', folder)}\n{match[3]}"

    return _SECTION.sub(replace, document)


def update(name: str) -> None:
    """Replace the tables of a document by those of the results."""
    _update(name, load_results(RESULTS), check=False)


def _update(name: str, results: Results, check: bool) -> bool:
    """Check whether the tables of a document differ from the results, and replace them unless `check`."""
    path = ROOT / name
    before = path.read_text()
    after = fill(before, "benchmarks/results" if path.parent == ROOT else "results", results)
    if before != after and not check:
        path.write_text(after)
    return before != after


def stale_documents(results: Results, check: bool) -> list[str]:
    """List the documents whose tables differ from the results, and replace these unless `check`."""
    return [name for name in DOCUMENTS if _update(name, results, check)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a document differs")
    args = parser.parse_args(argv)
    results = load_results(RESULTS)
    quick = [name for name, result in results.items() if result["quick"]]
    if quick:
        raise ValueError(f"{', '.join(quick)} in {RESULTS}: results of a --quick run; run it without --quick")
    stale = stale_documents(results, args.check)
    if not args.check:
        return 0
    problems = find_problems(results, read_pins()) + find_foreign(results)
    if stale:
        problems.append(f"{', '.join(stale)} differ from the results; run python -m benchmarks.tables")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
