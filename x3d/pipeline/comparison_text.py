"""Describe a comparison in sentences: the verdict, and how the conditions of the runs differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from x3d.errors import counted
from x3d.scoring.comparison import Comparison
from x3d.scoring.noninferiority import Decision, Verdict, smallest_passing

FEW_FLIPS = 0.01
"""A share of flips, for an example of how many videos pass with them."""
_CONTAINERS = ("provenance", "views", "config")
"""Keys of conditions of results whose content an evaluation records without them."""
_NOT_COMPARED = ("config_digest", "not_checked")


def describe_decision(comparison: Comparison) -> str:
    """Describe the verdict in one sentence, and what would decide it.

    Args:
        comparison: one with a decision.
    """
    decision = comparison.decision
    assert decision
    videos, margin = counted(comparison.num_labelled, "video"), f"{decision.margin_points:g}"
    if decision.verdict is Verdict.UNDECIDED and not (comparison.lost | comparison.gained).any():
        with_few = smallest_passing(FEW_FLIPS, decision.margin_points)
        return (
            f"UNDECIDED: {videos} cannot show a loss below {margin} points; {decision.num_videos_to_decide} without "
            f"any flip would, or {with_few} with 1 % of flips, as many lost as gained"
        )
    drop = f"{decision.drop_points:.3f} points on {videos}"
    limits = f"one-sided 95 % limits {decision.low_points:.3f} and {decision.high_points:.3f}"
    return f"{decision.verdict}: the drop of top-1 is {drop}, with {limits}; {_conclude(decision, margin)}"


def _conclude(decision: Decision, margin: str) -> str:
    if decision.verdict is Verdict.PASS:
        return f"the upper one is below the margin of {margin}"
    if decision.verdict is Verdict.FAIL:
        return f"the lower one is above the margin of {margin}"
    number = f"{decision.num_videos_to_decide} videos" if decision.num_videos_to_decide else "no number of videos"
    return f"the margin of {margin} is between them; with the same shares of lost and gained {number} would decide"


def list_differences(reference: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    """List what two runs were made with that differs; keys that only one records are one text each."""
    ours, theirs = dict(_flatten(reference)), dict(_flatten(candidate))
    differences = [
        f"{key}: {ours[key]} in the reference, {theirs[key]} in the candidate"
        for key in sorted(ours.keys() & theirs.keys())
        if ours[key] != theirs[key]
    ]
    for run, one, other in (("reference", ours, theirs), ("candidate", theirs, ours)):
        if alone := sorted(one.keys() - other.keys()):
            differences.append(f"recorded of the {run} only: {', '.join(f'{key} {one[key]}' for key in alone)}")
    return differences


def _flatten(conditions: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the innermost keys and their values; what encloses others comes last, so that it counts if both exist."""
    inner = {key: value for key, value in conditions.items() if isinstance(value, Mapping)}
    for key, value in inner.items():
        yield from _flatten(value, prefix if key in _CONTAINERS else f"{prefix}{key}: ")
    for key, value in conditions.items():
        if key not in inner and key not in _NOT_COMPARED and value is not None:
            yield f"{prefix}{key}", value
