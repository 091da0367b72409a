"""Outcomes with a progress bar, and the log of failures."""

import logging
import sys

import pytest

from x3d.dataset.annotations import Video
from x3d.execution.outcome import Outcome
from x3d.execution.progress import log_failures, progress_bar, with_progress


def outcomes(*reasons: str) -> list[Outcome[int]]:
    return [
        Outcome(Video(n, f"{n}.mp4", "", 0), None if reason else n, reason, reason and f"{n}.mp4: {reason}")
        for n, reason in enumerate(reasons)
    ]


@pytest.mark.parametrize(("stop", "num_yielded"), [(False, 4), (True, 2)])
def test_outcomes_are_passed_on_up_to_the_first_failure_where_wanted(stop, num_yielded, caplog, capsys):
    given = outcomes("", "damaged", "", "empty")
    assert list(with_progress(iter(given), 4, stop_at_first_failure=stop)) == given[:num_yielded]
    assert "damaged: 1.mp4: damaged" in caplog.text
    assert ("stopping at the first failure" in caplog.text) == stop
    assert ("empty: 3.mp4" in caplog.text) == (not stop)
    assert ("4/4" in capsys.readouterr().err) == (not stop)


def test_a_resumed_run_shows_all_videos_and_counts_those_that_are_done(capsys):
    given = outcomes("", "")
    assert list(with_progress(iter(given), 9, stop_at_first_failure=False, num_done=7)) == given
    shown = capsys.readouterr().err
    assert "| 7/9 [" in shown
    assert "| 9/9 [" in shown


def test_a_log_line_has_a_line_of_its_own_above_the_bar(capsys):
    handler = logging.StreamHandler(sys.stderr)
    root, others = logging.getLogger(), logging.getLogger().handlers
    root.handlers = [handler]
    try:
        with progress_bar(3) as bar:
            bar.update()
            logging.getLogger("x3d").warning("a warning")
    finally:
        root.handlers = others
    [line] = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "a warning" in line]
    assert line == "a warning"


def test_a_slow_rate_is_shown_in_videos_per_second():
    with progress_bar(3) as bar:
        assert "videos:  33%" in (text := bar.format_meter(**bar.format_dict | {"n": 1, "elapsed": 50, "rate": 0.02}))
        assert text.endswith("| 1/3 [00:50<01:40,  0.02 videos/s]")
        assert bar.smoothing == 0.05  # the rate of the last twenty videos or so


def test_failures_are_counted_by_reason_and_listed(caplog):
    log_failures([{"reason": o.reason, "text": o.text} for o in outcomes("damaged", "empty", "damaged")])
    assert [record.message for record in caplog.records] == [
        "2 videos failed, damaged: the decoder or the container reader failed before the last frame needed",
        "1 video failed, empty: the file has no bytes",
        "damaged: 0.mp4: damaged",
        "empty: 1.mp4: empty",
        "damaged: 2.mp4: damaged",
    ]
