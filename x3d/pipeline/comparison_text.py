"""Describe a comparison in sentences: the verdict, what changed, and how the conditions of the runs differ."""

import re
from collections.abc import Mapping
from typing import Any

from x3d.dataset.known_sets import KNOWN_SETS
from x3d.errors import MAX_NAMED, counted, shorten_list
from x3d.report.document import flatten
from x3d.scoring.accuracy import Share
from x3d.scoring.comparison import Comparison
from x3d.scoring.noninferiority import MAX_VIDEOS, Decision, Verdict, smallest_passing
from x3d.storage.provenance import UNRECORDED

FEW_FLIPS = 0.01
"""A share of flips, for an example of how many videos pass with them."""
RUNS = ("reference", "candidate")
NO_LABELS = "no compared video has a label, so there is no verdict, only agreement"
_CONTAINERS = re.compile(r"^((provenance|views|config)\.)+")
"""Keys of the conditions of results whose content an evaluation records without them."""
_NOT_COMPARED = {
    *("config_digest", "not_checked", "outfmt", "score_format", "outputs", "X3D_POSTPROCESS.SOFTMAX"),
    *("num_classes", "num_videos", "views_per_video", "X3D_PREPROCESS.FORMAT"),
}
"""Conditions that repeat others, do not change scores, or are compared when the videos are paired."""


def describe_decision(comparison: Comparison) -> str:
    """Describe the verdict in one sentence, and what would decide it.

    Args:
        comparison: one with a decision.
    """
    decision = comparison.decision
    assert decision
    videos, margin = counted(comparison.num_labelled, "video"), f"{decision.margin_points:g}"
    if decision.verdict is Verdict.UNDECIDED and not (comparison.lost | comparison.gained).any():
        enough, with_flips = (
            number or f"more than {MAX_VIDEOS}"
            for number in (decision.num_videos_to_decide, smallest_passing(FEW_FLIPS, decision.margin_points))
        )
        return (
            f"UNDECIDED: {videos} cannot show a loss below {margin} points; {enough} without any flip would, or "
            f"{with_flips} with 1 % of flips, as many lost as gained"
        )
    drop = f"{decision.drop_points:.3f} points on {videos}"
    limits = f"one-sided 95 % limits {decision.low_points:.3f} and {decision.high_points:.3f}"
    return f"{decision.verdict}: the drop of top-1 is {drop}, with {limits}; {_conclude(decision, margin)}"


def _conclude(decision: Decision, margin: str) -> str:
    if decision.verdict is Verdict.PASS:
        return f"the upper one is below the margin of {margin}"
    if decision.verdict is Verdict.FAIL:
        return f"the lower one is above the margin of {margin}"
    number = decision.num_videos_to_decide
    return (
        f"the margin of {margin} is between them; with the same shares of lost and gained "
        f"{number or f'no number up to {MAX_VIDEOS}'} videos would decide{_advise(number)}"
    )


def _advise(num_videos: int | None) -> str:
    """Advise what to do if more videos would have to decide than there are."""
    if num_videos and num_videos <= max(KNOWN_SETS):
        return ""
    more = ", more than Kinetics-400's validation set has" if num_videos else ""
    return f"{more}; change the conversion, or agree on another margin"


def describe_comparison(content: Mapping[str, Any]) -> list[str]:
    """Describe what a reader must know, in a handful of sentences.

    Args:
        content: of comparison.json.
    """
    decision = content["decision"]
    accuracy = _describe_accuracy(content) if decision else []
    return [*accuracy, *describe_agreement(content), decision["text"] if decision else NO_LABELS]


def _describe_accuracy(content: Mapping[str, Any]) -> list[str]:
    runs = [
        f"{run} {content[run]['folder']}: top-1 {format_share(content[run]['top1'])}, "
        f"top-5 {format_share(content[run]['top5'])}"
        for run in RUNS
    ]
    classes = [
        f"{row['name']} ({row['lost']} of {row['num_videos']}, {row['gained']} gained)"
        for row in content["classes"]
        if row["lost"]
    ]
    total = f", of {len(classes)} classes that lost" if len(classes) > MAX_NAMED else ""
    flips = f"{_count_flips(content, 'lost')}, {_count_flips(content, 'gained')}"
    return [
        *runs,
        f"{flips}; exact McNemar p {content['mcnemar_p']:.2g}; among the five best classes "
        f"{content['top5_lost']} lost, {content['top5_gained']} gained",
        *([f"classes that lost most: {shorten_list(classes)}{total}"] if classes else []),
    ]


def format_share(share: Mapping[str, Any]) -> str:
    """Format a share with its counts and interval, rounded as in the JSON line of an accuracy."""
    return str(Share(share["num_correct"], share["num_videos"]))


def _count_flips(content: Mapping[str, Any], kind: str) -> str:
    """Count the lost or gained videos and name the first, as far as the content lists them."""
    number = content[kind]
    paths = [flip["path"] for flip in content["flips"] if flip["kind"] == kind]
    is_named = paths and len(paths) >= min(number, MAX_NAMED)
    named = f" ({shorten_list([*paths, *[''] * (number - len(paths))])})" if is_named else ""
    return f"{counted(number, 'video')} {kind}{named}"


def describe_agreement(content: Mapping[str, Any]) -> list[str]:
    """Describe what needs no labels: how far the best classes and the probabilities agree."""
    agreement, views = content["agreement"], content["views"]
    same = Share(agreement["num_agreeing"], agreement["num_videos"])
    texts = [
        f"{same.percent} % of the videos have the same top-1 in both ({same.num_correct} of {same.num_videos}, 95 % "
        f"interval {agreement['low']:.2f} to {agreement['high']:.2f}); probabilities differ by up to "
        f"{content['max_difference']:.2g}, {content['mean_difference']:.2g} on average; KL divergence "
        f"{content['kl_mean']:.2g} on average, 99th percentile {content['kl_p99']:.2g}"
    ]
    if views:
        flips = f"; {views['lost']} views lost, {views['gained']} gained" if views["num_labelled"] else ""
        same = Share(views["num_agreeing"], views["num_views"])
        texts.append(f"{same.percent} % of the {views['num_views']} views have the same best class{flips}")
    return texts


def list_differences(reference: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    """List what two runs were made with that differs; keys that only one records are one text together."""
    ours, theirs = _flatten(reference), _flatten(candidate)
    differences = [
        f"{key}: {ours[key]} in the reference, {theirs[key]} in the candidate"
        for key in sorted(ours.keys() & theirs.keys())
        if ours[key] != theirs[key]
    ]
    for run, one, other in zip(RUNS, (ours, theirs), (theirs, ours), strict=True):
        if alone := sorted(one.keys() - other.keys()):
            differences.append(f"recorded of the {run} only: {', '.join(f'{key} {one[key]}' for key in alone)}")
    return differences


def _flatten(conditions: Mapping[str, Any]) -> dict[str, str]:
    """Format the innermost keys as an evaluation records them; of results they are within others, the views' deepest.

    `versions.x3d` of the views yields to that of their results. An evaluation decodes by the native backend only, and
    has float32 views, as views of which no type is recorded.
    """
    flat = flatten(conditions)
    implied = {"X3D_PREPROCESS.BACKEND": "native"} if "score_format" in flat else {}
    found = implied | {_CONTAINERS.sub("", key): flat[key] for key in sorted(flat, key=len, reverse=True)}
    if "X3D_PREPROCESS.BACKEND" in found:
        found = UNRECORDED | found
    return {key: value for key, value in found.items() if key not in _NOT_COMPARED and value != "null"}
