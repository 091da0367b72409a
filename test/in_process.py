"""Run scripts in this process and capture everything they print, also from libraries in C."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Ran:
    """What a script returned and printed."""

    status: int = -1
    out: str = ""
    err: str = ""
    arguments: Sequence[str] = field(default_factory=list)


def run_script(name: str, arguments: Sequence[str]) -> Ran:
    """Run `main(arguments)` of a script as a process would: an exception is a traceback on stderr and status 1."""
    ran = Ran(arguments=[name, *arguments])
    main = importlib.import_module(name).main
    with _captured(ran):
        try:
            ran.status = main(list(arguments))
        except SystemExit as error:
            ran.status = error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            traceback.print_exc()
            ran.status = 1
    return ran


@contextlib.contextmanager
def _captured(ran: Ran) -> Iterator[None]:
    """Send stdout and stderr, as descriptors and in Python, to files; let the script set up logging anew."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _redirected(1, out.fileno(), "stdout"), _redirected(2, err.fileno(), "stderr"):
            root.handlers[:] = []
            try:
                yield
            finally:
                root.handlers[:] = handlers
                root.setLevel(level)
        for file, name in ((out, "out"), (err, "err")):
            file.seek(0)
            setattr(ran, name, file.read().decode(errors="replace"))


@contextlib.contextmanager
def _redirected(descriptor: int, target: int, name: str) -> Iterator[None]:
    stream: TextIO = getattr(sys, name)
    stream.flush()
    saved = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as replaced:
            setattr(sys, name, replaced)
            yield
    finally:
        setattr(sys, name, stream)
        os.dup2(saved, descriptor)
        os.close(saved)
