"""Check results: complete, from the pinned environment, and of this history."""

import re
from collections.abc import Iterable, Iterator

from benchmarks.commit import ROOT, has_git, is_ancestor, read_commit
from benchmarks.common import SPEED, rounds_of
from benchmarks.labels import Results

_PIN = re.compile(r"^([\w.-]+)==(\S+)$", re.MULTILINE)
_VIDEO = ("numpy", "av", "opencv-python-headless")
_NETWORK = (*_VIDEO, "torch", "openvino")
USED = {
    "preprocess": _VIDEO,
    "end_to_end": _NETWORK,
    "inference": (*_NETWORK, "onnxruntime"),
    "precision": (*_NETWORK, "scipy"),
    "float16": (*_NETWORK, "scipy"),
    "scaling": (*_NETWORK, "ray"),
    "report": ("numpy", "scipy"),
    "manifest": _VIDEO,
    "reliability": _NETWORK,
    "signals": _NETWORK,
    "evidence": ("numpy", "scipy"),
}
"""Packages on which a benchmark's figures depend; of one that is not listed numpy."""


def find_problems(results: Results, pins: dict[str, str]) -> list[str]:
    """List what is wrong with results: quick, without commit, of other versions, rounds or commits.

    Args:
        pins: version by package. A result that names PySlowFast's commit has that one's environment instead.
    """
    problems = []
    for name, result in results.items():
        problems += [f"{name}.json: {problem}" for problem in _problems(name, result, pins)]
    commits = {name: results[name]["commit"][:7] for name in SPEED if results.get(name, {}).get("commit")}
    if len(set(commits.values())) > 1:
        named = ", ".join(f"{name} of {commit}" for name, commit in commits.items())
        problems.append(f"speed is of different commits: {named}; run python -m benchmarks.all")
    return problems


def _problems(name: str, result: Results, pins: dict[str, str]) -> Iterator[str]:
    if result.get("quick"):
        yield "of a --quick run; run it without"
        return
    if not result.get("commit"):
        yield "names no commit"
    rounds = result.get("rounds", 0)
    if rounds != rounds_of(name):
        yield f"has {rounds} rounds instead of {rounds_of(name)}"
    if "pyslowfast" not in result:
        yield from _other_versions(result["machine"]["versions"], USED.get(name, ("numpy",)), pins)


def _other_versions(versions: dict[str, str], used: Iterable[str], pins: dict[str, str]) -> Iterator[str]:
    for package in sorted(pins.keys() & (versions.keys() | used)):
        if package not in versions:
            yield f"names no version of {package}"
        elif versions[package].split("+")[0] != pins[package]:
            yield f"of {package} {versions[package]} instead of {pins[package]} (constraints.txt)"


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
