"""Tables and names in Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from x3d.errors import one_line
from x3d.files import printable


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def code(text: str) -> str:
    """Format a name as code, in which nothing is markup, in the cell of a table too."""
    escaped = one_line(printable(text)).replace("`", r"\x60").replace("|", r"\x7c")
    return f"`{escaped}`" if escaped.strip() else ""
