"""Warn about what makes the verdict of a comparison meaningless, or what it hides."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from x3d.scoring.accuracy import Share
from x3d.scoring.agreement import Thresholds
from x3d.scoring.class_order import check_class_order
from x3d.scoring.comparison import Comparison

if TYPE_CHECKING:
    from x3d.dataset.class_names import ClassNames

BY_POSITION = (
    "the videos are paired by their position in the list, because one run records neither its list nor the paths: make "
    "sure that both were made from one list, or set DATA.PATH_TO_DATA_DIR"
)
NOT_RECORDED = (
    "neither run records its model, views and list, so it is not verified that both read the same views: keep the "
    "summary beside each folder of results, and the manifest beside the views"
)


def find_warnings(comparison: Comparison, names: "ClassNames") -> Iterator[str]:
    """Find one run compared with itself, unverified pairs, labels that fit no run, and outputs that differ."""
    folders = comparison.reference.folder, comparison.candidate.folder
    if len(set(map(os.path.realpath, folders))) == 1:
        yield f"{folders[0]} is compared with itself, which decides nothing about another run"
    if comparison.pairs.by_position:
        yield BY_POSITION
    if not any(_is_recorded(run.conditions) for run in (comparison.reference, comparison.candidate)):
        yield NOT_RECORDED
    for folder, predictions in zip(folders, (comparison.of_reference, comparison.of_candidate), strict=True):
        if warning := check_class_order(predictions.classes, comparison.labels, names.names):
            yield f"{folder}: {warning}"
    yield from _check_agreement(comparison)


def _is_recorded(conditions: Mapping[str, Any]) -> bool:
    """Check whether a run records what it was made with: an evaluation does, results as far as files beside them do."""
    return "provenance" not in conditions or any(conditions["provenance"].values())


def _check_agreement(comparison: Comparison) -> Iterator[str]:
    """Compare the agreement of the views, or else of the videos, with what is asked of a conversion."""
    views, needed = comparison.views, Thresholds().min_agreement_percent
    agreeing, noun = Share(int((~comparison.changed).sum()), comparison.num_videos), "videos"
    if views:
        agreeing, noun = Share(views.num_agreeing, views.num_views), "views"
    if 100 * agreeing.num_correct < needed * agreeing.num_videos:
        judged = "judging the drop" if comparison.decision else "using its predictions"
        yield (
            f"the best class is the same in {agreeing.percent} % of the {noun}, and x3d_npu.py check asks a conversion "
            f"for {needed:g} %: if the candidate is one, look at its model, the order of the views and their values "
            f"before {judged}; another network or a lower precision may differ as much"
        )
