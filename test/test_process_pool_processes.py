"""Every end of a video and of a run, in real worker processes."""

import ctypes
import errno
import functools
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from test.helpers import ROOT, SMALL, is_running, wait_until
from test.videos import write_video
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution import worker as worker_module
from x3d.execution.process_pool import Workers
from x3d.pipeline.preprocess import write_views
from x3d.storage.view_writer import ViewWriter
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform


def make_videos(num_videos: int, folder: Path | str = "") -> list[Video]:
    return [Video(number, "", str(Path(folder) / str(number)), 0) for number in range(num_videos)]


def children() -> set[int]:
    """List the worker processes of this process."""
    found = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split()
    return {int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def process_number(video: Video) -> int:
    return os.getpid()


class UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def misbehave(video: Video) -> int:
    match video.index:
        case 1:
            time.sleep(1000)
        case 2:
            ctypes.string_at(0)
        case 3:
            raise VideoError("damaged", video.path, "for a test")
        case 4:
            raise ZeroDivisionError
        case 5:
            raise UnpicklableError("not ", "pickled")
        case 6:
            return lambda: None  # type: ignore[return-value]
        case 7:
            sys.exit(3)
    return video.index


def test_each_end_of_a_video_has_its_reason(caplog, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Workers(2, timeout_seconds=2) as workers:
        outcomes = {outcome.video.index: outcome for outcome in workers.run(misbehave, make_videos(10))}
    internal = dict.fromkeys(range(4, 8), "internal_error")
    expected = {1: "timed_out", 2: "crashed", 3: "damaged", **internal}
    assert {index: outcome.reason for index, outcome in outcomes.items() if outcome.reason} == expected
    assert {index: outcomes[index].value for index in (0, 8, 9)} == {0: 0, 8: 8, 9: 9}
    assert outcomes[1].text == "1: not done in 2 s"
    assert outcomes[2].text == "2: the worker process died (signal SIGSEGV)"
    assert "not pickled" in outcomes[5].text
    for retried in ("1: not done in 2 s", "2: the worker process died (signal SIGSEGV)"):
        assert caplog.text.count(f"{retried}; retrying once") == 1
    assert caplog.text.count("retrying once") == 2


def fail_the_first_time(video: Video) -> int:
    """Crash, or let the engine fail, on the first attempt."""
    if not os.path.exists(video.path):
        Path(video.path).touch()
        if video.index == 0:
            os._exit(5)
        raise EngineError("out of memory")
    return video.index


def test_a_crash_or_engine_failure_that_does_not_come_back_costs_nothing(tmp_path, caplog):
    with Workers(2, timeout_seconds=20) as workers:
        outcomes = list(workers.run(fail_the_first_time, make_videos(4, tmp_path)))
    assert sorted(outcome.value for outcome in outcomes) == [0, 1, 2, 3]
    assert "the worker process died (exit status 5); retrying once" in caplog.text
    assert caplog.text.count("retrying once") == 1


def raise_error(video: Video, error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(errno.ENOSPC, "No space left on device"), OSError), (EngineError("no driver"), RunError)],
)
def test_a_full_disk_and_a_failing_engine_end_the_run(error, raised):
    with Workers(1, timeout_seconds=20) as workers, pytest.raises(raised, match=r"No space left|no driver"):
        list(workers.run(functools.partial(raise_error, error=error), make_videos(3)))


def wait_while_others_are_killed(video: Video) -> int:
    """On the second video, wait until another process has killed an idle worker."""
    if video.index == 1:
        wait_until(lambda: os.path.exists(video.path))
    return os.getpid()


def test_a_worker_killed_while_idle_is_replaced_within_seconds(tmp_path):
    first, second = make_videos(2, tmp_path)
    with Workers(2, timeout_seconds=600) as workers:
        outcomes = workers.run(wait_while_others_are_killed, [first, second])
        idle = next(outcomes).value
        os.kill(idle or 0, signal.SIGKILL)
        Path(second.path).touch()
        assert next(outcomes).value != idle
        begin = time.monotonic()
        pids = {outcome.value for outcome in workers.run(process_number, make_videos(6))}
        assert idle not in pids
        assert time.monotonic() - begin < 60  # far from the limit of a video


def kill_other_workers(video: Video) -> int:
    """Kill every other worker on the first video, whatever it does."""
    if video.index == 0 and not os.path.exists(video.path):
        Path(video.path).touch()
        for child in Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split():
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text() and int(child) != os.getpid():
                os.kill(int(child), signal.SIGKILL)
    return video.index


def test_workers_killed_before_their_first_video_cost_no_video(tmp_path):
    with Workers(3, timeout_seconds=600) as workers:
        outcomes = list(workers.run(kill_other_workers, make_videos(8, tmp_path)))
    assert sorted(outcome.value for outcome in outcomes) == list(range(8))


def die_at_once(connection: Connection, number: int) -> None:
    os._exit(7)


def test_workers_that_never_work_end_the_run(monkeypatch):
    monkeypatch.setattr(worker_module, "serve", die_at_once)
    text = r"worker processes end before they do any work \(exit status 7\)"
    with Workers(2, timeout_seconds=20) as workers, pytest.raises(RunError, match=text):
        list(workers.run(process_number, make_videos(9)))
    assert not children()


def test_processes_that_cannot_be_started_end_the_run_with_the_cause(monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.util.spawnv_passfds", refuse)
    text = "worker processes cannot be started: .*Resource temporarily unavailable"
    with Workers(2, timeout_seconds=20) as workers, pytest.raises(RunError, match=text):
        list(workers.run(process_number, make_videos(3)))


def test_workers_need_no_shared_memory(monkeypatch):
    def refuse(*args: object, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)  # a semaphore is a file in /dev/shm
    with pytest.raises(OSError, match="Read-only"):
        worker_module.SPAWN.Semaphore()
    with Workers(2, timeout_seconds=20) as workers:
        assert len(list(workers.run(process_number, make_videos(3)))) == 3


def test_workers_are_kept_between_runs_and_one_that_died_is_replaced():
    with Workers(1, timeout_seconds=20) as workers:
        [first] = workers.run(process_number, make_videos(1))
        [same] = workers.run(process_number, make_videos(1))
        assert same.value == first.value
        os.kill(first.value or 0, signal.SIGKILL)
        wait_until(lambda: not is_running(first.value or 0))
        [second] = workers.run(process_number, make_videos(1))
    assert second.value not in (None, first.value)


def report_and_sleep(video: Video) -> int:
    if video.index:
        time.sleep(1000)
    return os.getpid()


def test_an_abandoned_run_leaves_nothing_to_the_next():
    with Workers(2, timeout_seconds=600) as workers:
        next(workers.run(report_and_sleep, make_videos(3)))
        outcomes = list(workers.run(process_number, make_videos(5)))
        assert len(outcomes) == 5
        assert all(isinstance(outcome.value, int) for outcome in outcomes)


def test_a_consumer_that_pauses_costs_no_video():
    with Workers(2, timeout_seconds=1) as workers:
        outcomes = workers.run(process_number, make_videos(6))
        found = [next(outcomes)]
        time.sleep(1.5)  # longer than the limit
        found += outcomes
    assert [outcome.reason for outcome in found] == [""] * 6


def test_no_process_is_left_of_a_closed_pool():
    assert not children()
    with Workers(2, timeout_seconds=600) as workers:
        next(workers.run(report_and_sleep, make_videos(4)))
        assert len(children()) == 2
    assert not children()


def misbehave_by_label(video: Video, work: "functools.partial[dict]") -> dict:
    if video.label == 1:
        ctypes.string_at(0)
    if video.label == 2:
        time.sleep(1000)
    return work(video)


def test_views_are_written_whatever_other_videos_do(tmp_path):
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), SMALL)
    path = write_video(tmp_path / "a.mp4", 60)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    writer = ViewWriter(tmp_path, scratch, ".npy", 30)
    work = functools.partial(
        write_views, sampling=Sampling.from_cfg(cfg), transform=Transform.from_cfg(cfg), writer=writer
    )
    videos = [Video(i, "", str(path), {3: 1, 5: 2}.get(i, 0)) for i in range(8)]
    with Workers(2, timeout_seconds=2) as workers:
        outcomes = list(workers.run(functools.partial(misbehave_by_label, work=work), videos))
    reasons = {outcome.video.index: outcome.reason for outcome in outcomes}
    assert reasons == {i: {3: "crashed", 5: "timed_out"}.get(i, "") for i in range(8)}
    written = {path.name.split("_")[0] for path in tmp_path.glob("*.npy")}
    assert written == {str(30 * i + view) for i in range(8) if i not in (3, 5) for view in range(30)}


def test_a_package_that_workers_lack_ends_the_run_in_silence(tmp_path, monkeypatch, capfd):
    (tmp_path / "cv2.py").write_text("raise ModuleNotFoundError('No module named cv2', name='cv2')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Workers(2, timeout_seconds=20) as workers, pytest.raises(ModuleNotFoundError, match="cv2"):
        list(workers.run(process_number, make_videos(9)))
    assert capfd.readouterr() == ("", "")


def test_workers_that_hang_while_they_start_end_the_run(tmp_path, monkeypatch):
    (tmp_path / "cv2.py").write_text("import time\ntime.sleep(1000)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("x3d.execution.worker.START_SECONDS", 1)
    match = r"not ready within X3D_WORKERS\.TIMEOUT and 1 s"
    with Workers(1, timeout_seconds=1) as workers, pytest.raises(RunError, match=match):
        list(workers.run(process_number, make_videos(3)))
    assert not children()
