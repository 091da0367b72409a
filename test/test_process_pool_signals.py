"""Signals that reach worker processes or their parent while they start."""

import os
import signal
import subprocess
import sys

import pytest

from test.helpers import ROOT, is_running, wait_until

SLOW_MAIN = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from x3d.dataset.annotations import Video
from x3d.execution.process_pool import Workers
from x3d.signals import end_on_stop_signals
if __name__ != "__main__":
    open({folder!r} + "/" + str(os.getpid()), "w").close()
    time.sleep(1)
def process_number(video):
    return os.getpid()
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it
    end_on_stop_signals()
    with Workers(2, 60) as workers:
        print(len(list(workers.run(process_number, [Video(n, "", "", 0) for n in range(4)]))))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_that_are_still_starting_end_without_a_word(number, tmp_path):
    (tmp_path / "started").mkdir()
    script = tmp_path / "main.py"
    script.write_text(SLOW_MAIN.format(root=str(ROOT), folder=str(tmp_path / "started")))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(list((tmp_path / "started").iterdir())) == 2)
    workers = [int(path.name) for path in (tmp_path / "started").iterdir()]
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert len(errors.splitlines()) == 2, errors
    wait_until(lambda: not any(map(is_running, workers)))


def test_ctrl_c_reaches_no_worker(tmp_path):
    (tmp_path / "started").mkdir()
    script = tmp_path / "main.py"
    script.write_text(SLOW_MAIN.format(root=str(ROOT), folder=str(tmp_path / "started")))
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: len(list((tmp_path / "started").iterdir())) == 2)
    for path in (tmp_path / "started").iterdir():
        os.kill(int(path.name), signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (0, "4\n", "")
