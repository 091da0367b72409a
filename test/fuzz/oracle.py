"""Decide whether a changed input was noticed."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from test.faults.row import TRACEBACK
from test.in_process import Ran

Product = Mapping[str, str]
"""What the scripts made of an input: name -> digest."""


class Verdict(StrEnum):
    """What came of a changed input.

    Attributes:
        NOTICED: rejected or reported, with the name of the file.
        HARMLESS: the same product as of the intact input.
        UNDETECTABLE: another product, of an input that carries nothing to recognise the change by.
        SILENT: another product, and no report.
        TRACEBACK: a traceback, an internal error, or a process that died.
        HANG: no end within the limit.
        MISLEADING: rejected without the name of the file.
    """

    NOTICED = "noticed"
    HARMLESS = "harmless"
    UNDETECTABLE = "undetectable"
    SILENT = "silent"
    TRACEBACK = "traceback"
    HANG = "hang"
    MISLEADING = "misleading"


FAULTS = (Verdict.SILENT, Verdict.TRACEBACK, Verdict.HANG, Verdict.MISLEADING)


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on."""

    verdict: Verdict
    detail: str = ""


class ScriptError(Exception):
    """A script did not end with 0."""

    def __init__(self, ran: Ran) -> None:
        super().__init__(ran.err)
        self.ran = ran


class TracebackError(ScriptError):
    """A script ended with a traceback or an internal error."""


class ContradictionError(Exception):
    """Two scripts treat the same input differently; the text says how."""


def completed(*all_ran: Ran, statuses: Iterable[int] = (0,)) -> str:
    """Check scripts that ran; return what they logged.

    Raises:
        TracebackError: one printed a traceback, reported an internal error, or ended with an unknown status.
        ScriptError: one ended with another status than these.
    """
    for ran in all_ran:
        if TRACEBACK.search(ran.err) or "internal_error" in ran.err or ran.status not in (0, 1, 2, 3):
            raise TracebackError(ran)
        if ran.status not in statuses:
            raise ScriptError(ran)
    return "".join(ran.err for ran in all_ran)


def judge(
    route: Callable[[], tuple[Product, str]], intact: Product, names: str, is_undetectable: Callable[[], bool]
) -> Judgement:
    """Run a changed input through its route and compare the product with the intact input's.

    Args:
        route: returns the product, and what the scripts logged.
        names: regular expression that a message which names the file matches.
        is_undetectable: asked only for another product without a report.
    """
    try:
        product, logged = route()
    except TracebackError as broken:
        return Judgement(Verdict.TRACEBACK, _last_lines(broken.ran))
    except ScriptError as stopped:
        named = re.search(names, stopped.ran.err)
        return Judgement(Verdict.NOTICED if named else Verdict.MISLEADING, _last_lines(stopped.ran))
    except ContradictionError as contradiction:
        return Judgement(Verdict.SILENT, str(contradiction))
    differing = sorted(key for key in {*product, *intact} if product.get(key) != intact.get(key))
    if not differing:
        return Judgement(Verdict.HARMLESS)
    if re.search(names, _warnings(logged)):
        return Judgement(Verdict.NOTICED, _warnings(logged))
    verdict = Verdict.UNDETECTABLE if is_undetectable() else Verdict.SILENT
    return Judgement(verdict, f"other {', '.join(differing[:5])}")


def _last_lines(ran: Ran) -> str:
    lines = [line for line in ran.err.splitlines() if line.strip() and not re.search(r"\[INFO\]|\d%\|", line)]
    return f"{ran.arguments[0]} ended with {ran.status}: " + "\n    ".join(line[:300] for line in lines[-6:])


def _warnings(logged: str) -> str:
    """Keep warnings and errors with the lines that belong to them."""
    parts = re.split(r"^(?=\[[A-Z]+\])", logged, flags=re.MULTILINE)
    return "".join(part for part in parts if part.startswith(("[WARNING]", "[ERROR]")))
