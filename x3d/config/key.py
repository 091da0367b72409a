"""One configuration key: its default, its meaning and the values it accepts."""

import ast
import contextlib
import json
import math
import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

MAX_NUMBER = 2**31 - 1

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""All but the tab, which a list may have between path and label."""

Value: TypeAlias = "bool | int | float | str | list[Value]"


@dataclass(frozen=True)
class Key:
    """A configuration key; its type is that of the default.

    Attributes:
        allowed: the only values that are accepted; empty: all.
        minimum, maximum: least and largest value, of a list of each item.
        length: how many numbers a list holds.
        decides_views: views made with different values are never mixed in one folder.
        is_read: False: accepted and ignored, so that PySlowFast's yaml files load.
    """

    name: str
    default: Value
    description: str
    allowed: tuple[Value, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    length: int | None = None
    decides_views: bool = False
    is_read: bool = True

    def parse(self, value: object) -> Value:
        """Convert a value of a yaml file or a command line to the key's type.

        Raises:
            ValueError: it is of another type, not finite, or text with control characters; the text holds the value.
        """
        parsed = value
        if isinstance(self.default, str):
            parsed = "" if value is None else value if isinstance(value, list | dict | bool) else str(value)
        elif isinstance(value, str):
            with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                parsed = ast.literal_eval(value)
        if isinstance(self.default, float) and type(parsed) is int:
            parsed = float(parsed)
        if isinstance(self.default, list) and isinstance(parsed, tuple):
            parsed = list(parsed)
        kind = type(self.default)
        if type(parsed) is not kind or not all(map(_is_usable, _numbers(parsed))):
            got = "no value" if value is None else shorten(value)
            raise ValueError(f"{kind.__name__} expected (such as {self.default!r}), got {got}")
        if isinstance(parsed, str) and _CONTROL.search(parsed):
            raise ValueError(f"text without control characters expected, got {shorten(parsed)}")
        return parsed

    def accepts(self, value: Value) -> bool:
        """Check a parsed value against the key's limits."""
        if self.allowed:
            return value in self.allowed
        if self.minimum is None and self.maximum is None and self.length is None:
            return True
        items = value if isinstance(value, list) else [value]
        return len(items) == (self.length or 1) and all(_is_number(item) and self._is_within(item) for item in items)

    def _is_within(self, number: int | float) -> bool:
        least = -math.inf if self.minimum is None else self.minimum
        most = MAX_NUMBER if self.maximum is None else self.maximum
        return least <= number <= most

    @property
    def limits(self) -> str:
        """Format the values that are accepted: `"sum" or "max"`, `at least 1`, `1 to 100`; empty: all of the type."""
        if self.allowed:
            *others, last = map(spell, self.allowed)
            return f"{', '.join(others)} or {last}" if others else last
        least = "" if self.minimum is None else f"at least {self.minimum:g}"
        if self.minimum is not None and self.maximum is not None:
            least = f"{self.minimum:g} to {self.maximum:,}"
        if self.length is None:
            return least
        return f"{self.length} numbers" + (f", each {least}" if least else "")


def _numbers(value: object) -> Iterator[int | float]:
    """Yield a number, or those in a list and its lists."""
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def _is_usable(number: int | float) -> bool:
    """Check that a number is finite and within what C libraries take."""
    return -MAX_NUMBER <= number <= MAX_NUMBER


def shorten(value: object) -> str:
    """Format a value for a message, of a long one its beginning and end."""
    limited = reprlib.Repr()
    limited.maxstring = limited.maxother = limited.maxlong = 80
    return limited.repr(value)


def _is_number(item: Value) -> TypeGuard[int | float]:
    return type(item) in (int, float)


def spell(value: Value) -> str:
    """Format a value as a Python literal with double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)
