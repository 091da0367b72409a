"""Claims about classes: unknown names, numbers outside of the classes, and orders that numbers follow."""

import pytest

from x3d.dataset.annotation_files import Annotation, AnnotationFile
from x3d.dataset.class_names import ClassNames
from x3d.dataset.video_files import VideoFile
from x3d.errors import InputError
from x3d.pipeline.list_claims import check_indices, collect_claims, find_order

NAMES = ClassNames(["air drumming", "archery", "push up", "pushing car", "zumba"], "five.txt")


def given(*rows: Annotation) -> AnnotationFile:
    return AnnotationFile("given", "", rows)


def test_every_source_claims_a_class():
    row = Annotation("a", "push_up/a.mp4", "line 1", index=2, name="Push up")
    claims = collect_claims([given(row)], [VideoFile("val/a.mp4", "val"), VideoFile("zumba/a.mp4", "zumba")], NAMES)
    assert [(claim.label, claim.text, claim.by_index) for claim in claims["a"]] == [
        (2, "given line 1 'Push up'", False),
        (2, "given line 1 folder 'push_up'", False),
        (2, "given line 1 label 2, 'push up'", True),
        (4, "folder 'zumba'", False),
    ]


def test_no_claim_follows_from_no_label_or_another_folder():
    rows = [Annotation("a", "val/a.mp4", "line 1", index=-1), Annotation("b", "", "line 2")]
    assert collect_claims([given(*rows)], [VideoFile("val/a.mp4", "val")], NAMES) == {}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            Annotation("a", "", "line 3", name="pushing cart"),
            "given line 3: 'pushing cart' is no class of five.txt, as 'p",
        ),
        (Annotation("a", "", "line 3", name="xyz"), r"is no class of five.txt \(1 such row of 2\); correct the name"),
        (Annotation("a", "", "line 3", index=6), r"given line 3: label 6 is outside -1\.\.4; set MODEL.NUM_CLASSES"),
        (Annotation("a", "", "line 3", index=5), r"label 5 is outside -1\.\.4; its labels seem to begin with 1"),
        (Annotation("a", "", "line 3", index=-2), "label -2 is outside"),
    ],
)
def test_what_is_no_class_is_an_error(row, problem):
    with pytest.raises(InputError, match=problem):
        collect_claims([given(Annotation("b", "", "line 2", name="zumba"), row)], [], NAMES)


def test_numbers_without_a_name_are_reported():
    rows = [Annotation("a", "", "line 1", index=1), Annotation("b", "", "line 2", index=2)]
    claims = collect_claims([given(*rows)], [], NAMES)
    assert check_indices(claims, NAMES) == ["given"]
    claims = collect_claims([given(*rows)], [VideoFile("archery/a.mp4", "archery")], NAMES)
    assert check_indices(claims, NAMES) == []
    rows.append(Annotation("c", "", "line 3", index=3))
    claims = collect_claims([given(*rows)], [VideoFile("archery/a.mp4", "archery")], NAMES)
    assert check_indices(claims, NAMES) == ["given"]


def test_a_number_that_one_of_two_names_has_is_no_error():
    rows = [Annotation("a", "archery/a.mp4", "line 1", index=1)]
    claims = collect_claims([given(*rows)], [VideoFile("zumba/a.mp4", "zumba")], NAMES)
    assert check_indices(claims, NAMES) == []


@pytest.mark.parametrize(
    ("labels", "listed", "order"),
    [
        ([0, 1, 2, 3, 4], [0, 4, 1, 2, 3], ""),
        ([0, 1, 2, 3], [0, 1, 3, 2], "names sorted by a locale that ignores spaces and punctuation"),
        ([1, 2, 3, 4], [0, 1, 2, 3], "class folders without 'air drumming'"),
        ([0, 4], [0, 1], "class folders without 'archery', 'push up', 'pushing car'"),
        ([0, 1, 2, 4], [0, 1, 2, 3], "class folders without 'pushing car'"),
        ([0] * 50 + [4], [0] * 50 + [2], ""),
        ([4] * 20, [3] * 19 + [0], "class folders without 'air drumming'"),
        ([4] * 20, [3] * 10 + [0] * 10, ""),
    ],
)
def test_the_order_that_explains_numbers_is_found(labels, listed, order):
    assert find_order(labels, listed, NAMES.names) == order
