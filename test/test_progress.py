"""Outcomes with a progress bar, and the log of failures."""

import logging
import re
import sys
import threading
from functools import partial

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import REASONS
from x3d.execution import progress
from x3d.execution.outcome import Outcome
from x3d.execution.progress import above_bar, log_failures, progress_bar, step_bar, with_progress


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


def test_the_end_of_the_bar_follows_what_happens_to_the_outcomes(capsys):
    counted: list[int] = []

    class Running:
        def __str__(self) -> str:
            return f"sum {sum(counted)}"

    for outcome in with_progress(
        iter(outcomes("", "", "empty", "")), 4, stop_at_first_failure=False, running=Running()
    ):
        counted.append(outcome.value or 0)
    shown = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line]
    assert any(line.endswith("videos/s, sum 0]") and " 0/4 [" in line for line in shown)
    assert shown[-1].endswith(" videos/s, sum 4]")
    assert "| 4/4 [" in shown[-1]


def use_terminal(monkeypatch: pytest.MonkeyPatch, is_terminal: bool = True) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)


def counts(shown: str) -> list[str]:
    return re.findall(r"\| (\d+/\d+) \[", shown)


def test_where_stderr_is_no_terminal_updates_are_few_whole_lines(capsys, monkeypatch):
    list(with_progress(iter(outcomes(*[""] * 500)), 500, stop_at_first_failure=False))
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert shown.count("\n") == 2
    assert counts(shown) == ["0/500", "500/500"]
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    list(with_progress(iter(outcomes("", "")), 2, stop_at_first_failure=False))
    assert counts(capsys.readouterr().err)[:3] == ["0/2", "1/2", "2/2"]


def test_on_a_terminal_a_bar_moves_in_its_line(capsys, monkeypatch):
    use_terminal(monkeypatch)
    with progress_bar(2) as bar:
        bar.update(2)
    assert re.fullmatch(r"(\r[^\r\n]*)+\n", capsys.readouterr().err)


@pytest.mark.parametrize(("level", "is_shown"), [("ERROR", False), ("warning", False), ("INFO", True), ("DEBUG", True)])
@pytest.mark.parametrize("make", [progress_bar, partial(step_bar, noun="conversions")])
def test_a_log_of_problems_only_has_no_bar(make, level, is_shown, capsys, monkeypatch):
    monkeypatch.setenv("X3D_LOG_LEVEL", level)
    with make(2) as bar:
        bar.set_postfix_str("x3d_s_bs8.om")
        bar.update()
    assert bool(capsys.readouterr().err) == is_shown


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_log_line_has_a_line_of_its_own_above_the_bar(is_terminal, capsys, monkeypatch):
    use_terminal(monkeypatch, is_terminal)
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


def test_the_bar_is_away_while_something_is_printed(capsys, monkeypatch):
    use_terminal(monkeypatch)
    with progress_bar(3) as bar:
        bar.update()
        capsys.readouterr()
        with above_bar():
            cleared = capsys.readouterr().err
            print("a table")
            assert capsys.readouterr() == ("a table\n", "")
        assert "videos:  33%" in capsys.readouterr().err
    assert cleared.strip("\r ") == ""
    assert len(cleared) > 20


def test_a_slow_rate_is_shown_in_videos_per_second():
    with progress_bar(3) as bar:
        assert "videos:  33%" in (text := bar.format_meter(**bar.format_dict | {"n": 1, "elapsed": 50, "rate": 0.02}))
        assert text.endswith("| 1/3 [00:50<01:40,  0.02 videos/s]")
        assert bar.smoothing == 0.05  # the rate of the last twenty videos or so


def test_failures_are_counted_by_reason_and_listed(caplog):
    log_failures([{"reason": o.reason, "text": o.text} for o in outcomes("damaged", "empty", "damaged")])
    assert [record.message for record in caplog.records] == [
        f"2 videos failed, damaged: {REASONS['damaged']}\n0.mp4: damaged\n2.mp4: damaged",
        f"1 video failed, empty: {REASONS['empty']}\n1.mp4: empty",
    ]


def test_of_many_failures_for_one_reason_the_first_20_are_logged(caplog):
    """The manifest or the csv has all of them."""
    failed = outcomes(*(["missing"] * 30 + ["empty"] * 2))
    list(with_progress(iter(failed), 32, stop_at_first_failure=False))
    messages = [record.message for record in caplog.records]
    assert len(messages) == 20 + 1 + 2
    assert messages[20] == "missing: more videos, which are counted at the end"
    caplog.clear()
    log_failures([{"reason": o.reason, "text": o.text} for o in failed])
    assert [record.message.count("\n") for record in caplog.records] == [2, 21]
    assert caplog.records[1].message.startswith("30 videos failed, missing: no such file\n0.mp4: missing\n")
    assert caplog.records[1].message.endswith("19.mp4: missing\n... and 10 more")


def test_long_steps_are_counted(capsys):
    with step_bar(2, "conversions") as bar:
        bar.set_postfix_str("x3d_s_bs8.om")
        bar.update()
    [*_, shown] = capsys.readouterr().err.replace("\r", "\n").rstrip("\n").splitlines()
    assert shown.startswith("conversions:  50%")
    assert "| 1/2 [" in shown
    assert shown.endswith(", x3d_s_bs8.om]")


def test_the_bar_of_a_long_step_moves_on_a_terminal_until_it_ends(monkeypatch):
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    use_terminal(monkeypatch)
    refreshed = threading.Event()
    num_threads = threading.active_count()
    with pytest.raises(ValueError, match="a step"), step_bar(2, "conversions") as bar:  # noqa: PT012
        monkeypatch.setattr(bar, "refresh", refreshed.set)
        assert refreshed.wait(60)
        raise ValueError("a step")
    assert threading.active_count() <= num_threads + 1  # tqdm's own thread stays


def test_every_bar_counts_what_its_name_says(capsys):
    with progress_bar(24, noun="views", note="x3d_s_bs8.om") as bar:
        bar.update(8)
    [*_, shown] = capsys.readouterr().err.replace("\r", "\n").rstrip("\n").splitlines()
    assert shown.startswith("views:  33%")
    assert "| 8/24 [" in shown
    assert shown.endswith(" views/s, x3d_s_bs8.om]")
