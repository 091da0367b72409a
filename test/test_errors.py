"""Texts of errors, and how a list of problems is spelled."""

import pickle

import pytest

from x3d.errors import (
    MAX_LISTED_PROBLEMS,
    REASONS,
    EngineError,
    RunError,
    ScoringError,
    VideoError,
    cause_of,
    counted,
    format_problems,
    shorten_list,
)


def test_the_reasons_that_manifests_and_reports_contain():
    codes = set(
        "missing unreadable empty not_a_video no_video_stream no_decoder no_frame_rate no_frames no_timestamps damaged "
        "truncated size_changes too_large changed not_finite reference_failed crashed timed_out internal_error".split()
    )
    assert set(REASONS) == codes
    assert len({str(VideoError(code, "a.mp4")) for code in codes}) == len(codes)


def test_a_video_error_names_file_reason_and_detail():
    assert str(VideoError("empty", "a.mp4")) == "a.mp4: the file has no bytes"
    assert str(VideoError("damaged", "a.mp4", "after 3 frames")).endswith("cannot be decoded (after 3 frames)")


def test_a_video_error_survives_pickling():
    error = pickle.loads(pickle.dumps(VideoError("truncated", "a.mp4", "1 frame of 9")))
    assert (error.reason, error.path, error.detail) == ("truncated", "a.mp4", "1 frame of 9")
    assert str(error) == "a.mp4: the file ends too early (1 frame of 9)"


def test_scores_that_are_not_scored_end_a_run_and_an_engine_error_is_a_value_error():
    assert issubclass(ScoringError, RunError)
    assert issubclass(EngineError, ValueError)


@pytest.mark.parametrize(
    ("num_problems", "last_line"),
    [(1, "problem 1"), (20, "problem 20"), (21, "... and 1 more"), (23, "... and 3 more")],
)
def test_the_first_20_problems_are_listed_and_the_rest_is_counted(num_problems, last_line):
    lines = format_problems([f"problem {number + 1}" for number in range(num_problems)]).split("\n")
    assert lines[:MAX_LISTED_PROBLEMS] == [f"problem {number + 1}" for number in range(min(num_problems, 20))]
    assert lines[-1] == last_line
    assert len(lines) == min(num_problems, 21)


def test_a_newline_in_a_name_does_not_split_a_line():
    assert format_problems(["a\nb.mp4", "c.mp4"]) == "a\\nb.mp4\nc.mp4"
    assert shorten_list(["a\n", "b"]) == "a\\n, b"
    assert str(VideoError("empty", "a\n[ERROR] b.mp4")) == "a\\n[ERROR] b.mp4: the file has no bytes"


def test_no_problem_is_an_empty_text():
    assert format_problems([]) == ""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "Exception from core.cpp:105:\nCheck 'x' failed at y:\nIncorrect weights in bin file!\n\n",
            "Incorrect weights in bin file!",
        ),
        (
            "Check 'false' failed\nFrontEnd API failed with A:\nSummary:\n-- No rule for: Foo-11\nRefer to\n",
            "No rule for: Foo-11",
        ),
        ("Exception from core.cpp:105:", "Exception from core.cpp:105"),
        ("[ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model.", "This is an invalid model"),
        (
            "[ONNXRuntimeError] : 1 : FAIL : /src/core/graph/model.cc:256 void a::Model::Check(const b&&, int) const "
            "Unsupported model IR version: 99 (of 14)",
            "Unsupported model IR version: 99 (of 14)",
        ),
        ("first line\nsecond line", "first line"),
        ("", "RuntimeError('')"),
    ],
)
def test_the_text_of_a_library_is_cut_to_its_cause(text, cause):
    assert cause_of(RuntimeError(text)) == cause


def test_a_count_has_its_noun():
    assert [counted(number, "video") for number in (0, 1, 2)] == ["0 videos", "1 video", "2 videos"]
    assert [counted(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]
