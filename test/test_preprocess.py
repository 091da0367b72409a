"""Every video is accounted for, whatever happens to the run."""

import collections
import csv
import functools
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import x3d_preprocess
import x3d_verify
from test.faults import write_corpus
from test.helpers import Dataset, content, finish, kill, preprocess_keys, start, states, wait_until
from test.videos import write_video
from x3d.errors import counted
from x3d.storage.atomic import take_lock
from x3d.storage.manifest import Manifest


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, str]]:
    data = Dataset(tmp_path_factory.mktemp("faults"))
    expected = write_corpus(data.val)
    return data.write_list(list(expected)), expected


def test_each_file_gets_its_state_and_the_good_ones_are_as_without_the_bad(corpus, tmp_path, caplog):
    data, expected = corpus
    assert len(expected) >= 25
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "all")) == 1
    found = states(tmp_path / "all")
    assert {name: found[str(i)].get("reason", "") for i, name in enumerate(expected)} == expected
    for i, (name, reason) in enumerate(expected.items()):
        assert (found[str(i)]["state"] == "failed") == bool(reason)
        if reason:
            assert name in found[str(i)]["text"]
            assert f"{reason}: {data.val / name}" in caplog.text
    counts = collections.Counter(expected.values())
    num_done = counts.pop("")
    assert f"{num_done} of {len(expected)} videos done" in caplog.text
    for reason, count in counts.items():
        assert f"{counted(count, 'video')} failed, {reason}" in caplog.text

    good = Dataset(tmp_path / "good")
    good.val.mkdir(parents=True)
    names = [name for name, reason in expected.items() if not reason]
    for name in names:
        os.link(data.val / name, good.val / name)
    good.write_list(names)
    assert x3d_preprocess.main(preprocess_keys(good, tmp_path / "alone")) == 0
    alone, mixed = content(tmp_path / "alone"), content(tmp_path / "all")
    assert len(alone) == len(mixed) == 30 * num_done
    indices = [i for i, reason in enumerate(expected.values()) if not reason]
    for number, index in enumerate(indices):
        for view in range(30):
            assert alone[f"{30 * number + view}_{number % 9}.npy"] == mixed[f"{30 * index + view}_{index % 9}.npy"]


def test_verify_reports_what_is_bad_and_writes_a_row_per_video(corpus, tmp_path, monkeypatch, caplog):
    data, expected = corpus
    monkeypatch.chdir(tmp_path)
    more = Dataset(tmp_path / "more")
    more.path.mkdir()
    more.list_path.write_text(data.list_path.read_text())
    shutil.copytree(data.val, more.val, copy_function=os.link)
    (more.val / "unlisted.mp4").touch()
    assert x3d_verify.main(preprocess_keys(more, tmp_path)) == 1
    rows = list(csv.DictReader((tmp_path / "verify.csv").read_text().splitlines()))
    assert [row["path"] for row in rows] == list(expected)
    cut_short = {"cut.mkv": "truncated", "half.mp4": "damaged"}
    assert {row["path"]: row["reason"] for row in rows} == expected | cut_short
    by_path = {row["path"]: row for row in rows}
    assert by_path["60 fps.mp4"] | {"label": ""} == {
        "path": "60 fps.mp4",
        "label": "",
        "reason": "",
        "frames": "200",
        "fps": "60",
        "duration": "3.33333",
        "codec": "h264",
        "size": "64x48",
        "rotation": "0",
    }
    assert "1 file not listed\n" + str(more.val / "unlisted.mp4") in caplog.text


def test_verify_reports_problems_of_the_list(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    data = Dataset(tmp_path).write_videos({"a.mp4": {"num_frames": 20}})
    rows = ["path label", "a.mp4 1", "a.mp4,1", "a.mp4 99", "a.mp4 2", "a.mp4"]
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    assert x3d_verify.main(preprocess_keys(data, tmp_path)) == 1
    for text in (
        r"1 line: no label: .*header.*\n  line 1: 'path label'",
        r"1 line: path and label are separated by ','.*\n  line 3:",
        r"1 line: the label is outside.*\n  line 4: 'a.mp4 99'",
        r"1 line: the path is listed before\n  line 5: 'a.mp4', as in line 2",
        r"1 line: no label: .*\n  line 6: 'a.mp4'",
    ):
        assert re.search(text, caplog.text)
    data.write_list(["a.mp4"])
    assert x3d_verify.main(preprocess_keys(data, tmp_path)) == 0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twelve videos, enough for a run of a few seconds."""
    videos = {f"class {n % 3}/{n}.mp4": {"num_frames": 150 + n, "width": 320, "height": 240} for n in range(12)}
    return Dataset(tmp_path_factory.mktemp("data")).write_videos(videos)


@pytest.fixture(scope="module")
def undisturbed(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed")
    assert x3d_preprocess.main(preprocess_keys(data, out)) == 0
    return content(out)


def has_view(out: Path, process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None
    return any(out.glob("*.npy"))


def test_killed_runs_resume_to_the_same_bytes_and_keep_what_was_recorded(data, undisturbed, tmp_path):
    many, out = data.link(tmp_path / "many", copies=8), tmp_path / "out"
    expected = {}
    for name, view in undisturbed.items():
        number, label = name.split("_")
        expected |= {f"{int(number) + 360 * copy}_{label}": view for copy in range(8)}
    chance, recorded = random.Random(0), 0
    for _ in range(5):
        process = start("x3d_preprocess.py", preprocess_keys(many, out, "X3D_WORKERS.NUM", "2"))
        wait_until(lambda: num_done(out) > recorded)  # noqa: B023
        time.sleep(chance.uniform(0, 0.1))
        kill(process)
        assert content(out).items() <= expected.items()
        assert num_done(out) > recorded
        recorded = num_done(out)
    process = start("x3d_preprocess.py", preprocess_keys(many, out))
    _, errors = finish(process)
    assert process.returncode == 0
    assert f"96 videos of {many.list_path}, {96 - recorded} to do; " in errors
    assert content(out) == expected
    assert {path.name for path in out.iterdir()} == {*expected, "manifest.json"}


def num_done(out: Path) -> int:
    """Count the videos that a manifest and its journal record, 0 before the first record."""
    return len(Manifest.load(out / "manifest.json").done()) if (out / ".manifest.journal").exists() else 0


def test_workers_end_with_their_parent_also_if_they_hang(data, tmp_path):
    hanging = data.link(tmp_path / "data")
    os.mkfifo(hanging.val / "pipe.mp4")
    hanging.list_path.write_text("pipe.mp4 0\n" + data.list_path.read_text())
    process = start("x3d_preprocess.py", preprocess_keys(hanging, tmp_path / "out"))
    wait_until(lambda: has_view(tmp_path / "out", process))
    os.kill(process.pid, signal.SIGKILL)
    finish(process, 30)
    wait_until(lambda: not is_group_alive(process.pid), 30)


def is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_nothing_incomplete_and_can_be_resumed(number, status, data, undisturbed, tmp_path):
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores Ctrl-C
    process = start("x3d_preprocess.py", preprocess_keys(data, tmp_path / "out"), preexec_fn=heed)
    wait_until(lambda: has_view(tmp_path / "out", process))
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    _, errors = finish(process, 60)
    assert process.returncode == status, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert content(tmp_path / "out").items() <= undisturbed.items()
    done = [index for index, state in states(tmp_path / "out").items() if state["state"] == "done"]
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 0
    assert content(tmp_path / "out") == undisturbed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*undisturbed, "manifest.json"}
    assert len(done) < 12


def test_a_full_disk_is_a_clear_error_and_the_run_can_be_resumed(data, undisturbed, tmp_path):
    import resource

    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (60_000, 60_000))
    process = start("x3d_preprocess.py", preprocess_keys(data, tmp_path / "out"), preexec_fn=limit)
    _, errors = finish(process, 60)
    assert process.returncode == 1
    assert re.search(rf"{tmp_path}/out/\d+_\d\.npy cannot be written: File too large; run the same command", errors)
    assert "Traceback" not in errors
    assert content(tmp_path / "out") == {}
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 0
    assert content(tmp_path / "out") == undisturbed


def test_a_run_that_does_not_fit_the_disk_starts_nothing(data, tmp_path, monkeypatch, caplog):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 2
    assert "has 0.03 GB too little space for 360 views" in caplog.text
    assert content(tmp_path / "out") == {}


def test_a_pipe_in_place_of_a_video_is_not_opened(data, tmp_path):
    odd = Dataset(tmp_path / "data")
    odd.val.mkdir(parents=True)
    os.mkfifo(odd.val / "pipe.mp4")
    os.link(data.val / "class 0/0.mp4", odd.val / "good.mp4")
    odd.write_list(["pipe.mp4", "good.mp4"])
    assert x3d_preprocess.main(preprocess_keys(odd, tmp_path / "out")) == 1
    found = states(tmp_path / "out")
    assert [found["0"]["reason"], found["1"]["state"]] == ["unreadable", "done"]
    assert "not a regular file" in found["0"]["text"]


def test_on_error_raise_stops_at_the_first(corpus, tmp_path, caplog):
    data, _ = corpus
    assert (
        x3d_preprocess.main(preprocess_keys(data, tmp_path, "X3D_WORKERS.ON_ERROR", "raise", "X3D_WORKERS.NUM", "1"))
        == 1
    )
    assert "videos not reached" in caplog.text
    assert sum(state["state"] == "failed" for state in states(tmp_path).values()) == 1


def test_a_second_run_does_only_what_is_missing(data, undisturbed, tmp_path, caplog):
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    (tmp_path / "35_1.npy").unlink()
    with open(tmp_path / "70_2.npy", "ab") as file:
        file.write(b"x")
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    assert f"12 videos of {data.list_path}, 2 to do; " in caplog.text
    assert content(tmp_path) == undisturbed
    redone = {name for name, at in kept.items() if (tmp_path / name).stat().st_mtime_ns != at}
    assert {int(name.split("_")[0]) // 30 for name in redone} == {1, 2}


def test_a_failed_video_is_tried_again_and_its_reason_kept(tmp_path, monkeypatch):
    data = Dataset(tmp_path).write_videos({"a.mp4": {"num_frames": 20}}).write_list(["a.mp4", "b.mp4"])
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 1
    assert states(tmp_path / "out")["1"]["reason"] == "missing"
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 2
    assert states(tmp_path / "out")["1"]["reason"] == "missing"
    monkeypatch.undo()
    write_video(data.val / "b.mp4", 20)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "out")) == 0
    assert states(tmp_path / "out")["1"]["state"] == "done"


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (["DATA.SAMPLING_RATE", "2"], "config: DATA.SAMPLING_RATE was 3, is 2"),
        (["X3D_PREPROCESS.FORMAT", "bin"], "config: X3D_PREPROCESS.FORMAT was 'npy', is 'bin'"),
        (["X3D_PREPROCESS.DTYPE", "float16"], "config: X3D_PREPROCESS.DTYPE was 'float32', is 'float16'"),
    ],
)
def test_a_folder_of_another_configuration_is_rejected_with_the_difference(more, difference, data, tmp_path, caplog):
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    before = content(tmp_path)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path, *more)) == 2
    assert difference in caplog.text
    assert content(tmp_path) == before
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path, *more, "X3D_PREPROCESS.OVERWRITE", "True")) == 0
    assert content(tmp_path) != before


def test_a_folder_of_another_list_or_version_is_rejected(data, tmp_path, caplog, monkeypatch):
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    other = Dataset(tmp_path / "other")
    other.path.mkdir()
    other.list_path.write_text(data.list_path.read_text().replace("0.mp4 0", "0.mp4 8"))
    other.val.symlink_to(data.val)
    assert x3d_preprocess.main(preprocess_keys(other, tmp_path)) == 2
    assert "list_digest was" in caplog.text
    monkeypatch.setattr("x3d.storage.provenance.VIEW_FORMAT", 99)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert "view_format was 2, is 99 (views of another format cannot be combined)" in caplog.text


@pytest.mark.parametrize(("name", "advice"), [("7_3.npy", "without manifest.json"), ("x.npy", "is not a view")])
def test_views_of_unknown_origin_are_rejected(name, advice, data, tmp_path, caplog):
    np.save(tmp_path / name, np.zeros(3))
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert advice in caplog.text
    assert (tmp_path / name).exists()


def test_two_runs_do_not_write_one_folder_of_views(data, undisturbed, tmp_path, caplog):
    lock = take_lock(tmp_path / ".manifest.lock")
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert "is in use by another run" in caplog.text
    os.close(lock)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    assert content(tmp_path) == undisturbed


def run_shard(data: Dataset, out: Path, shard_id: int, num_shards: int, *more: str) -> int:
    shard = ["--shard_id", str(shard_id), "--num_shards", str(num_shards)]
    return x3d_preprocess.main([*shard, *preprocess_keys(data, out, *more)])


@pytest.mark.parametrize("num_shards", [2, 5])
def test_shards_share_a_folder_and_merge_into_the_whole(num_shards, data, undisturbed, tmp_path):
    for shard_id in range(num_shards):
        assert run_shard(data, tmp_path, shard_id, num_shards) == 0
    assert content(tmp_path) == undisturbed
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*undisturbed, "manifest.json"}
    assert len(states(tmp_path)) == 12


def test_shards_that_still_run_are_not_merged(data, undisturbed, tmp_path, caplog):
    for shard_id in range(2):
        assert run_shard(data, tmp_path, shard_id, 2) == 0
    lock = take_lock(tmp_path / ".manifest-1of2.lock")
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert f"{tmp_path / '.manifest-1of2.lock'} is in use by another run" in caplog.text
    os.close(lock)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*undisturbed, "manifest.json"}


def test_shards_of_their_own_folders_merge(data, undisturbed, tmp_path):
    for shard_id in range(3):
        assert run_shard(data, tmp_path / str(shard_id), shard_id, 3) == 0
    (tmp_path / "all").mkdir()
    for path in [p for i in range(3) for p in (tmp_path / str(i)).iterdir()]:
        path.rename(tmp_path / "all" / path.name)
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path / "all")) == 0
    assert content(tmp_path / "all") == undisturbed


def test_views_of_a_missing_duplicated_or_foreign_shard_are_rejected(data, tmp_path, caplog):
    for shard_id in range(3):
        assert run_shard(data, tmp_path, shard_id, 3) == 0
    first, third = tmp_path / "manifest-0of3.json", tmp_path / "manifest-2of3.json"
    kept = third.read_text()
    third.unlink()
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert f"{third} does not exist; all 3 shards are needed" in caplog.text
    third.write_text(first.read_text())
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert f"{third} records video 0, which belongs to shard 0" in caplog.text
    third.write_text(kept)
    foreign = Manifest.load(third)
    foreign.provenance["config"]["DATA.SAMPLING_RATE"] = 7
    foreign.save()
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 2
    assert f"{third} has another provenance than {first}: config: DATA.SAMPLING_RATE was 3, is 7" in caplog.text
    third.write_text(kept)
    assert run_shard(data, tmp_path, 0, 2) == 2
    assert "is of a run with 3 shards, --num_shards is 2" in caplog.text
    assert x3d_preprocess.main(preprocess_keys(data, tmp_path)) == 0
