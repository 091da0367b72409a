"""Stand-ins for the tools of the NPU: scripts on PATH that record their arguments."""

import json
import os
import sys
from pathlib import Path

import pytest


class StandIns:
    """A folder in front of PATH, and the calls of what is in it."""

    def __init__(self, folder: Path, patches: pytest.MonkeyPatch) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._calls = folder / "calls.jsonl"
        patches.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(self, name: str, body: str = "") -> None:
        """Add a tool.

        Args:
            body: Python that it runs, with `arguments`, a list of str; empty: it only records them.
        """
        path = self.folder / name
        record = f"with open({str(self._calls)!r}, 'a') as file: print(json.dumps([{name!r}, *arguments]), file=file)"
        head = f"#!{sys.executable} -I\nimport json, os, signal, sys, time\narguments = sys.argv[1:]\n{record}\n"
        path.write_text(f"{head}{body}\n")
        path.chmod(0o755)

    def prints(self, name: str, text: str, status: int = 0) -> None:
        """Add a tool that prints a text and ends."""
        self.add(name, f"sys.stdout.write({text!r})\nsys.exit({status})")

    @property
    def calls(self) -> list[list[str]]:
        """Names and arguments of the tools that were run."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines()]
