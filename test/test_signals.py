"""Ctrl-C and SIGTERM end the process at once with a line and a status; a block keeps both back."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from test.helpers import ROOT
from x3d.signals import STOP_SIGNALS, StopSignalsBlocked, end_on_stop_signals, restore_handlers

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
PROLOGUE = (
    "import os, signal, sys, threading, time\nfrom x3d.signals import *\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # a job in the background ignores it
    "end_on_stop_signals()\n"
)
SEND = "os.kill(os.getpid(), {number})\n"


def run(code: str, number: int, **streams: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", (PROLOGUE + code).replace("SEND", SEND.format(number=int(number)))]
    settings = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "timeout": 60} | streams
    return subprocess.run(command, cwd=ROOT, check=False, **settings)  # type: ignore[call-overload]


def blocked() -> set[int]:
    """Return which of the two signals this thread blocks."""
    return set(STOP_SIGNALS) & set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


@pytest.mark.parametrize("number", NAMES)
def test_a_signal_ends_the_process_with_one_line_and_without_clean_up(number):
    code = "try:\n    SEND\n    time.sleep(60)\nfinally:\n    print('cleaned', flush=True)"
    ran = run(code, number)
    text = f"\n[ERROR] stopped by {NAMES[number]}; to resume or start anew, run the same command again\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (128 + number, "", text)


@pytest.mark.parametrize("number", NAMES)
def test_a_signal_that_the_first_line_blocked_is_handled(number):
    code = (
        "signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)\nSEND\n"
        "print('blocked', flush=True)\nbegin_script()\nprint('after', flush=True)"
    )
    ran = run(code, number)
    assert (ran.returncode, ran.stdout, ran.stderr.count("stopped")) == (128 + number, "blocked\n", 1)


@pytest.mark.parametrize("number", NAMES)
def test_a_storm_writes_one_line(number):
    code = (
        "def storm():\n    for _ in range(200):\n        SEND\n"
        "for _ in range(3):\n    threading.Thread(target=storm).start()\ntime.sleep(60)"
    )
    ran = run(code, number)
    assert (ran.returncode, ran.stderr.count("stopped")) == (128 + number, 1)


@pytest.mark.parametrize("number", NAMES)
def test_a_closed_stderr_is_no_reason_to_run_on(number):
    assert run("os.close(2)\nSEND\ntime.sleep(60)", number).returncode == 128 + number


def test_a_second_signal_ends_a_process_whose_stderr_nobody_reads():
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    os.set_blocking(write, True)
    code = "print('ready', flush=True)\nSEND\ntime.sleep(60)".replace("SEND", SEND.format(number=2))
    command = [sys.executable, "-c", PROLOGUE + code]
    process = subprocess.Popen(command, cwd=ROOT, stderr=write, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()
        for _ in range(50):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
            if process.poll() is not None:
                break
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.communicate()
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("number", NAMES)
def test_blocked_signals_arrive_at_the_end_though_another_thread_receives_them(number):
    code = (
        "def send():\n    begin.wait()\n    for _ in range(20):\n        SEND\n        time.sleep(0.001)\n"
        "begin = threading.Event()\n"
        "sender = threading.Thread(target=send)\nsender.start()\n"  # started before, so that it blocks nothing
        "with StopSignalsBlocked():\n    begin.set()\n    sender.join()\n    print('end', flush=True)\n"
        "print('after', flush=True)"
    )
    ran = run(code, number)
    assert (ran.returncode, ran.stdout) == (128 + number, "end\n")


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that this process receives, in order; its handlers are set back afterwards."""
    events: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: events.append(number)) for number in STOP_SIGNALS}
    yield events
    for number, handler in before.items():
        signal.signal(number, handler)


def test_both_signals_are_blocked_in_the_block_and_not_after_it(received):
    with StopSignalsBlocked():
        assert blocked() == set(STOP_SIGNALS)
    assert blocked() == set()
    assert received == []


def test_a_signal_that_was_blocked_before_stays_blocked(received):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with StopSignalsBlocked():
            assert blocked() == set(STOP_SIGNALS)
        assert blocked() == {signal.SIGTERM}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


@pytest.mark.parametrize("number", NAMES)
def test_an_error_in_the_block_unblocks_the_signals_too(number):
    code = (
        "try:\n    with StopSignalsBlocked():\n        SEND        print('blocked', flush=True)\n        1 / 0\n"
        "except ZeroDivisionError:\n    print('too late')\n"
    )
    ran = run(code, number)
    assert (ran.returncode, ran.stdout) == (128 + number, "blocked\n")


def test_another_thread_blocks_its_own_signals_only(received):
    inside: list[set[int]] = []

    def look() -> None:
        with StopSignalsBlocked():
            inside.append(blocked())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert inside == [set(STOP_SIGNALS)]
    assert blocked() == set()


@pytest.mark.parametrize("number", NAMES)
def test_a_signal_that_is_ignored_stays_ignored(number, received):
    signal.signal(number, signal.SIG_IGN)
    before = end_on_stop_signals()
    found = signal.getsignal(number)
    restore_handlers(before)
    assert found == signal.SIG_IGN
    assert set(before) == set(STOP_SIGNALS) - {number}


def test_the_handlers_before_are_restored(received):
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    restore_handlers(end_on_stop_signals())
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
