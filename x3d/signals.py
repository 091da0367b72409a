"""Defer Ctrl-C and SIGTERM for a moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals_deferred() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM at the end of the block; processes started in it begin with both blocked.

    Blocking alone does not keep Python's handler from running: another thread may receive the signal for the main one.
    Does nothing outside the main thread, where no handler runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: set[int] = set()
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS if signal.getsignal(number) is not None}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        for number in handlers:
            signal.signal(number, lambda number, frame: received.add(number))
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for stop_signal in received:
            signal.raise_signal(stop_signal)
