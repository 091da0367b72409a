"""Marks within the rows of tables: they draw the numbers that stand beside them."""

from markupsafe import Markup

from x3d.report.svg import Scale, dot, line, rectangle, small

WIDTH, HEIGHT = 120, 12
MIDDLE = HEIGHT / 2


def interval_mark(low: float | None, value: float | None, high: float | None) -> Markup:
    """Draw a percentage and its interval on the scale from 0 to 100 %."""
    if low is None or value is None or high is None:
        return Markup("")
    x = Scale(0, 100, 4, WIDTH - 4)
    return small(
        WIDTH,
        HEIGHT,
        line((0, MIDDLE), (WIDTH, MIDDLE), "track"),
        line((x(low), MIDDLE), (x(high), MIDDLE), "range wide"),
        dot((x(value), MIDDLE), 3),
    )


def count_mark(value: int, highest: int) -> Markup:
    """Draw a count as a bar, as a share of the highest of the table."""
    x = Scale(0, highest, 0, WIDTH)
    return small(WIDTH, HEIGHT, rectangle((0, 2), (x(value), HEIGHT - 2), "bar"))


def two_sided_mark(left: int, right: int, highest: int, left_class: str, right_class: str) -> Markup:
    """Draw two counts as bars to both sides of a middle line."""
    x = Scale(-highest, highest, 0, WIDTH)
    return small(
        WIDTH,
        HEIGHT,
        rectangle((x(-left), 2), (x(0), HEIGHT - 2), left_class),
        rectangle((x(0), 2), (x(right), HEIGHT - 2), right_class),
        line((x(0), 0), (x(0), HEIGHT), "zero"),
    )
