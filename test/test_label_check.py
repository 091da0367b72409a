import dataclasses

import numpy as np
import pytest

from demo.made_up_run import make_run
from test.tables import score_table
from x3d.scoring.label_check import certain_errors, find_suspicious_pairs, min_agreeing
from x3d.scoring.predictions import Predictions
from x3d.scoring.table import ScoreTable

SMALL = {"num_videos": 400, "num_classes": 8, "num_views": 10}


def relabel(table: ScoreTable, moves: dict[int, int], share: float = 0.3) -> tuple[ScoreTable, int]:
    """List a share of the videos of some classes as another class, and return how many."""
    random, labels = np.random.default_rng(0), table.labels.copy()
    chosen = {label: np.flatnonzero(table.labels == label) for label in moves}
    chosen = {label: random.choice(of, round(share * len(of)), replace=False) for label, of in chosen.items()}
    for label, videos in chosen.items():
        labels[videos] = moves[label]
    changed = dataclasses.replace(table, labels=labels, listed_labels=labels)
    return changed, sum(len(videos) for videos in chosen.values())


def find(table: ScoreTable):
    return find_suspicious_pairs(Predictions.of_table(table))


@pytest.mark.parametrize("num_views", [1, 10])
@pytest.mark.parametrize("signal", [3.5, 5.0])
def test_a_clean_run_has_no_suspicious_labels(signal, num_views):
    for seed in range(15):
        assert find(make_run(**SMALL | {"num_views": num_views}, seed=seed, signal=signal)) == []


def test_a_clean_run_over_a_whole_validation_set_has_no_suspicious_labels():
    assert [find(make_run(seed=seed)) for seed in range(2)] == [[], []]


def test_wrong_labels_of_one_class_in_a_whole_validation_set_are_found():
    table, num_moved = relabel(make_run(), {17: 300})
    [pair] = find(table)
    assert (pair.label, pair.predicted) == (300, 17)
    assert pair.num_label == (table.labels == 300).sum()
    assert 0.6 * num_moved <= pair.num_confused <= num_moved + 1
    assert 3 <= pair.num_certain <= pair.num_confused


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_swapped_labels_are_one_pair_with_both_directions(share):
    for seed in range(15):
        table, _ = relabel(make_run(**SMALL, seed=seed), {2: 5, 5: 2}, share)
        [pair] = find(table)
        assert {pair.label, pair.predicted} == {2, 5}
        assert pair.num_reverse >= 3
        assert (pair.num_label, pair.num_predicted) == tuple(
            (table.labels == label).sum() for label in (pair.label, pair.predicted)
        )


def test_a_few_videos_are_no_evidence():
    table, _ = relabel(make_run(num_videos=32, num_classes=8, num_views=3), {2: 5}, share=0.5)
    assert find(table) == []


def test_a_certain_error_is_as_probable_as_correct_videos_has_agreeing_views_and_a_label_of_low_rank():
    likely, unlikely = [0.85, 0.1, 0.05], [0.45, 0.3, 0.25]
    scores = np.array([[0.9, 0.06, 0.04], [0.8, 0.1, 0.1], likely, likely, unlikely, likely, likely], np.float32)
    views = np.zeros((7, 5), int)
    views[2, :2] = 1  # 3 of 5 views agree
    views[3, :1] = 1  # 4 of 5
    table = score_table(scores * 5, [0, 0, 2, 2, 2, -1, 1], view_classes=views)
    assert certain_errors(Predictions.of_table(table)).tolist() == [False, False, False, True, False, False, False]


def test_similar_classes_that_the_network_confuses_are_no_evidence():
    labels = np.arange(600) % 6
    scores = np.random.default_rng(0).random((600, 6), np.float32) / 10
    scores[np.arange(600), labels] += 1
    scores[(labels == 2) & (np.arange(600) % 4 == 0), 3] += 2
    assert find(score_table(scores, labels)) == []


def test_without_a_correct_video_nothing_is_certain():
    for labels in ([1, 1], [-1, -1]):
        table = score_table([[0.9, 0.1], [0.8, 0.2]], labels)
        assert not certain_errors(Predictions.of_table(table)).any()
        assert find(table) == []


def test_a_network_that_knows_one_class_only_is_no_evidence():
    for num_classes in (2, 4):
        labels = np.arange(400) % num_classes
        scores = np.random.default_rng(0).random((400, num_classes), np.float32)
        scores[:, 0] = 2
        assert find(score_table(scores, labels)) == []


def test_nearly_all_views():
    assert [min_agreeing(number) for number in (1, 2, 3, 10, 30)] == [1, 2, 3, 8, 24]
