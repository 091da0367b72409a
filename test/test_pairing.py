"""Which videos of two runs belong together, and which runs cannot be compared."""

from typing import Any

import numpy as np
import pytest

from test.tables import score_table
from x3d.errors import InputError
from x3d.scoring.pairing import pair_videos
from x3d.scoring.table import UNKNOWN_LABEL, UNKNOWN_SOURCE, Failure, ScoreTable

NUM_CLASSES = 9


def run(
    paths: str, labels: Any, scored: Any = None, folder: str = "ref", reason: str = "damaged", **changes: Any
) -> ScoreTable:
    """Make a run of a list with a one-letter path per video; without paths only positions and labels are known.

    Args:
        reason: why the other videos are not scored.
    """
    listed = np.array(labels)
    videos = np.arange(len(listed)) if scored is None else np.array(scored, dtype=np.int64)
    scores = np.eye(NUM_CLASSES, dtype=np.float32)[videos % NUM_CLASSES]
    failures = {video: Failure(reason, "") for video in np.setdiff1d(np.arange(len(listed)), videos).tolist()}
    more = {
        "folder": folder,
        "failures": failures,
        "videos": videos,
        "listed_labels": listed,
        "listed_paths": list(paths),
    }
    return score_table(scores, listed[videos], **more | changes)


def pair(
    reference: ScoreTable, candidate: ScoreTable, common: bool = False
) -> tuple[list[int], list[int], int, list[str]]:
    pairs = pair_videos(reference, candidate, common)
    return pairs.reference.tolist(), pairs.candidate.tolist(), pairs.num_left_out, list(pairs.left_out)


def test_runs_of_one_list_are_paired_in_its_order():
    assert pair(run("abc", [0, 1, 2]), run("abc", [0, 1, 2])) == ([0, 1, 2], [0, 1, 2], 0, [])


def test_runs_that_are_not_finished_are_rejected():
    open_run = run("abcd", [0, 1, 2, 3], [0, 2], reason="")
    match = (
        r"^ref and ref are not finished: 2 videos are scored by neither run, and nothing records why \(b, d\); score"
    )
    with pytest.raises(InputError, match=match):
        pair(open_run, open_run)
    failed_in_one = run("abcd", [0, 1, 2, 3], [0, 2])
    assert pair(open_run, failed_in_one)[2] == pair(failed_in_one, open_run)[2] == 2
    assert pair(open_run, run("dcba", [3, 2, 1, 0], [1, 3], reason=""), common=True)[0] == [0, 1]


def test_a_video_that_neither_run_scored_is_left_out():
    reference = run("abcd", [0, 1, 2, 3], [0, 2, 3])
    left_out = ["1 video is scored by neither run (b)"]
    assert pair(reference, run("abcd", [0, 1, 2, 3], [0, 2, 3])) == ([0, 1, 2], [0, 1, 2], 1, left_out)


@pytest.mark.parametrize(
    ("candidate", "match"),
    [
        (
            run("abd", [0, 1, 2], folder="cand"),
            r"^ref and cand have other lists: 1 video is listed by the reference only \(c\); 1 video is listed by the "
            r"candidate only \(d\); give runs of one list, or --common compares what both have$",
        ),
        (run("abcde", [0, 1, 2, 3, 4]), r"other lists: 2 videos are listed by the candidate only \(d, e\)"),
        (run("acb", [0, 2, 1]), r"lists in another order, such as b is video 1 of one and 2 of the other; --common"),
        (
            run("abc", [0, 3, -1], folder="cand"),
            r"other labels: 1 video is listed with class 1 in one and class 3 in the other \(b\); 1 video is listed "
            r"with class 2 in one and no label in the other \(c\); score both with one list, or --common",
        ),
        (
            run("abc", [0, 1, 2], [0], folder="cand"),
            r"scored other videos: 2 videos are scored by the reference only \(b, c\); score the rest, or --common",
        ),
        (
            run("abc", [0, 1, 2], view_classes=np.zeros((3, 2), np.int32)),
            r"^ref and ref have 1 and 2 views per video; score both with the same number, or --common",
        ),
    ],
    ids=["paths", "more", "order", "labels", "scored", "views"],
)
def test_runs_that_differ_in_more_than_scores_are_rejected(candidate, match):
    with pytest.raises(InputError, match=match):
        pair_videos(run("abc", [0, 1, 2]), candidate)


def test_swapped_labels_are_counted_by_their_classes():
    swapped = [7 if video < 15 else 3 for video in range(49)]
    match = r"15 videos are listed with class 3 in one and class 7 in the other \(video 0, video 1, video 2 and 12 more"
    with pytest.raises(InputError, match=match):
        pair_videos(run("", [3] * 49), run("", swapped))
    assert pair(run("", [3] * 49), run("", swapped), common=True)[2] == 15


def test_of_many_pairs_of_labels_the_most_frequent_are_named():
    others = [1, 1, 2, 3, 4, 5]
    with pytest.raises(InputError, match=r"2 videos are listed with class 0 .* class 1 .*; 2 more videos with two la"):
        pair_videos(run("", [0] * 6), run("", others))


def test_other_classes_are_rejected_always():
    candidate = run("a", [0], folder="cand")
    candidate = score_table(candidate.scores[:, :5], [0], folder="cand")
    for common in (False, True):
        with pytest.raises(InputError, match=r"^ref holds scores of 9 classes, cand of 5: give two runs"):
            pair_videos(run("a", [0]), candidate, common)


def test_what_is_common_is_paired_by_path_and_label():
    reference = run("abcdef", [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4])
    candidate = run("xfdcba", [0, 5, 3, 9, 1, 0], [0, 1, 2, 3, 4], view_classes=np.zeros((5, 2), np.int32))
    assert pair(reference, candidate, common=True) == (
        [1, 3],
        [4, 2],
        5,
        [
            "1 video is listed by the reference only (e)",
            "1 video is listed by the candidate only (x)",
            "1 video is listed with class 2 in one and class 9 in the other (c)",
            "1 video is scored by the reference only (a)",
            "1 video is scored by the candidate only (f)",
        ],
    )


def test_a_path_that_is_listed_twice_is_paired_by_occurrence():
    assert pair(run("aba", [0, 1, 2]), run("aba", [0, 1, 2]))[:2] == ([0, 1, 2], [0, 1, 2])
    reference, candidate, num_left_out, left_out = pair(run("aba", [0, 1, 2]), run("aab", [0, 2, 1]), common=True)
    assert (reference, candidate, num_left_out, left_out) == ([0, 1, 2], [0, 2, 1], 0, [])


def test_without_paths_position_and_label_decide():
    assert pair(run("abc", [0, 1, 2]), run("", [0, 1, 2])) == ([0, 1, 2], [0, 1, 2], 0, [])
    with pytest.raises(InputError, match=r"1 video is listed by the candidate only \(video 3\)"):
        pair_videos(run("abc", [0, 1, 2]), run("", [0, 1, 2, 3]))
    assert pair(run("", [0, 1, 2, 3]), run("abc", [0, 1, 2]), common=True)[:3] == ([0, 1, 2], [0, 1, 2], 1)
    with pytest.raises(InputError, match=r"1 video is listed by the reference only \(a\)"):
        pair_videos(run("abc", [0, 1, 2]), run("", [0, 1, 2], listed_paths=["x", "", "c"]))


@pytest.mark.parametrize(
    ("paths", "digests", "by_position"),
    [
        (("ab", "ab"), ("", ""), False),
        (("", "ab"), ("", ""), True),
        (("", "ab"), ("a", ""), True),
        (("", "ab"), ("a", "a"), False),
    ],
)
def test_pairs_are_known_to_be_right_by_the_paths_or_the_list(paths, digests, by_position):
    runs = [
        run(names, [0, 1], conditions={"list_digest": digest}) for names, digest in zip(paths, digests, strict=True)
    ]
    assert pair_videos(*runs).by_position is by_position


def content(*hashes: int) -> np.ndarray:
    return np.array(hashes, dtype=np.uint64)


def test_videos_of_other_content_are_rejected_and_left_out_of_what_is_common():
    reference = run("abcde", [0, 1, 2, 3, 4], sources=content(5, 6, 2**64 - 1, 8, 9))
    candidate = run("abcde", [0, 1, 2, 3, 4], [0, 2, 3, 4], folder="cand", sources=content(5, 2**64 - 2, 9, 8))
    match = (
        r"^ref and cand scored other files: 3 videos are of other content in the candidate than in the reference "
        r"\(c, d, e\); run the command of the earlier run again, which scores changed videos anew, or leave them out "
        r"with --common$"
    )
    with pytest.raises(InputError, match=match):
        pair_videos(reference, candidate)
    left_out = [
        "3 videos are of other content in the candidate than in the reference (c, d, e)",
        "1 video is scored by the reference only (b)",
    ]
    assert pair(reference, candidate, common=True) == ([0], [0], 4, left_out)
    with pytest.raises(InputError, match=r"no scored video in common: 1 video is of other content in the candidate"):
        pair_videos(run("a", [0], sources=content(1)), run("a", [0], sources=content(2)), common=True)


def test_content_is_compared_by_path_where_both_runs_record_it():
    reference = run("abc", [0, 1, 2], sources=content(7, 8, 9))
    assert pair(reference, run("cba", [2, 1, 0], sources=content(9, 8, 7)), common=True)[:3] == (
        [0, 1, 2],
        [2, 1, 0],
        0,
    )
    for sources in (None, content(7, UNKNOWN_SOURCE, 9)):
        candidate = run("abc", [0, 1, 2], sources=sources)
        assert pair(reference, candidate) == pair(candidate, reference) == ([0, 1, 2], [0, 1, 2], 0, [])
    with pytest.raises(InputError, match=r"have other labels: "):
        pair_videos(reference, run("abc", [0, 1, 3], sources=content(7, 8, 1)))


def test_a_label_that_nothing_records_is_no_other_label():
    reference = run("", [0, UNKNOWN_LABEL, 2], [0, 2])
    assert pair(reference, run("", [0, 5, 2], [0, 2]))[:3] == ([0, 1], [0, 1], 1)


@pytest.mark.parametrize("form", ["evaluation", "results"])
def test_lists_that_are_known_to_differ_are_not_paired_by_position(form):
    digest = {"list_digest": "b"}
    conditions = digest if form == "evaluation" else {"provenance": {"views": digest}}
    candidate = run("", [0, 1], folder="cand", conditions=conditions)
    reference = run("ab", [0, 1], conditions={"list_digest": "a"})
    for common in (False, True):
        with pytest.raises(InputError, match=r"^ref and cand were made from other lists, whose paths are not recorded"):
            pair_videos(reference, candidate, common)
    named = run("bc", [1, 2], conditions=conditions)
    assert pair(reference, named, common=True)[:3] == ([1], [0], 2)
    assert pair(reference, run("", [0, 1], conditions={"provenance": {}}))[0] == [0, 1]


def test_nothing_in_common_is_rejected_with_the_causes():
    match = r"^ref and cand have no scored video in common: 1 video is listed by the reference only \(a\); 1 video is"
    with pytest.raises(InputError, match=match):
        pair_videos(run("a", [0]), run("b", [0], folder="cand"), common=True)
    with pytest.raises(InputError, match=r"in common: 1 video is scored by neither run \(a\)"):
        pair_videos(run("a", [0], []), run("a", [0], []))
