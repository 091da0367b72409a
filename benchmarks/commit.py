"""Name the commit that a benchmark measures."""

import subprocess

from benchmarks.common import ROOT

GENERATED = ("benchmarks/results", "*.md")
"""What benchmarks write."""


def read_commit() -> str:
    """Return the commit of the source.

    Raises:
        ValueError: files differ from it.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", *(f":!{name}" for name in GENERATED))
    if changed:
        raise ValueError(f"commit first, so that the table names what was measured; changed files:\n{changed}")
    return git("rev-parse", "HEAD")
