"""What changed between two runs: flips, probabilities, views, classes and the verdict."""

import dataclasses

import numpy as np
import pytest

from demo.made_up_run import degrade, leave_out, make_run
from test.tables import score_table
from x3d.errors import InputError
from x3d.scoring.accuracy import count_top_k
from x3d.scoring.comparison import CHUNK, compare_tables, kl_divergences
from x3d.scoring.noninferiority import Verdict, tango_interval
from x3d.scoring.table import ScoreTable

MARGIN = 0.735


@pytest.fixture(scope="module")
def runs() -> tuple[ScoreTable, ScoreTable]:
    reference = make_run(num_videos=CHUNK + 500, num_classes=12, num_views=4, signal=2)
    return reference, degrade(reference, 0.4)


def right(table: ScoreTable) -> np.ndarray:
    return np.array([int(scores.argmax()) == label for scores, label in zip(table.scores, table.labels, strict=True)])


def test_flips_are_counted_both_ways(runs):
    compared = compare_tables(*runs, MARGIN)
    was_right, is_right = map(right, runs)
    assert 0 < compared.gained.sum() < compared.lost.sum()
    np.testing.assert_array_equal(compared.lost, was_right & ~is_right)
    np.testing.assert_array_equal(compared.gained, is_right & ~was_right)
    drop = count_top_k(runs[0].scores, runs[0].labels, 1) - count_top_k(runs[1].scores, runs[1].labels, 1)
    assert compared.decision is not None
    assert compared.decision.drop_points == pytest.approx(100 * drop / compared.num_videos)
    in_top5 = [side.in_top5.sum() for side in (compared.of_reference, compared.of_candidate)]
    assert in_top5 == [count_top_k(run.scores, run.labels, 5) for run in runs]


def test_top_1_ranks_by_scores_and_ties_by_the_lower_class():
    table = score_table([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]], [1, 1])
    other = dataclasses.replace(table, scores=np.array([[0.1, 0.2, 0.1], [0.2, 0.3, 0.4]], np.float32))
    compared = compare_tables(table, other, MARGIN)
    assert compared.of_reference.classes.tolist() == [0, 1]
    assert compared.of_candidate.classes.tolist() == [1, 2]
    assert (compared.lost.tolist(), compared.gained.tolist()) == ([False, True], [True, False])
    assert compared.changed.all()
    by_means = dataclasses.replace(table, means=np.array([[0.1, 0.2, 0.7], [0.2, 0.4, 0.4]], np.float32))
    predicted = compare_tables(by_means, table, MARGIN).of_reference
    assert predicted.classes.tolist() == [0, 1]
    assert predicted.confidences.tolist() == pytest.approx([0.1, 0.4])


def test_probabilities_are_compared_whatever_the_number_of_views(runs):
    reference, candidate = runs
    compared = compare_tables(*runs, MARGIN)
    ours, theirs = (run.scores.astype(float) / 4 for run in runs)
    differences = np.abs(ours - theirs)
    assert compared.max_difference == pytest.approx(differences.max(), rel=1e-6)
    assert compared.mean_difference == pytest.approx(differences.mean(), rel=1e-6)
    p, q = (rows / rows.sum(axis=1, keepdims=True) for rows in (ours, theirs))
    np.testing.assert_allclose(compared.divergences, (p * np.log(p / q)).sum(axis=1), rtol=1e-5, atol=1e-9)
    half = dataclasses.replace(
        candidate,
        scores=candidate.scores / 2,
        view_classes=candidate.view_classes[:, :2],
        view_probabilities=candidate.view_probabilities[:, :2],
    )
    with_fewer = compare_tables(reference, half, MARGIN, common=True)
    assert with_fewer.max_difference == compared.max_difference
    assert with_fewer.views is None


def test_divergence_of_two_known_distributions():
    p, q = np.array([[3.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 2.0]])
    expected = [0.75 * np.log(1.5) + 0.25 * np.log(0.5), np.log(1e12) - 1e-12 * np.log(1e12)]
    assert kl_divergences(p, q).tolist() == pytest.approx(expected)
    assert kl_divergences(p, p).tolist() == [0, 0]


def test_views_are_compared_apart_from_videos(runs):
    reference, candidate = runs
    views = compare_tables(*runs, MARGIN).views
    assert views is not None
    pairs = [
        (int(one), int(other), label)
        for ours, theirs, label in zip(
            reference.view_classes, candidate.view_classes, reference.labels.tolist(), strict=True
        )
        for one, other in zip(ours, theirs, strict=True)
    ]
    assert (views.num_views, views.num_labelled) == (len(pairs), len(pairs))
    assert views.num_agreeing == sum(one == other for one, other, _ in pairs)
    assert views.num_lost == sum(one == label != other for one, other, label in pairs)
    assert views.num_gained == sum(other == label != one for one, other, label in pairs)


def test_classes_are_ranked_by_the_videos_they_lost():
    labels = np.repeat([0, 1, 2, 3], [4, 4, 6, 3])
    was, is_now = labels.copy(), labels.copy()
    is_now[[0, 1, 4, 5, 6]] = 3  # two of class 0 are lost, three of class 1
    was[[7, 8]] = 0  # one of class 1 is gained, one of class 2
    runs = [score_table(np.eye(5, dtype=np.float32)[best], labels) for best in (was, is_now)]
    changes = compare_tables(*runs, MARGIN).changed_classes()
    assert [(row.label, row.num_videos, row.num_lost, row.num_gained) for row in changes] == [
        (1, 4, 3, 1),
        (0, 4, 2, 0),
        (2, 6, 0, 1),
    ]
    assert [row.drop_points for row in changes] == pytest.approx([50, 50, -100 / 6])
    low, high = tango_interval(3, 1, 4)
    assert (changes[0].low_points, changes[0].high_points) == (100 * low, 100 * high)


def test_videos_without_a_label_take_part_in_the_agreement_only():
    labels = np.array([0, 1, -1, -1])
    runs = [score_table(np.eye(3, dtype=np.float32)[best], labels) for best in ([0, 1, 2, 0], [0, 2, 2, 1])]
    compared = compare_tables(*runs, MARGIN)
    assert (compared.num_videos, compared.num_labelled) == (4, 2)
    assert compared.changed.tolist() == [False, True, False, True]
    assert (compared.lost.tolist(), compared.gained.any()) == ([False, True, False, False], False)
    assert compared.of_candidate.in_top5.tolist() == [True, True, False, False]
    assert compared.decision is not None
    assert compared.decision.drop_points == 50
    assert compared.views is not None
    assert (compared.views.num_views, compared.views.num_labelled, compared.views.num_lost) == (4, 2, 1)
    unlabelled = [dataclasses.replace(run, labels=np.full(4, -1), listed_labels=np.full(4, -1)) for run in runs]
    assert compare_tables(*unlabelled, MARGIN).decision is None


def test_a_run_passes_against_itself_from_the_floor_on():
    for num_videos, verdict in ((365, Verdict.UNDECIDED), (366, Verdict.PASS)):
        run = make_run(num_videos, num_classes=4, num_views=2)
        compared = compare_tables(run, run, MARGIN)
        assert compared.decision is not None
        assert compared.decision.verdict is verdict
        assert (compared.max_difference, compared.divergences.max(), compared.mcnemar_p) == (0, 0, 1)


def test_the_videos_that_both_runs_scored_are_compared(runs):
    reference, candidate = leave_out(runs[0], [0, 7]), leave_out(runs[1], [7, 9])
    with pytest.raises(InputError, match="scored other videos"):
        compare_tables(reference, candidate, MARGIN)
    compared = compare_tables(reference, candidate, MARGIN, common=True)
    kept = np.setdiff1d(np.arange(len(runs[0].videos)), [0, 7, 9])
    whole = compare_tables(*runs, MARGIN)
    np.testing.assert_array_equal(compared.lost, whole.lost[kept])
    np.testing.assert_array_equal(compared.divergences, whole.divergences[kept])
    assert [compared.path(number) for number in (0, 7)] == [reference.path(1), reference.path(10)]


def test_a_video_is_named_by_the_path_that_a_run_knows():
    with_paths = score_table(np.eye(2), [0, 1], listed_paths=["a", "b"])
    without = score_table(np.eye(2), [0, 1])
    for runs in ((with_paths, without), (without, with_paths)):
        assert compare_tables(*runs, MARGIN).path(1) == "b"
    assert compare_tables(without, without, MARGIN).path(1) == "video 1"
    with_one = score_table(np.eye(2), [0, 1], listed_paths=["a", ""])
    assert compare_tables(with_one, with_paths, MARGIN).path(1) == "b"
