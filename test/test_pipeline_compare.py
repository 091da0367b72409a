"""From two folders to a comparison and its JSON values, and the sentences that describe it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.made_up_folder import write_evaluation
from demo.made_up_run import degrade, leave_out, make_run
from test.results import LABELS, write_results
from test.tables import score_table
from x3d.dataset.class_names import ClassNames, kinetics400_names
from x3d.errors import InputError, ScoringError
from x3d.pipeline.compare import MAX_FLIPS, compare, comparison_to_dict, list_flips
from x3d.pipeline.comparison_text import describe_comparison, list_differences
from x3d.pipeline.comparison_warnings import BY_POSITION, NOT_RECORDED
from x3d.pipeline.postprocess import ScoringSettings
from x3d.scoring.class_order import known_orders
from x3d.scoring.comparison import Comparison, compare_tables
from x3d.scoring.noninferiority import MARGIN_POINTS, judge
from x3d.scoring.table import ScoreTable
from x3d.storage.expected_list import ExpectedList

SETTINGS = ScoringSettings(num_classes=9, num_clips=2, num_crops=2)
NAMES = ClassNames([f"name {label}" for label in range(9)], "names.txt")


@pytest.fixture(scope="module")
def run() -> ScoreTable:
    return make_run(num_videos=60, num_classes=9, num_views=4, signal=2)


def predict(*classes: int, labels: Any = None, **changes: Any) -> ScoreTable:
    """Make a run that gives each video's class a probability of 0.6."""
    scores = np.full((len(classes), 9), 0.05, np.float32)
    scores[np.arange(len(classes)), classes] = 0.6
    return score_table(scores, [0] * len(classes) if labels is None else labels, **changes)


def compared(reference: ScoreTable, candidate: ScoreTable, margin_points: float = MARGIN_POINTS) -> Comparison:
    return compare_tables(reference, candidate, margin_points)


def test_two_evaluations_are_compared(run, tmp_path):
    other = degrade(run, 0.5)
    folders = [str(write_evaluation(tmp_path / name, table)) for name, table in (("a", run), ("b", other))]
    found = comparison_to_dict(compare(*folders, SETTINGS, 2.5), NAMES)
    expected = comparison_to_dict(compared(run, other, 2.5), NAMES)
    assert [found[name]["folder"] for name in ("reference", "candidate")] == folders
    given = {"reference", "candidate", "differences"}
    assert {key: found[key] for key in found if key not in given} == {
        key: expected[key] for key in expected if key not in given
    }
    assert found["flips"]
    assert found["common"] is False
    divergences = np.sort(compared(run, other).divergences)
    assert divergences[58] < found["kl_p99"] == pytest.approx(0.59 * divergences[58] + 0.41 * divergences[59])


def test_an_evaluation_is_compared_with_results_of_the_same_views(tmp_path):
    views = write_results(tmp_path / "res", LABELS)
    table = score_table(
        views.sum(axis=1),
        LABELS,
        view_classes=views.argmax(axis=2).astype(np.int32),
        view_probabilities=views.max(axis=2),
        listed_paths=["a.mp4", "b.mp4", "c.mp4"],
    )
    write_evaluation(tmp_path / "eval", table)
    found = comparison_to_dict(compare(str(tmp_path / "eval"), str(tmp_path / "res"), SETTINGS), NAMES)
    assert (found["num_videos"], found["agreement"]["percent"], found["views"]["num_agreeing"]) == (3, 100, 12)
    assert found["max_difference"] < 1e-6
    assert found["decision"]["verdict"] == "UNDECIDED"


def test_videos_that_both_runs_miss_are_left_out(run, tmp_path):
    folder = str(write_evaluation(tmp_path / "a", leave_out(run, [3])))
    found = comparison_to_dict(compare(folder, folder, SETTINGS), NAMES)
    assert (found["num_videos"], found["num_left_out"]) == (59, 1)
    assert found["left_out"] == [f"1 video is scored by neither run ({run.path(3)})"]
    whole = str(write_evaluation(tmp_path / "b", run))
    with pytest.raises(InputError, match=r"1 video is scored by the candidate only \(class 00\d/video_000003\.mp4\)"):
        compare(folder, whole, SETTINGS)
    assert compare(folder, whole, SETTINGS, common=True).num_videos == 59


def test_results_that_miss_views_are_compared_as_far_as_they_are_complete(tmp_path):
    for name in ("a", "b"):
        write_results(tmp_path / name, LABELS)
        (tmp_path / name / "5_5_0.bin").unlink()
    folders = str(tmp_path / "a"), str(tmp_path / "b")
    match = r"b are not finished: 1 video is scored by neither run, and nothing records why \(video 1\); score the rest"
    with pytest.raises(InputError, match=match):
        compare(*folders, SETTINGS)
    comparison = compare(*folders, SETTINGS, common=True)
    assert comparison.num_videos == 2
    assert comparison.pairs.left_out == ["1 video is scored by neither run (video 1)"]


def test_unusable_results_are_rejected(tmp_path):
    write_results(tmp_path / "res", LABELS)
    write_results(tmp_path / "bad", LABELS)
    np.full(9, np.nan, np.float32).tofile(tmp_path / "bad" / "5_5_0.bin")
    with pytest.raises(ScoringError, match=r"bad is not scored, 1 problem:\n.*5_5_0\.bin"):
        compare(str(tmp_path / "res"), str(tmp_path / "bad"), SETTINGS)
    with pytest.raises(InputError, match=r"nowhere does not exist; give a folder that x3d_evaluate\.py, ais_bench or"):
        compare(str(tmp_path / "res"), str(tmp_path / "nowhere"), SETTINGS)


def test_the_backend_of_scoring_does_not_matter(run, tmp_path):
    folder = str(write_evaluation(tmp_path / "a", run))
    settings = dataclasses.replace(SETTINGS, slowfast_cfg="not read")
    assert compare(folder, folder, settings).num_videos == 60


def test_the_content_is_that_of_the_comparison():
    reference = predict(0, 0, 1, 2, 3, labels=[0, 0, 1, 1, -1], folder="f32", conditions={"precision": "f32"})
    candidate = predict(0, 5, 1, 1, 4, labels=[0, 0, 1, 1, -1], folder="f16", conditions={"precision": "f16"})
    comparison = compared(reference, candidate)
    content = comparison_to_dict(comparison, NAMES)
    json.dumps(content, allow_nan=False)
    share = {"num_correct": 3, "num_videos": 4, "percent": 75, "low": pytest.approx(30.06, abs=0.01)}
    top5 = content["reference"].pop("top5")
    assert (top5["num_correct"], top5["num_videos"], top5["percent"]) == (4, 4, 100)
    top1 = {**share, "high": pytest.approx(95.44, abs=0.01)}
    assert content["reference"] == {"folder": "f32", "num_scored": 5, "top1": top1}
    decision = judge(1, 1, 4, MARGIN_POINTS)
    assert content["decision"] == {**dataclasses.asdict(decision), "text": content["decision"]["text"]}
    counts = {
        **{"num_videos": 5, "num_labelled": 4, "num_left_out": 0, "num_views_reference": 1, "num_views_candidate": 1},
        **{"lost": 1, "gained": 1, "both_right": 2, "both_wrong": 0, "mcnemar_p": 1, "top5_lost": 0, "top5_gained": 0},
    }
    assert {key: content[key] for key in counts} == counts
    assert content["differences"] == ["precision: f32 in the reference, f16 in the candidate"]
    agreement = content["agreement"]
    assert (agreement["num_agreeing"], agreement["num_videos"], agreement["percent"]) == (2, 5, 40)
    assert content["views"] == {
        **{"num_views": 5, "num_agreeing": 2, "percent": 40, "num_labelled": 4, "lost": 1, "gained": 1}
    }
    assert content["kl_p99"] == pytest.approx(np.percentile(comparison.divergences, 99))
    assert [(row["class"], row["name"], row["lost"], row["gained"]) for row in content["classes"]] == [
        (0, "name 0", 1, 0),
        (1, "name 1", 0, 1),
    ]
    assert content["flips"][0] == {
        **{"path": "video 1", "label": 0, "label_name": "name 0", "kind": "lost"},
        **{"reference": 0, "reference_name": "name 0", "reference_probability": pytest.approx(0.6)},
        **{"candidate": 5, "candidate_name": "name 5", "candidate_probability": pytest.approx(0.6)},
    }
    assert [flip["kind"] for flip in content["flips"]] == ["lost", "gained", "changed"]
    assert (content["flips"][2]["label"], content["flips"][2]["label_name"]) == (None, None)


def test_the_flips_of_which_both_runs_are_confident_come_first():
    tables = []
    for best, probabilities in (((0, 0, 0), (0.9, 0.5, 0.7)), ((1, 1, 1), (0.4, 0.5, 0.8))):
        scores = np.zeros((3, 9), np.float32)
        scores[np.arange(3), best] = probabilities
        tables.append(score_table(scores, [0, 0, 0]))
    assert [flip["path"] for flip in list_flips(compared(*tables), NAMES)] == ["video 2", "video 1", "video 0"]


def test_lost_videos_are_listed_first_and_others_last():
    labels = [0, 1, 2, 3]
    reference, candidate = predict(4, 1, 5, 3, labels=labels), predict(3, 0, 2, 1, labels=labels)
    flips = list_flips(compared(reference, candidate), NAMES)
    assert [(flip["path"], flip["kind"]) for flip in flips] == [
        *(("video 1", "lost"), ("video 3", "lost"), ("video 2", "gained"), ("video 0", "changed"))
    ]


def test_of_many_classes_the_first_are_named_and_all_counted():
    best = list(range(5))
    content = comparison_to_dict(compared(predict(*best, labels=best), predict(8, 8, 8, 8, 4, labels=best)), NAMES)
    assert (
        "classes that lost most: name 0 (1 of 1, 0 gained), name 1 (1 of 1, 0 gained), name 2 (1 of 1, 0 gained) "
        in (describe_comparison(content)[3])
    )
    assert describe_comparison(content)[3].endswith(" and 1 more, of 4 classes that lost")


def test_gained_videos_that_the_content_does_not_list_are_counted():
    number = MAX_FLIPS + 1
    reference, candidate = predict(*[0] * number, 1, 1, 1), predict(*[1] * number, 0, 0, 0)
    content = comparison_to_dict(compared(reference, candidate), NAMES)
    assert f"and {number - 3} more), 3 videos gained; exact McNemar p" in describe_comparison(content)[2]
    for listed in (1, 2):
        reference, candidate = predict(*[0] * (200 - listed), 1, 1, 1), predict(*[1] * (200 - listed), 0, 0, 0)
        content = comparison_to_dict(compared(reference, candidate), NAMES)
        assert ", 3 videos gained; exact McNemar p" in describe_comparison(content)[2]


def test_many_flips_are_cut_in_the_content_and_counted_in_the_sentence():
    number = MAX_FLIPS + 50
    comparison = compared(predict(*[0] * number), predict(*[1] * number))
    content = comparison_to_dict(comparison, NAMES)
    assert (len(content["flips"]), len(list_flips(comparison, NAMES))) == (MAX_FLIPS, number)
    assert content["num_flips"] == number
    assert f"250 videos lost (video 0, video 1, video 2 and {number - 3} more), 0 videos gained;" in "\n".join(
        describe_comparison(content)
    )


def test_without_labels_there_is_agreement_and_no_verdict():
    content = comparison_to_dict(compared(predict(0, 1, labels=[-1, -1]), predict(0, 2, labels=[-1, -1])), NAMES)
    assert [content[key] for key in ("decision", "mcnemar_p", "lost", "gained", "classes")] == [None, None, 0, 0, []]
    assert content["reference"]["top1"] is None
    texts = describe_comparison(content)
    assert texts[0].startswith(
        "50.00 % of the videos have the same top-1 in both (1 of 2, 95 % interval 9.45 to 90.55)"
    )
    assert texts[-1] == "no compared video has a label, so there is no verdict, only agreement"
    assert texts[1] == "50.00 % of the 2 views have the same best class"
    with_fewer = dict(content, views=None)
    assert len(describe_comparison(with_fewer)) == len(texts) - 1


def verdict(num_lost: int, num_gained: int, num_videos: int, margin_points: float = MARGIN_POINTS) -> str:
    reference, candidate = [0] * num_videos, [0] * num_videos
    candidate[:num_lost] = [1] * num_lost
    reference[num_lost : num_lost + num_gained] = [1] * num_gained
    content = comparison_to_dict(compared(predict(*reference), predict(*candidate), margin_points), NAMES)
    assert describe_comparison(content)[-1] == content["decision"]["text"]
    return content["decision"]["text"]


def test_too_few_videos_are_told_how_many_would_do():
    assert verdict(0, 0, 32) == (
        "UNDECIDED: 32 videos cannot show a loss below 0.735 points; 366 without any flip would, or 692 with 1 % of "
        "flips, as many lost as gained"
    )


def test_a_margin_out_of_reach_takes_more_videos_than_anybody_has():
    assert verdict(0, 0, 32, 1e-4).endswith(
        "; 2705541 without any flip would, or more than 1000000000 with 1 % of flips, as many lost as gained"
    )


def test_a_verdict_has_its_limits_and_the_margin():
    assert verdict(0, 0, 400) == (
        "PASS: the drop of top-1 is 0.000 points on 400 videos, with one-sided 95 % limits -0.672 and 0.672; the upper "
        "one is below the margin of 0.735"
    )
    assert verdict(30, 0, 400).startswith("FAIL: the drop of top-1 is 7.500 points on 400 videos, with one-sided 95 %")
    assert verdict(30, 0, 400).endswith("; the lower one is above the margin of 0.735")
    decision = judge(2, 1, 100, MARGIN_POINTS)
    ending = f"the same shares of lost and gained {decision.num_videos_to_decide} videos would decide"
    assert verdict(2, 1, 100).endswith(f"the margin of 0.735 is between them; with {ending}")
    assert verdict(1, 0, 100, 1.0).endswith(
        "; with the same shares of lost and gained no number up to 1000000000 videos would decide; change the "
        "conversion, or agree on another margin"
    )


def test_more_videos_than_the_validation_set_has_need_another_conversion_or_margin():
    assert verdict(18, 14, 1000, 0.61).endswith(" gained 19845 videos would decide"), "CVDF's copy has them"
    assert verdict(18, 14, 1000, 0.605).endswith(
        " gained 20817 videos would decide, more than Kinetics-400's validation set has; change the conversion, or "
        "agree on another margin"
    )


def test_the_classes_that_lost_most_are_named():
    labels = [0, 0, 1, 2]
    content = comparison_to_dict(
        compared(predict(0, 0, 1, 3, labels=labels), predict(1, 1, 0, 2, labels=labels)), NAMES
    )
    texts = "\n".join(describe_comparison(content))
    assert "classes that lost most: name 0 (2 of 2, 0 gained), name 1 (1 of 1, 0 gained)\n" in texts
    assert "0.00 % of the 4 views have the same best class; 3 views lost, 1 gained" in texts
    assert "3 videos lost (video 0, video 1, video 2), 1 video gained (video 3); exact McNemar p 0.62" in texts
    assert "reference eval: top-1 75.00 % (3 of 4, 95 % interval 30.06 to 95.44), top-5 " in texts


def test_conditions_of_results_are_compared_with_those_of_an_evaluation():
    evaluation = {
        **{"DATA.NUM_FRAMES": 13, "engine": "openvino", "model_digest": "a", "batch_size": 8, "device": None},
        "precision": "f32",
        "versions": {"x3d": "2", "av": "18"},
        "score_format": 3,
    }
    view_config = {"DATA.NUM_FRAMES": 16, "X3D_PREPROCESS.BACKEND": "native", "X3D_PREPROCESS.FORMAT": "bin"}
    views = {"config": view_config, "config_digest": "x", "versions": {"x3d": "1", "av": "18"}}
    results = {
        "provenance": {
            **{"views": views, "engine": "openvino", "precision": "bf16", "model_digest": "b", "versions": {"x3d": "3"}}
        },
        "not_checked": ["values"],
        "outputs": "softmax",
        "num_cores": 4,
    }
    assert list_differences(evaluation, results) == [
        "DATA.NUM_FRAMES: 13 in the reference, 16 in the candidate",
        "model_digest: a in the reference, b in the candidate",
        "precision: f32 in the reference, bf16 in the candidate",
        "versions.x3d: 2 in the reference, 3 in the candidate",
        "recorded of the reference only: batch_size 8",
        "recorded of the candidate only: num_cores 4",
    ]
    assert list_differences(evaluation, evaluation) == []
    recorded = {**views, "config": {**view_config, "X3D_PREPROCESS.DTYPE": "float32"}}
    assert list_differences(results, {**results, "provenance": {**results["provenance"], "views": recorded}}) == []
    view_config["X3D_PREPROCESS.DTYPE"] = "float16"
    assert list_differences(evaluation, results)[1] == (
        "X3D_PREPROCESS.DTYPE: float32 in the reference, float16 in the candidate"
    )
    view_config["X3D_PREPROCESS.BACKEND"] = "slowfast"
    assert "X3D_PREPROCESS.BACKEND: native in the reference, slowfast in the candidate" in list_differences(
        evaluation, results
    )


def test_a_comparison_names_a_video_by_its_path_in_the_folder(run, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, table in zip(folders, (run, degrade(run, 1)), strict=True):
        write_evaluation(folder, table)
    content = comparison_to_dict(compare(*map(str, folders), SETTINGS), NAMES)
    assert {flip["path"] for flip in content["flips"]} <= set(run.listed_paths)
    assert Path(content["reference"]["folder"]) == folders[0]


def test_videos_of_unknown_lists_are_paired_by_position_with_a_warning(tmp_path):
    for name in ("a", "b"):
        write_results(tmp_path / name, LABELS)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert comparison_to_dict(compare(a, b, SETTINGS), NAMES)["warnings"] == [BY_POSITION, NOT_RECORDED]
    listed = ExpectedList(LABELS, [f"{label}.mp4" for label in LABELS], "test.csv", "")
    settings = dataclasses.replace(SETTINGS, listed=listed)
    assert comparison_to_dict(compare(a, b, settings), NAMES)["warnings"] == [NOT_RECORDED]


def test_two_runs_of_a_list_in_another_class_order_pass_with_a_warning():
    classes = np.random.default_rng(0).permutation(400)[:380]
    names = ClassNames(kinetics400_names(), "Kinetics-400")
    order = known_orders(kinetics400_names())["names sorted with the quotes of a csv file"]
    listed = [f"{video}.mp4" for video in range(380)]
    scores = np.full((380, 400), 0.001, np.float32)
    scores[np.arange(380), classes] = 0.6
    runs = [score_table(scores, order[classes], folder=name, listed_paths=listed) for name in ("f32", "om")]
    content = comparison_to_dict(compared(*runs), names)
    assert content["decision"]["verdict"] == "PASS"
    assert content["reference"]["top1"]["percent"] < 5
    assert [warning.split(" are listed in the order of")[0] for warning in content["warnings"]] == [
        *("f32: the 380 labelled videos", "om: the 380 labelled videos")
    ]
    right = [score_table(scores, classes, folder=name, listed_paths=listed) for name in ("f32", "om")]
    assert comparison_to_dict(compared(*right), names)["warnings"] == []
