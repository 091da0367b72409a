"""Format numbers of the report for people: rounded, with their unit, of one width."""

from pathlib import PurePath

from x3d.scoring.accuracy import Share

MINUS = "\u2212"
NARROW_SPACE = "\u202f"
NONE = "\u2013"


def count(value: int | None) -> str:
    """Format a count: 19,761."""
    return NONE if value is None else f"{value:,}"


def quantity(value: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: 1 video, 19,761 videos."""
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def part(shown: int, total: int, noun: str, plural: str) -> str:
    """Format the number of shown rows, and of all if there are more: 200 of 757 videos, or 57 videos."""
    all_rows = quantity(total, noun, plural)
    return all_rows if shown == total else f"{count(shown)} of {all_rows}"


def percent(value: float | None, digits: int = 2) -> str:
    """Format a percentage: 73.75 %."""
    return NONE if value is None else f"{decimal(value, digits)}{NARROW_SPACE}%"


def share_percent(number: int, total: int) -> str:
    """Format a share with two decimals, rounded as in the JSON line of an accuracy: 3,377 of 4,000 are 84.43 %."""
    return f"{Share(number, total).percent}{NARROW_SPACE}%"


def decimal(value: float | None, digits: int = 2) -> str:
    """Format a number with a fixed number of decimals: 0.98."""
    return NONE if value is None else _with_minus(f"{value:.{digits}f}")


def points(value: float | None, digits: int = 2) -> str:
    """Format a difference of two percentages with its sign: +0.44, -0.10, 0.00."""
    text = decimal(value, digits)
    return f"+{text}" if value is not None and float(f"{value:.{digits}f}") > 0 else text


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Format an interval: 73.13 to 74.36."""
    return NONE if low is None or high is None else f"{decimal(low, digits)} to {decimal(high, digits)}"


def significant(value: float | None) -> str:
    """Format a number of any size with two significant digits: 0.0041, 1.2e-07."""
    return NONE if value is None else _with_minus(f"{value:.2g}")


def name_of(folder: str) -> str:
    """Name a folder by the last part of its path."""
    return PurePath(folder).name or folder


def sentence(text: str, verdict: str) -> str:
    """Format the sentence of a decision to stand below its verdict, as in `The drop is 2.` of `FAIL: the drop is 2`."""
    text = text.removeprefix(f"{verdict}: ")
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def _with_minus(text: str) -> str:
    """Write the sign as a minus, and none before a zero."""
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", MINUS)
