"""One row of the corpus: a faulty input, the command that meets it, and what is expected."""

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from test.in_process import Ran

Command = Callable[[], Ran]
TRACEBACK = re.compile(r"Traceback \(most recent call last\)|this is a bug of|Segmentation fault|core dumped")


@dataclass(frozen=True)
class Fault:
    """A faulty input in a copy of test.world's folder, which is the working folder.

    Attributes:
        name: what is wrong.
        make: changes the folder.
        command: the script that meets the fault.
        status: its exit status.
        message: regular expressions; each is found in what the script logs.
        reason: why the first video failed, in the manifest of `folder`; empty: it is done or there is no manifest.
        folder: whose manifest has the video's state.
        absent: paths that do not exist afterwards.
        present: paths that still exist afterwards.
        line: the last line of stdout is an accuracy.
    """

    name: str
    make: Callable[[], object]
    command: Command
    status: int
    message: Sequence[str]
    reason: str = ""
    folder: str = ""
    absent: Sequence[str] = ()
    present: Sequence[str] = ()
    line: bool = False

    def check(self) -> None:
        """Make the input, run the command, and compare with what is expected."""
        self.make()
        ran = self.command()
        assert not TRACEBACK.search(ran.err), ran.err
        assert self.reason == "internal_error" or "internal_error" not in ran.err, ran.err
        assert ran.status == self.status, ran.err
        for pattern in self.message:
            assert re.search(pattern, ran.err), f"{pattern!r} is not in\n{ran.err}"
        assert self.line == ran.out.rstrip().endswith('"}'), ran.out
        assert [path for path in self.absent if Path(path).exists()] == []
        assert [path for path in self.present if not Path(path).exists()] == []
        if self.folder:
            first = json.loads(Path(self.folder, "manifest.json").read_text())["videos"]["0"]
            assert (first["state"], first.get("reason", "")) == ("failed" if self.reason else "done", self.reason)


def edit(path: str, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    """Make a change of a file's bytes."""
    return lambda: Path(path).write_bytes(change(Path(path).read_bytes()))


def write(path: str, content: bytes | str) -> Callable[[], object]:
    """Make a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda: Path(path).write_bytes(data)


def each(*changes: Callable[[], object]) -> Callable[[], object]:
    """Make several changes."""
    return lambda: [change() for change in changes]


def nothing() -> None:
    """Leave the folder as it is."""


def replace_by_pipe(path: str) -> Callable[[], object]:
    """Put a named pipe in the place of a file; a program that reads it waits for ever."""
    return each(Path(path).unlink, lambda: os.mkfifo(path))


def replace_by_folder(path: str) -> Callable[[], object]:
    """Put a folder in the place of a file."""
    return each(Path(path).unlink, Path(path).mkdir)


def flip_bit(data: bytes) -> bytes:
    """Flip a low bit of a byte near the end, which is of the values, not of a header."""
    place = len(data) - 6
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
