"""Classes that the candidate of a comparison lost, as sentences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from x3d.report.formats import quantity
from x3d.scoring.comparison import ClassChange, Comparison
from x3d.scoring.lost_classes import Exchange, find_lost_classes

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

MAX_DESCRIBED = 2


def lost_class_rows(comparison: Comparison, names: "ClassNames") -> list[dict[str, Any]]:
    """Make a row of each lost class; two that are exchanged have one text."""
    return [
        {
            "class": lost.change.label,
            "text": _describe_exchange(lost.exchange, names) if lost.exchange else _describe_drop(lost.change, names),
        }
        for lost in find_lost_classes(comparison)
    ]


def describe_lost_classes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe the classes that lost most, and count the others.

    Args:
        rows: of lost_class_rows.
    """
    texts = list(dict.fromkeys(row["text"] for row in rows))[:MAX_DESCRIBED]
    num_more = sum(row["text"] not in texts for row in rows)
    more = f"{quantity(num_more, 'more class', 'more classes')} lost clearly more than the margin"
    return [*texts, *([more] if num_more else [])]


def _describe_drop(change: ClassChange, names: "ClassNames") -> str:
    return (
        f'"{names.name(change.label)}" lost {change.num_lost:,} of {quantity(change.num_videos, "video")} and gained '
        f"{change.num_gained:,} against the reference: a drop of {change.drop_points:.1f} points, 95 % interval "
        f"{change.low_points:.1f} to {change.high_points:.1f}"
    )


def _describe_exchange(exchange: Exchange, names: "ClassNames") -> str:
    one, other = (f'"{names.name(label)}"' for label in exchange.classes)
    confused, videos = exchange.num_confused, exchange.num_videos
    return (
        f"{one} and {other} are exchanged: the candidate predicts {confused[0]:,} of {quantity(videos[0], 'video')} of "
        f"{one} as {other} and {confused[1]:,} of {videos[1]:,} of {other} as {one}; check the class order of its model"
    )
