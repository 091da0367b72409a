"""Build inline SVG: elements, scales and axes. Sizes and positions are in units of the viewBox."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """Build an element; texts and attributes are escaped, and `stroke_width` names the attribute stroke-width."""
    written = [
        Markup(' {}="{}"').format(name.strip("_").replace("_", "-"), _number(value))
        for name, value in attributes.items()
    ]
    return Markup("<{0}{1}>{2}</{0}>").format(tag, Markup("").join(written), Markup("").join(map(escape, children)))


def figure(name: str, title: str, description: str, size: tuple[float, float], *parts: str) -> Markup:
    """Build a chart with the title and description that a screen reader reads in its place.

    Args:
        name: unique in the page.
        size: width and height.
    """
    return element(
        "svg",
        element("title", title, id=f"chart-{name}-title"),
        element("desc", description, id=f"chart-{name}-desc"),
        *parts,
        class_=f"chart {name}",
        viewBox=f"0 0 {_number(size[0])} {_number(size[1])}",
        role="img",
        aria_labelledby=f"chart-{name}-title chart-{name}-desc",
    )


def small(width: float, height: float, *parts: str) -> Markup:
    """Build a mark that repeats the numbers of its table row, which a screen reader skips."""
    return element("svg", *parts, class_="mark", viewBox=f"0 0 {_number(width)} {_number(height)}", aria_hidden="true")


def line(start: Point, stop: Point, class_: str) -> Markup:
    """Draw a line between two points."""
    return element("line", x1=start[0], y1=start[1], x2=stop[0], y2=stop[1], class_=class_)


def rectangle(corner: Point, opposite: Point, class_: str) -> Markup:
    """Draw a rectangle between two corners, in any order."""
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(corner, opposite, strict=True))
    return element("rect", x=left, y=top, width=round(right - left, 2), height=round(bottom - top, 2), class_=class_)


def dot(centre: Point, radius: float, class_: str = "dot") -> Markup:
    """Draw a filled circle."""
    return element("circle", cx=centre[0], cy=centre[1], r=radius, class_=class_)


def label(at: Point, content: str, class_: str = "tick", anchor: str = "middle") -> Markup:
    """Write text; `tick` is the class of numbers that belong to the scale and not to the data."""
    return element("text", content, x=at[0], y=at[1], text_anchor=anchor, class_=class_)


def polyline(points: Sequence[Point], class_: str) -> Markup:
    """Draw a line through points."""
    return element("polyline", points=_coordinates(points), class_=class_)


def polygon(points: Sequence[Point], class_: str) -> Markup:
    """Fill the area between points."""
    return element("polygon", points=_coordinates(points), class_=class_)


@dataclass(frozen=True)
class Scale:
    """Map the values from low to high to positions from start to stop.

    Attributes:
        unit: follows the number of each tick.
    """

    low: float
    high: float
    start: float
    stop: float
    unit: str = ""

    def __call__(self, value: float) -> float:
        """Return the position of a value, which stays within the scale."""
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start), 2)

    def ticks(self, num: int) -> list[tuple[float, str]]:
        """Choose about so many round values on the scale; return their positions and texts."""
        step = _round_step((self.high - self.low) / num)
        values = [step * i for i in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]
        return [(self(value), f"{value + 0:,.10g}".replace("-", "\u2212") + self.unit) for value in values]


def x_axis(scale: Scale, top: float, bottom: float, title: str, num_ticks: int = 5) -> Markup:
    """Draw vertical grid lines with numbers below, and the axis' title below them."""
    parts = [
        part
        for x, text in scale.ticks(num_ticks)
        for part in (line((x, top), (x, bottom), "grid"), label((x, bottom + 16), text))
    ]
    middle = (scale.start + scale.stop) / 2
    return element("g", *parts, label((middle, bottom + 34), title, "axis"))


def y_axis(scale: Scale, left: float, right: float, title: str, num_ticks: int = 5) -> Markup:
    """Draw horizontal grid lines with numbers on the left, and the axis' title above them."""
    parts = [
        part
        for y, text in scale.ticks(num_ticks)
        for part in (line((left, y), (right, y), "grid"), label((left - 6, y + 4), text, anchor="end"))
    ]
    return element("g", *parts, label((0, min(scale.start, scale.stop) - 12), title, "axis", "start"))


def _round_step(step: float) -> float:
    """Round a distance of ticks to 1, 2 or 5 times a power of ten, down by at most 30 %."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.7 * step)


def _coordinates(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
