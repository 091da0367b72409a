"""Which classes a candidate lost, and which it exchanged."""

from collections.abc import Mapping

import numpy as np
import pytest

from test.tables import score_table
from x3d.scoring.comparison import Comparison, compare_tables
from x3d.scoring.lost_classes import MIN_LOST, Exchange, LostClass, find_lost_classes

LABELS = np.repeat(np.arange(4), 40)


def predicted(labels: np.ndarray, classes: np.ndarray) -> Comparison:
    """Compare a run in which all is right with one that predicts other classes."""
    paths = [f"{video}.mp4" for video in range(len(labels))]
    right, other = (score_table(np.eye(4)[best], labels, listed_paths=paths) for best in (LABELS, classes))
    return compare_tables(right, other, 0.735)


def changed(moves: Mapping[tuple[int, int], int]) -> Comparison:
    """Compare with a candidate that predicts so many videos of one class as another."""
    classes = LABELS.copy()
    for (label, other), number in moves.items():
        classes[np.flatnonzero(label == LABELS)[:number]] = other
    return predicted(LABELS, classes)


def lost_of(comparison: Comparison) -> dict[int, Exchange | None]:
    return {lost.change.label: lost.exchange for lost in find_lost_classes(comparison)}


def test_classes_with_a_drop_clearly_above_the_margin_are_lost_most_first():
    found = find_lost_classes(changed({(0, 1): 6, (2, 3): 20, (3, 1): MIN_LOST - 1}))
    assert [(lost.change.label, lost.change.num_lost, lost.exchange) for lost in found] == [(2, 20, None), (0, 6, None)]
    assert isinstance(found[0], LostClass)


def test_a_few_lost_videos_and_runs_without_labels_are_no_lost_class():
    assert lost_of(changed({(0, 1): MIN_LOST - 1})) == {}
    assert lost_of(predicted(np.full(160, -1), LABELS[::-1].copy())) == {}


def test_exchanged_classes_name_each_other_with_the_lower_number_first():
    exchange = Exchange((1, 3), (38, 21), (40, 40))
    assert lost_of(changed({(1, 3): 38, (3, 1): 21})) == {1: exchange, 3: exchange}


@pytest.mark.parametrize("moves", [{(1, 3): 38, (3, 1): 20}, {(1, 3): 20, (3, 1): 38}, {(1, 3): 38, (3, 2): 38}])
def test_half_of_a_class_or_one_direction_is_no_exchange(moves):
    assert set(lost_of(changed(moves)).values()) == {None}
