"""Run the benchmarks of speed one after the other, then draw the figures and fill the tables.

    python -m benchmarks.all

From a clean commit, on an idle machine. The seconds of each are logged. The benchmarks of the whole validation set
(scoring, report, manifest), of reliability and of mutations, and parity, which needs PySlowFast, are run by themselves.
"""

import subprocess
import sys
import time

from benchmarks.commit import ROOT, read_commit

MODULES = ("preprocess", "end_to_end", "inference", "precision", "float16", "scaling", "plot", "tables")


def main() -> None:
    print(f"commit {read_commit()}", file=sys.stderr)
    for name in MODULES:
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
