"""End the process at once on Ctrl-C and SIGTERM, and keep both from processes that are starting.

Every moment is a good one to stop: files are written whole, progress is a journal, and temporary folders are recorded
in locks. The module imports only what is built into the interpreter: a script begins with it.
"""

import _signal  # type: ignore[import-not-found]  # the signal module takes milliseconds to import
import _thread
import os

STOP_SIGNALS = (int(_signal.SIGINT), int(_signal.SIGTERM))
EXIT_INTERRUPTED, EXIT_TERMINATED = (128 + number for number in STOP_SIGNALS)
_NAMES = dict(zip(STOP_SIGNALS, ("Ctrl-C", "SIGTERM"), strict=True))


def begin_script() -> None:
    """Install the handler for the rest of a script, whose first line has blocked both signals."""
    end_on_stop_signals()
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, STOP_SIGNALS)


def end_on_stop_signals() -> dict[int, object]:
    """Install the handler of both signals, but of one that is ignored, as Ctrl-C by a job in the background.

    Python runs handlers in the main thread, the only one that may call this.

    Returns:
        The handlers before, for restore_handlers.
    """
    heeded = [number for number in STOP_SIGNALS if _signal.getsignal(number) != _signal.SIG_IGN]
    return {number: _signal.signal(number, _end) for number in heeded}


def restore_handlers(handlers: dict[int, object]) -> None:
    """Set the handlers of both signals; None stands for one that was not set from Python, and is left."""
    for number, handler in handlers.items():
        if handler is not None:
            _signal.signal(number, handler)


def _end(number: int, frame: object) -> None:
    """Write one line and end the process, whatever it is doing; it never raises."""
    if number in _signal.pthread_sigmask(_signal.SIG_BLOCK, ()):
        _signal.pthread_kill(_thread.get_ident(), number)  # another thread received it; it waits for its end here
        return
    try:
        for stop_signal in STOP_SIGNALS:
            _signal.signal(stop_signal, _end_silently)
        advice = "to resume or start anew, run the same command again"
        os.write(2, f"\n[ERROR] stopped by {_NAMES[number]}; {advice}\n".encode())
    finally:
        os._exit(128 + number)


def _end_silently(number: int, frame: object) -> None:
    """End the process, for the line cannot be written: nobody reads the pipe."""
    os._exit(128 + number)


class StopSignalsBlocked:
    """Block both signals in this thread within the block: they are received at its end.

    Processes started within it begin with both blocked.
    """

    def __enter__(self) -> None:
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, STOP_SIGNALS)

    def __exit__(self, *error: object) -> None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)
