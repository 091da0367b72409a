"""Check results: complete, from the pinned environment, and of this history."""

import re
from collections.abc import Iterator

from benchmarks.commit import ROOT, has_git, is_ancestor, read_commit
from benchmarks.common import rounds_of
from benchmarks.labels import Results

_PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)


def find_problems(results: Results, pins: dict[str, str]) -> list[str]:
    """List what is wrong with results: quick, without commit, of other versions or of another number of rounds.

    Args:
        pins: version by package. A result that names PySlowFast's commit has that one's environment instead.
    """
    problems = []
    for name, result in results.items():
        problems += [f"{name}.json: {problem}" for problem in _problems(name, result, pins)]
    return problems


def _problems(name: str, result: Results, pins: dict[str, str]) -> Iterator[str]:
    if result.get("quick"):
        yield "of a --quick run; run it without"
        return
    if not result.get("commit"):
        yield "names no commit"
    rounds = result.get("rounds", rounds_of(name))
    if rounds != rounds_of(name):
        yield f"has {rounds} rounds instead of {rounds_of(name)}"
    if "pyslowfast" not in result:
        for package, version in result["machine"]["versions"].items():
            if package in pins and version.split("+")[0] != pins[package]:
                yield f"of {package} {version} instead of {pins[package]} (constraints.txt)"


def find_foreign(results: Results) -> list[str]:
    """List results whose commit is not in the history of HEAD, and changed files; nothing without git."""
    if not has_git():
        return []
    problems = [
        f"{name}.json: its commit {result['commit'][:7]} is not in the history of HEAD"
        for name, result in results.items()
        if result.get("commit") and not is_ancestor(result["commit"])
    ]
    try:
        read_commit()
    except ValueError as error:
        problems.append(str(error))
    return problems


def read_pins() -> dict[str, str]:
    """Read the versions that constraints.txt pins."""
    return dict(_PIN.findall((ROOT / "constraints.txt").read_text()))
