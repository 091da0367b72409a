"""Connect to a Ray cluster and disconnect, each within a limit of time."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from x3d.errors import InputError, cause_of, describe_os_error

REACH_SECONDS, CONNECT_SECONDS, LEAVE_SECONDS = 3, 12, 3
"""Limits for a connection to the head node, Ray's start, and disconnecting."""
LEASE_SECONDS = 10
"""Time that a node's worker gets videos before other jobs may have it. At each renewal a node but the head's waits up
to 0.1 s for the head to learn that it is free; Ray's own 0.5 s would cost it that after every video or third one."""

T = TypeVar("T")


def connect(address: str) -> Any:
    """Connect to a cluster and send this suite to its nodes.

    Returns:
        The module ray.
    Raises:
        InputError: Ray is not installed, the address is malformed, or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_worker_lease_timeout_milliseconds", f"{1000 * LEASE_SECONDS}")  # read at the import
    try:
        import ray
    except ImportError as error:
        raise InputError("X3D_WORKERS.RAY_ADDRESS needs Ray: pip install -r requirements-ray.txt") from error

    package = str(Path(__file__).parents[1])
    environment = {"py_modules": [package], "env_vars": {"PYTHONWARNINGS": "ignore"}}
    options = {"runtime_env": environment, "log_to_driver": False, "logging_level": logging.ERROR}
    try:
        _check_reachable(address)
        call_within(CONNECT_SECONDS, ray.init, address=address, **options)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, ImportError, ray.exceptions.RayError) as error:
        text = describe_os_error(error) if isinstance(error, OSError) else cause_of(error)
        raise InputError(f"X3D_WORKERS.RAY_ADDRESS {address} cannot be reached: {text}") from error
    return ray


def leave(ray: Any) -> None:
    """Disconnect from the cluster; one that does not answer is left as it is."""
    with contextlib.suppress(TimeoutError):
        call_within(LEAVE_SECONDS, ray.shutdown)


def _check_reachable(address: str) -> None:
    """Fail at once if nothing listens at the address; Ray would wait minutes.

    Raises:
        InputError: the text is neither auto nor [ray://]host:port.
        OSError: nothing listens.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or "/" in host or not (port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(
            f"X3D_WORKERS.RAY_ADDRESS is {address}; give auto, host:port or ray://host:port, such as 127.0.0.1:6379"
        )
    socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()


def call_within(seconds: float, function: Callable[..., T], **options: Any) -> T:
    """Call a function in a thread, for without its head node Ray blocks a minute and then ends the process.

    In another thread than the main one Ray leaves the handlers of signals alone.

    Raises:
        TimeoutError: it does not return in time; the thread is left to itself.
    """
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function(**options))
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise TimeoutError(f"no answer within {seconds} s") from None
