"""What is wrong with a data set, as a value and a csv; the decoding and the workers have stand-ins."""

import csv
import errno
import functools
import os
from pathlib import Path

import pytest

from test.helpers import ROOT, SMALL, Dataset, with_keys
from test.local_runner import LocalRunner
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.dataset.bad_rows import BadRow
from x3d.dataset.known_sets import KNOWN_SETS
from x3d.errors import VideoError
from x3d.execution.runner import RunnerSettings
from x3d.pipeline.verify import Verification, VerifySettings, verify
from x3d.video.inspection import Inspection, inspect_video
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform

S = str(ROOT / "configs/X3D_S.yaml")
NAMES = [f"{number}.mp4" for number in range(4)]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Four listed files; the first does not exist."""
    made = Dataset(tmp_path / "data")
    made.val.mkdir(parents=True)
    for name in NAMES[1:]:
        (made.val / name).touch()
    return made.write_list(NAMES)


def settings(data: Dataset, *more: str) -> VerifySettings:
    return VerifySettings.from_cfg(load_cfg(S, with_keys([*SMALL, *data.keys], *more)))


def inspect(video: Video) -> Inspection:
    """Find video 0 missing, the worker of video 1 crashed, 2 good, 3 damaged after some frames."""
    if video.index == 1:
        raise VideoError("crashed", video.path)
    return [
        Inspection("missing", "0.mp4 is missing"),
        Inspection(),
        Inspection("", "", 300, 29.97, 10.01, "h264", 340, 256, 90),
        Inspection("damaged", "3.mp4 is damaged", 12, 25.0, 8.0, "vp9", 64, 48),
    ][video.index]


@pytest.mark.parametrize("in_reverse", [False, True])
def test_rows_have_the_order_of_the_list_whatever_comes_first(in_reverse, data, tmp_path, monkeypatch, caplog):
    runner = LocalRunner(inspect, in_reverse).use_in("verify", monkeypatch)
    chosen = settings(data)
    found = verify(chosen, tmp_path / "verify.csv")
    assert list(csv.reader((tmp_path / "verify.csv").read_text().splitlines())) == [
        ["path", "label", "reason", "frames", "fps", "duration", "codec", "size", "rotation"],
        ["0.mp4", "0", "missing", "0", "0", "0", "", "", "0"],
        ["1.mp4", "1", "crashed", "0", "0", "0", "", "", "0"],
        ["2.mp4", "2", "", "300", "29.97", "10.01", "h264", "340x256", "90"],
        ["3.mp4", "3", "damaged", "12", "25", "8", "vp9", "64x48", "0"],
    ]
    assert b"\r\r" not in (tmp_path / "verify.csv").read_bytes()
    assert dict(found.num_videos) == {"missing": 1, "crashed": 1, "": 1, "damaged": 1}
    assert (found.num_good, found.num_bad, found.passed) == (1, 3, False)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "missing: 0.mp4 is missing",
        f"crashed: {VideoError('crashed', str(data.val / '1.mp4'))}",
        "damaged: 3.mp4 is damaged",
    ]
    assert isinstance(runner.function, functools.partial)
    given = {"sampling": chosen.sampling, "transform": chosen.transform}
    assert (runner.function.func, runner.function.keywords) == (inspect_video, given)


def test_a_csv_of_an_earlier_check_is_replaced_and_nothing_is_left_beside_it(data, tmp_path, monkeypatch):
    LocalRunner(inspect).use_in("verify", monkeypatch)
    (tmp_path / "out").mkdir()
    report = tmp_path / "out" / "verify.csv"
    verify(settings(data), report)
    first = report.read_bytes()
    report.write_bytes(first[: first.index(b"\n") + 1])
    verify(settings(data), report)
    assert report.read_bytes() == first
    assert [path.name for path in report.parent.iterdir()] == ["verify.csv"]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("path,label\n"),
        lambda path: path.write_text("my notes"),
        Path.touch,
        Path.mkdir,
        os.mkfifo,
        lambda path: path.symlink_to("/dev/null"),
    ],
)
def test_another_file_is_not_replaced_and_nothing_is_decoded(make, data, tmp_path, monkeypatch):
    runner = LocalRunner(inspect).use_in("verify", monkeypatch)
    report = tmp_path / "verify.csv"
    make(report)
    before = os.lstat(report)
    with pytest.raises(ValueError, match=r"verify\.csv is another file than the csv of an earlier check; move it"):
        verify(settings(data), report)
    assert os.path.samestat(os.lstat(report), before)
    assert os.lstat(report).st_mtime_ns == before.st_mtime_ns
    assert runner.function is None


def test_a_folder_that_is_not_writable_is_named_before_anything_is_decoded(data, tmp_path, monkeypatch):
    runner = LocalRunner(inspect).use_in("verify", monkeypatch)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=f"cannot be written in {tmp_path}; run in another folder"):
        verify(settings(data), tmp_path / "verify.csv")
    assert runner.function is None


def test_a_csv_that_cannot_be_written_whole_is_an_error_and_leaves_the_old_one(data, tmp_path, monkeypatch):
    def fill_disk(descriptor, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    LocalRunner(inspect).use_in("verify", monkeypatch)
    verify(settings(data), tmp_path / "verify.csv")
    before = (tmp_path / "verify.csv").read_bytes()
    monkeypatch.setattr("x3d.storage.csv_file.write_all", fill_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*verify\.csv"):
        verify(settings(data), tmp_path / "verify.csv")
    assert (tmp_path / "verify.csv").read_bytes() == before


def test_the_bar_shows_the_videos_checked(data, tmp_path, monkeypatch, capsys):
    LocalRunner(inspect).use_in("verify", monkeypatch)
    verify(settings(data), tmp_path / "verify.csv")
    assert "4/4" in capsys.readouterr().err.split("\r")[-1]


def test_settings_are_read_from_their_keys(data):
    (data.path / "test.csv").write_text("0.mp4 0\nno label\n2.mp4 2\n")
    cfg = load_cfg(S, [*SMALL, *data.keys, "X3D_WORKERS.NUM", "3"])
    found = VerifySettings.from_cfg(cfg)
    assert found.annotations == data.path / "test.csv"
    assert [(video.index, video.listed) for video in found.videos] == [(0, "0.mp4"), (2, "2.mp4")]
    assert [(row.index, row.text) for row in found.bad_rows] == [(1, "'no label'")]
    assert found.transform == Transform.from_cfg(cfg)
    assert (found.path_prefix, found.sampling) == (str(data.val), Sampling.from_cfg(cfg))
    assert found.runner == RunnerSettings.from_cfg(cfg)


def test_rows_stay_in_order_where_the_list_has_gaps(data, tmp_path, monkeypatch):
    (data.path / "test.csv").write_text("0.mp4 0\nno label\n2.mp4 2\n3.mp4 3\n")
    LocalRunner(lambda video: Inspection(), in_reverse=True).use_in("verify", monkeypatch)
    found = verify(settings(data), tmp_path / "verify.csv")
    rows = csv.DictReader((tmp_path / "verify.csv").read_text().splitlines())
    assert [row["path"] for row in rows] == ["0.mp4", "2.mp4", "3.mp4"]
    assert (found.num_good, found.num_bad, len(found.bad_rows), found.passed) == (3, 0, 1, False)


def test_files_that_are_not_listed_are_named_and_do_no_harm(data, tmp_path, monkeypatch):
    LocalRunner(lambda video: Inspection()).use_in("verify", monkeypatch)
    (data.val / "sub").mkdir()
    more = [data.val / "sub" / "more.mp4", data.val / "a.txt"]
    for path in more:
        path.touch()
    found = verify(settings(data, "DATA.PATH_PREFIX", f"{data.val}/../val/"), tmp_path / "verify.csv")
    assert found.unlisted == sorted(map(str, more))
    assert found.passed


def test_the_list_itself_is_no_unlisted_file(data, tmp_path, monkeypatch):
    LocalRunner(lambda video: Inspection()).use_in("verify", monkeypatch)
    (data.path / "test.csv").write_text("".join(f"val/{name} 0\n" for name in NAMES))
    found = verify(settings(data, "DATA.PATH_PREFIX", str(data.path)), tmp_path / "verify.csv")
    assert found.unlisted == []


def test_without_a_prefix_nothing_is_searched(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data.val)
    LocalRunner(lambda video: Inspection()).use_in("verify", monkeypatch)
    assert verify(settings(data, "DATA.PATH_PREFIX", ""), tmp_path / "verify.csv").unlisted == []


def test_the_nodes_of_a_cluster_must_see_prefix_and_videos(data, tmp_path, monkeypatch):
    runner = LocalRunner(inspect).use_in("verify", monkeypatch)
    chosen = settings(data)
    (data.val / "1.mp4").write_bytes(b"a")
    verify(chosen, tmp_path / "verify.csv")
    given, requirements, resources = runner.opened_with
    assert (given, resources) == (chosen.runner, None)
    assert requirements().paths == (str(data.val),)
    assert str(data.val / "1.mp4") in dict(requirements().sources)


@pytest.mark.parametrize("known", [True, False])
def test_a_copy_of_the_validation_set_is_known_by_its_number_of_videos(known, data, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    LocalRunner(inspect).use_in("verify", monkeypatch)
    if known:
        monkeypatch.setitem(KNOWN_SETS, 4, "the copy of four")
    report = tmp_path / "verify.csv"
    verify(settings(data, "MODEL.NUM_CLASSES", "400"), report)
    assert f"4 videos listed: {'the copy of four' if known else 'no known copy of the validation set'}" in caplog.text
    caplog.clear()
    verify(settings(data, "MODEL.NUM_CLASSES", "9"), report)
    [line] = caplog.messages[:1]
    assert line.startswith(f"4 videos of {data.list_path}, 4 to do; ")
    assert line.endswith(f"; output {report}")
    assert "listed: " not in caplog.text, "of other classes than Kinetics-400's"


@pytest.mark.parametrize(
    ("num_videos", "problems", "unlisted", "good", "bad", "passed"),
    [
        ({"": 3}, [], [], 3, 0, True),
        ({"": 3}, [], ["x.mp4"], 3, 0, True),
        ({"": 3}, ["line 1"], [], 3, 0, False),
        ({"": 3, "damaged": 2, "empty": 1}, [], [], 3, 3, False),
        ({"damaged": 2}, [], [], 0, 2, False),
    ],
)
def test_a_data_set_passes_when_no_video_and_no_row_is_bad(num_videos, problems, unlisted, good, bad, passed):
    found = Verification(num_videos, [BadRow(0, text, "") for text in problems], unlisted)
    assert (found.num_good, found.num_bad, found.passed) == (good, bad, passed)
