"""Make the tables of the documents from the results, so that no figure is typed by hand.

    python -m benchmarks.tables [--check]

Between `<!-- table: NAME -->` and `<!-- end -->` of each document comes the table NAME of benchmarks/result_tables.py.
With --check nothing is written, and the exit status is 1 when a document differs.
"""

import argparse
import re
import sys
from collections.abc import Sequence

from benchmarks.common import RESULTS, ROOT, load_results
from benchmarks.result_tables import TABLES, Results

DOCUMENTS = ("README.md", "benchmarks/README.md", "benchmarks/parity.md")
_SECTION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(document: str, folder: str, results: Results) -> str:
    """Replace the tables of a document.

    Args:
        folder: of the figures, as the document has to name it.
    Raises:
        ValueError: the document names a table that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise ValueError(f"there is no table {match[2]!r}; there are {', '.join(TABLES)}")
        return f"{match[1]}\n{TABLES[match[2]](results).replace('FIGURES', folder)}\n{match[3]}"

    return _SECTION.sub(replace, document)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a document differs")
    args = parser.parse_args(argv)
    results = load_results(RESULTS)
    quick = [name for name, result in results.items() if result["quick"]]
    if quick:
        raise ValueError(f"{', '.join(quick)} in {RESULTS}: of a --quick run, which says nothing; remove or run anew")
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        folder = "benchmarks/results" if path.parent == ROOT else "results"
        before = path.read_text()
        after = fill(before, folder, results)
        if before != after:
            stale.append(name)
            if not args.check:
                path.write_text(after)
    if args.check and stale:
        print(f"{', '.join(stale)} differ from the results; run python -m benchmarks.tables", file=sys.stderr)
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
