"""Ctrl-C and SIGTERM are deferred for the length of a block, and only in the main thread."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from x3d.signals import STOP_SIGNALS, stop_signals_deferred


def blocked() -> set[signal.Signals]:
    """Return which of the two signals this thread blocks."""
    return set(STOP_SIGNALS) & set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


@pytest.fixture
def received() -> Iterator[list[object]]:
    """The signals that this process receives, in order; its handlers are set back afterwards."""
    events: list[object] = []
    before = {number: signal.signal(number, lambda number, frame: events.append(number)) for number in STOP_SIGNALS}
    yield events
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_deferred_signals_arrive_at_the_end_though_another_thread_receives_them(number, received):
    begin = threading.Event()

    def send() -> None:
        begin.wait(60)
        for _ in range(20):
            os.kill(os.getpid(), number)
            time.sleep(0.001)

    sender = threading.Thread(target=send)  # begun before the block, so that it does not block the signals
    sender.start()
    with stop_signals_deferred():
        begin.set()
        sender.join()
        received.append("end")
    assert received == ["end", number]


def test_both_signals_are_blocked_in_the_block_and_not_after_it(received):
    handlers = [signal.getsignal(number) for number in STOP_SIGNALS]
    with stop_signals_deferred():
        assert blocked() == set(STOP_SIGNALS)
    assert blocked() == set()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == handlers
    assert received == []


def test_a_signal_that_was_blocked_before_stays_blocked(received):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with stop_signals_deferred():
            assert blocked() == set(STOP_SIGNALS)
        assert blocked() == {signal.SIGTERM}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def fail_after(number: int) -> None:
    os.kill(os.getpid(), number)
    raise ZeroDivisionError


def test_an_error_in_the_block_restores_signals_and_handlers_too(received):
    with pytest.raises(ZeroDivisionError), stop_signals_deferred():
        fail_after(signal.SIGINT)
    assert received == [signal.SIGINT]
    assert blocked() == set()


def test_another_thread_defers_nothing():
    found = []

    def look() -> None:
        with stop_signals_deferred():
            found.append(blocked())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [set()]
