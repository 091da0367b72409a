"""Name the commit that a benchmark measures."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERATED = ("benchmarks/results", "*.md")
"""What benchmarks write."""


def git(*arguments: str) -> str:
    """Run git in the project's folder.

    Raises:
        ValueError: it cannot be run, or fails.
    """
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"git {arguments[0]} failed in {ROOT}; results need a clone that names their commit"
        ) from error


def read_commit() -> str:
    """Return the commit of the source.

    Raises:
        ValueError: files differ from it, or there is no git.
    """
    changed = git("status", "--porcelain", "--", ".", *(f":!{name}" for name in GENERATED))
    if changed:
        raise ValueError(f"commit first, so that the table names what was measured; changed files:\n{changed}")
    return git("rev-parse", "HEAD")


def has_git() -> bool:
    """Check whether this folder is a clone that git can read."""
    try:
        return bool(git("rev-parse", "HEAD"))
    except ValueError:
        return False


def is_ancestor(commit: str) -> bool:
    """Check whether a commit is HEAD or one before it."""
    try:
        git("merge-base", "--is-ancestor", commit, "HEAD")
    except ValueError:
        return False
    return True
