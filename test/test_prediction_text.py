"""Predictions as tables for a terminal."""

from x3d.pipeline.prediction_text import format_prediction
from x3d.pipeline.video_predictor import ClassScore, Prediction, Segment


def whole(*classes: ClassScore, path: str = "clips/a b.mp4") -> Prediction:
    return Prediction(path, [Segment(0.0, 10.0, 30, classes)])


def test_a_video_is_a_block_with_aligned_columns():
    found = whole(
        ClassScore(2, "juggling balls", 0.976, 28), ClassScore(0, "yoga", 0.0125, 2), ClassScore(1, "x", 0, 0)
    )
    assert format_prediction(found, in_steps=False).splitlines() == [
        "clips/a b.mp4 (10.0 s, 30 views)",
        "  juggling balls   97.6 %  ███████████████████▌  28 of 30 views",
        "  yoga              1.2 %  ▎                      2 of 30 views",
        "  x                 0.0 %                         0 of 30 views",
    ]


def test_segments_have_times_of_one_width():
    segments = [
        Segment(0.0, 59.96, 6, [ClassScore(0, "yoga", 1.0, 6)]),
        Segment(59.96, 725.0, 60, [ClassScore(1, "tai chi", 0.5, 33)]),
    ]
    assert format_prediction(Prediction("long.mp4", segments), in_steps=True).splitlines() == [
        "long.mp4 (725.0 s, 66 views)",
        "   0:00.0 to  1:00.0  yoga     100.0 %  ████████████████████    6 of 6 views",
        "   1:00.0 to 12:05.0  tai chi   50.0 %  ██████████            33 of 60 views",
    ]


def test_hours_are_shown_in_videos_that_last_hours():
    found = Prediction("long.mp4", [Segment(0, 3723.4, 3, [ClassScore(0, "yoga", 1.0, 3)])])
    assert "  0:00:00.0 to 1:02:03.4  yoga" in format_prediction(found, in_steps=True)


def test_columns_of_wide_and_combining_characters_are_aligned():
    found = whole(ClassScore(0, "瑜伽", 0.5, 15), ClassScore(1, "cafe\u0301s", 0.25, 9), ClassScore(2, "1234", 0.25, 6))
    assert [line.partition(" %")[0] for line in format_prediction(found, in_steps=False).splitlines()[1:]] == [
        "  瑜伽    50.0",
        "  cafe\u0301s   25.0",
        "  1234    25.0",
    ]


def test_a_terminal_without_blocks_gets_bars_of_ascii():
    lines = format_prediction(whole(ClassScore(0, "yoga", 0.976, 28)), in_steps=False, encoding="ascii")
    assert lines.splitlines()[1] == "  yoga   97.6 %  ####################  28 of 30 views"
    assert lines.isascii()


def test_control_characters_of_a_path_are_escaped():
    lines = format_prediction(whole(ClassScore(0, "yoga", 1.0, 30), path="a\x1b[31m\n.mp4"), in_steps=False)
    assert lines.splitlines()[0] == r"a\x1b[31m\n.mp4 (10.0 s, 30 views)"
