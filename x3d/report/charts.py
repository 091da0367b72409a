"""The charts of the report, from the values of report.json; positions are computed, numbers are only formatted."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from x3d.report.formats import count, decimal, interval, percent, points, quantity, share_percent
from x3d.report.svg import (
    Scale,
    dot,
    element,
    figure,
    label,
    line,
    polygon,
    polyline,
    rectangle,
    x_axis,
    y_axis,
)

Values = Mapping[str, Any]


def reliability(calibration: Values, name: str, what: str) -> Markup:
    """Draw the accuracy of each bin with its interval over its confidence; the diagonal is perfect calibration.

    Args:
        calibration: an item of report["calibration"].
        name: unique in the page.
        what: videos or views.
    """
    x, y = Scale(0, 100, 44, 344, "\u202f%"), Scale(0, 100, 330, 30, "\u202f%")
    marks = [
        part
        for b in calibration["bins"]
        for part in (
            line((x(b["low"]), y(b["accuracy"])), (x(b["high"]), y(b["accuracy"])), "faint"),
            line((x(b["confidence"]), y(b["accuracy_low"])), (x(b["confidence"]), y(b["accuracy_high"])), "range"),
            dot((x(b["confidence"]), y(b["accuracy"])), 3.5),
        )
    ]
    accuracy = share_percent(calibration["num_correct"], calibration["num_videos"])
    description = (
        f"Mean confidence {percent(calibration['mean_confidence_percent'])}, accuracy {accuracy}. Dots above the "
        "diagonal are bins in which the model is more often right than it claims."
    )
    return figure(
        f"reliability-{name}",
        f"Reliability of {what}",
        description,
        (370, 372),
        x_axis(x, 30, 330, "mean confidence"),
        y_axis(y, 44, 344, "accuracy"),
        line((x(0), y(0)), (x(100), y(100)), "reference"),
        label((344, 18), "above the diagonal: under-confident", "hint", "end"),
        *marks,
    )


def calibration_error(calibration: Values, name: str, what: str) -> Markup:
    """Draw the calibration error with its interval beside what a perfectly calibrated model reads."""
    top = max(calibration["ece_high_percent"], calibration["null_high_percent"], 1.0) * 1.1
    x = Scale(0, top, 20, 350, "\u202f%")
    ece, null = calibration["ece_percent"], calibration["null_ece_percent"]
    low, high = calibration["ece_low_percent"], calibration["ece_high_percent"]
    return figure(
        f"ece-{name}",
        f"Calibration error of {what} and its null level",
        f"The calibration error is {percent(ece)}, 95 % interval {interval(low, high)}; a perfectly calibrated model "
        f"reads {percent(null)} on average and up to {percent(calibration['null_high_percent'])}.",
        (370, 80),
        x_axis(x, 8, 42, "expected calibration error", 4),
        rectangle((x(0), 8), (x(calibration["null_high_percent"]), 42), "band"),
        line((x(null), 8), (x(null), 42), "reference"),
        line((x(low), 25), (x(high), 25), "range"),
        dot((x(ece), 25), 4.5),
    )


def coverage(curve: Sequence[Values]) -> Markup:
    """Draw the accuracy of the most confident share of the videos over the share."""
    lowest = min(point["low"] for point in curve)
    x, y = Scale(0, 100, 44, 416, "\u202f%"), Scale(max(0, (lowest - 8) // 10 * 10), 100, 250, 30, "\u202f%")
    upper = [(x(point["coverage_percent"]), y(point["high"])) for point in curve]
    lower = [(x(point["coverage_percent"]), y(point["low"])) for point in curve]
    middle = [(x(point["coverage_percent"]), y(point["accuracy_percent"])) for point in curve]
    first, last = curve[0], curve[-1]
    of_first, of_all = (share_percent(point["num_correct"], point["num_videos"]) for point in (first, last))
    return figure(
        "coverage",
        "Accuracy against coverage",
        f"Of the most confident {percent(first['coverage_percent'], 0)} of the videos "
        f"{of_first} are right, of {percent(last['coverage_percent'], 0)} {of_all}.",
        (440, 292),
        x_axis(x, 30, 250, "share of the videos, most confident first"),
        y_axis(y, 44, 416, "accuracy of the share"),
        polygon([*upper, *reversed(lower)], "band"),
        polyline(middle, "curve"),
        *(dot(at, 2.5) for at in middle),
        label((middle[-1][0], middle[-1][1] + 18), of_all, "value", "end"),
    )


def agreement(rows: Sequence[Values]) -> Markup:
    """Draw how many videos have so many views that agree: right ones below, then wrong, then those without a label."""
    num_views = max(row["num_agreeing"] for row in rows)
    y = Scale(0, max(row["num_videos"] for row in rows), 250, 30)
    x = Scale(-0.5, num_views + 0.5, 52, 430)
    half_width = min(x(1) - x(0), 40) * 0.36
    bars: list[Markup] = []
    for row in rows:
        left, right = x(row["num_agreeing"]) - half_width, x(row["num_agreeing"]) + half_width
        levels = [y(n) for n in (0, row["num_correct"] or 0, row["num_labelled"], row["num_videos"])]
        for class_, bottom, top in zip(("bar-gained", "bar-lost", "bar-soft"), levels, levels[1:], strict=False):
            bars.append(rectangle((left, bottom), (right, top), class_))
    every = max(1, -(-num_views // 10))
    numbers = [label((x(n), 266), count(n)) for n in range(0, num_views + 1, every)]
    return figure(
        "agreement",
        "Views that agree with their own video",
        f"In {quantity(rows[-1]['num_videos'], 'video')} all {count(num_views)} views agree.",
        (440, 292),
        y_axis(y, 52, 430, "videos"),
        *bars,
        *numbers,
        label((241, 284), f"views that agree, of {count(num_views)}", "axis"),
    )


def weakest_first(classes: Sequence[Values]) -> list[Values]:
    """Order classes by the upper limit of their interval; those without a video follow."""
    return sorted(classes, key=lambda c: (c["high"] is None, c["high"] or 0, c["low"] or 0))


def all_classes(classes: Sequence[Values]) -> Markup:
    """Draw every class with its interval, ordered by the upper limit."""
    measured = [c for c in weakest_first(classes) if c["percent"] is not None]
    x, y = Scale(0, len(measured), 72, 886), Scale(0, 100, 190, 14, "\u202f%")
    ranges, dots = [], []
    for i, c in enumerate(measured):
        centre = x(i + 0.5)
        ranges.append(f"M{centre:g} {y(c['low']):g}V{y(c['high']):g}")
        dots.append(f"M{centre:g} {y(c['percent']):g}h0")
    worst, best = measured[0], measured[-1]
    return figure(
        "all-classes",
        "Top-1 accuracy of every class with its 95 % interval",
        f"Classes from the lowest upper limit, {percent(worst['high'], 1)}, to the highest, "
        f"{percent(best['high'], 1)}; the table below has every number.",
        (890, 200),
        element("g", *(line((72, at), (886, at), "grid") for at, _ in y.ticks(4))),
        element("g", *(label((66, at + 4), text, anchor="end") for at, text in y.ticks(4))),
        element("path", d="".join(ranges), class_="thin-range"),
        element("path", d="".join(dots), class_="thin-dot"),
    )


def drop(decision: Values) -> Markup:
    """Draw the drop of the accuracy with its limits, and the margin that its upper limit must stay below."""
    low, high, margin = (decision[key] for key in ("low_points", "high_points", "margin_points"))
    reach = max(abs(low), abs(high), margin) * 1.15
    x = Scale(min(low, -margin / 2) - 0.1 * reach, max(high, margin) + 0.1 * reach, 12, 508)
    return figure(
        "drop",
        "Drop of the top-1 accuracy against the margin",
        f"The drop is {points(decision['drop_points'], 3)} points, limits {interval(low, high, 3)}; "
        f"the margin is {decimal(margin, 3)} points.",
        (520, 118),
        rectangle((x.start, 26), (x(margin), 74), "band"),
        x_axis(x, 26, 74, "drop of top-1, points (below zero: the candidate is better)", 6),
        line((x(0), 26), (x(0), 74), "zero"),
        line((x(margin), 18), (x(margin), 74), "limit"),
        label((x(margin), 12), f"margin {decimal(margin, 3)}", "value", "end" if x(margin) > 400 else "middle"),
        line((x(low), 50), (x(high), 50), "range wide"),
        line((x(low), 43), (x(low), 57), "range"),
        line((x(high), 43), (x(high), 57), "range"),
        dot((x(decision["drop_points"]), 50), 6),
    )
