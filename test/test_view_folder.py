import dataclasses
import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, Shard
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.view_folder import ViewFolder
from x3d.video.source import Source, read_source

SHAPE = (3, 1, 2, 2)
VIDEOS = [Video(index, f"{index}.mp4", "", index % 3) for index in range(5)]
MADE_FROM = {"config": {"DATA.NUM_FRAMES": 1}, "view_format": 1}
SOURCE = Source(1, 2, 3)
OTHER = {"config": {"DATA.NUM_FRAMES": 2}, "view_format": 1}


def folder_of(path: Path, shard: Shard = WHOLE) -> ViewFolder:
    return ViewFolder(str(path), ".npy", SHAPE, 2, shard)


def fill(path: Path, shard: Shard = WHOLE, videos: Sequence[Video] = VIDEOS) -> None:
    """Write the views of some of a shard's videos, as a run that was stopped then."""
    folder = folder_of(path, shard)
    with folder.open(MADE_FROM, shard.select(VIDEOS), False) as (manifest, writer):
        for video in shard.select(VIDEOS):
            if video in videos:
                views = np.full((2, 1, *SHAPE), video.index, np.float32)
                manifest.record_done(video, WrittenViews(writer.write(video, enumerate(views)), SOURCE))
        manifest.save()


def reopen(path: Path, shard: Shard = WHOLE, made_from: dict = MADE_FROM, overwrite: bool = False) -> list[int]:
    """Open a folder and return the videos that are recorded as done."""
    with folder_of(path, shard).open(made_from, shard.select(VIDEOS), overwrite) as (manifest, _):
        return list(manifest.done())


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


ALL = {f"{2 * video.index + view}_{video.label}.npy" for video in VIDEOS for view in range(2)}


def refuse(path: Path, match: str, shard: Shard = WHOLE, **opened: Any) -> None:
    """Check that a folder is rejected and stays as it is."""
    before = {name: (path / name).read_bytes() for name in names(path) if (path / name).is_file()}
    with pytest.raises(ValueError, match=match):
        reopen(path, shard, **opened)
    assert {name: (path / name).read_bytes() for name in names(path) if (path / name).is_file()} == before


def test_a_new_folder_has_a_manifest_and_its_scratch_goes_with_the_lock(tmp_path):
    folder = folder_of(tmp_path / "a" / "views")
    with folder.open(MADE_FROM, VIDEOS, False) as (manifest, writer):
        assert manifest.entries() == {}
        assert Manifest.load(folder.manifest_path).provenance == MADE_FROM
        assert writer.scratch.is_dir()
        assert names(folder.path) == {"manifest.json", ".manifest.lock", writer.scratch.name}
        with pytest.raises(ValueError, match=r"manifest\.lock is in use by another run"):
            reopen(folder.path)
    assert names(folder.path) == {"manifest.json"}


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), folder_of(tmp_path).open(MADE_FROM, VIDEOS, False):
        raise ZeroDivisionError
    assert names(tmp_path) == {"manifest.json"}
    assert reopen(tmp_path) == []


def test_no_descriptor_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    assert reopen(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_lock_is_released_after_a_rejection(tmp_path):
    (tmp_path / "x.npy").touch()
    refuse(tmp_path, "is not a view")
    assert names(tmp_path) == {"x.npy"}
    (tmp_path / "x.npy").unlink()
    assert reopen(tmp_path) == []


def test_a_folder_is_resumed(tmp_path):
    fill(tmp_path, videos=VIDEOS[:3])
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in names(tmp_path) if name.endswith(".npy")}
    assert len(times) == 6
    assert reopen(tmp_path) == [0, 1, 2]
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in times} == times


def test_a_folder_of_float16_views_is_resumed_and_one_of_another_type_is_not(tmp_path):
    halves = {**MADE_FROM, "config": {**MADE_FROM["config"], "X3D_PREPROCESS.DTYPE": "float16"}}
    folder = ViewFolder(str(tmp_path), ".npy", SHAPE, 2, dtype="float16")
    with folder.open(halves, VIDEOS, False) as (manifest, writer):
        views = np.ones((2, 1, *SHAPE), np.float32)
        manifest.record_done(VIDEOS[0], WrittenViews(writer.write(VIDEOS[0], enumerate(views)), SOURCE))
    assert (tmp_path / "0_0.npy").stat().st_size == folder.view_bytes == 128 + 2 * 12
    with folder.open(halves, VIDEOS, False) as (manifest, _):
        assert list(manifest.done()) == [0]
    refuse(tmp_path, r"X3D_PREPROCESS.DTYPE was 'float16', is 'float32'")
    refuse(tmp_path, r"manifest.json is of a run without shards", shard=Shard(0, 2), made_from=halves)


def test_shards_of_two_types_are_not_combined(tmp_path):
    fill(tmp_path, Shard(0, 2))
    halves = {**MADE_FROM, "config": {**MADE_FROM["config"], "X3D_PREPROCESS.DTYPE": "float16"}}
    match = r"manifest-0of2.json has another provenance: .*X3D_PREPROCESS.DTYPE was 'float32', is 'float16'"
    refuse(tmp_path, match, shard=Shard(1, 2), made_from=halves)


def test_a_manifest_without_a_type_resumes_as_float32(tmp_path):
    fill(tmp_path, videos=VIDEOS[:3])
    recorded = {**MADE_FROM, "config": {**MADE_FROM["config"], "X3D_PREPROCESS.DTYPE": "float32"}}
    assert reopen(tmp_path, made_from=recorded) == [0, 1, 2]
    assert len(names(tmp_path)) == 7


@pytest.mark.parametrize("how", ["missing", "longer", "shorter"])
def test_a_video_with_an_incomplete_view_is_forgotten_and_its_other_views_removed(how, tmp_path):
    fill(tmp_path)
    view = tmp_path / "5_2.npy"
    content = view.read_bytes()
    view.unlink()
    if how != "missing":
        view.write_bytes(content + b"x" if how == "longer" else content[:-1])
    assert reopen(tmp_path) == [0, 1, 3, 4]
    assert names(tmp_path) == ALL - {"4_2.npy", "5_2.npy"} | {"manifest.json"}
    assert list(Manifest.load(tmp_path / "manifest.json").done()) == [0, 1, 3, 4]


def test_views_that_are_not_recorded_are_removed(tmp_path):
    fill(tmp_path, videos=VIDEOS[:2])
    for name in ("4_2.npy", "0_8.npy", "1_0.bin", "2_1.NPY"):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert reopen(tmp_path) == [0, 1]
    assert names(tmp_path) == {"0_0.npy", "1_0.npy", "2_1.npy", "3_1.npy", "notes.txt", "manifest.json"}


def test_views_of_failed_videos_are_removed_and_the_reason_stays(tmp_path):
    with folder_of(tmp_path).open(MADE_FROM, VIDEOS, False) as (manifest, _):
        manifest.record_failed(VIDEOS[1], "empty", "1.mp4: the file has no bytes")
        manifest.save()
    (tmp_path / "2_1.npy").touch()
    with folder_of(tmp_path).open(MADE_FROM, VIDEOS, False) as (manifest, _):
        assert manifest.failed()[1]["reason"] == "empty"
    assert names(tmp_path) == {"manifest.json"}


def test_the_scratch_folder_of_a_killed_run_is_removed(tmp_path):
    (tmp_path / ".scratch-abcdefgh" / "3-abc").mkdir(parents=True)
    (tmp_path / ".scratch-abcdefgh" / "3-abc" / "6_0.npy").touch()
    (tmp_path / ".manifest.lock").write_text(".scratch-abcdefgh")
    with folder_of(tmp_path).open(MADE_FROM, VIDEOS, False) as (_, writer):
        assert list(writer.scratch.iterdir()) == []
    assert names(tmp_path) == {"manifest.json"}


def test_a_folder_that_is_not_of_this_suite_stays(tmp_path):
    (tmp_path / "victim" / "precious").mkdir(parents=True)
    out = tmp_path / "out"
    out.mkdir()
    for name in (".scratch-manifest", ".scratch-abcdefgh", "manifest"):
        (out / name).symlink_to(tmp_path / "victim")
    (out / ".manifest.lock").write_text(".scratch-abcdefgh")
    (out / ".scratch-12345678").mkdir()
    assert reopen(out) == []
    assert names(out) == {".scratch-manifest", ".scratch-abcdefgh", "manifest", ".scratch-12345678", "manifest.json"}
    assert (tmp_path / "victim" / "precious").is_dir()


@pytest.mark.parametrize("name", [".manifest.lock", "manifest.json", ".manifest.journal"])
def test_a_link_in_place_of_a_file_of_ours_is_not_followed(name, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "victim")
    if name == ".manifest.journal":
        fill(tmp_path / "out")
        assert reopen(tmp_path / "out") == [0, 1, 2, 3, 4]
    else:
        with pytest.raises(ValueError, match=f"{name}"):
            reopen(tmp_path / "out")
    assert (tmp_path / "victim").read_text() == "precious"


def make_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere.npy")
    path.symlink_to(path.parent.parent / "elsewhere.npy")


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("replace", [make_link, make_pipe])
def test_a_view_that_is_a_link_or_a_pipe_is_removed_and_its_video_forgotten(replace, tmp_path):
    out = tmp_path / "out"
    fill(out)
    content = (out / "4_2.npy").read_bytes()
    replace(out / "4_2.npy")
    assert reopen(out) == [0, 1, 3, 4]
    assert names(out) == ALL - {"4_2.npy", "5_2.npy"} | {"manifest.json"}
    assert replace is make_pipe or (tmp_path / "elsewhere.npy").read_bytes() == content


def test_a_folder_named_like_a_view_is_rejected(tmp_path):
    fill(tmp_path)
    (tmp_path / "4_2.npy").unlink()
    (tmp_path / "4_2.npy" / "precious").mkdir(parents=True)
    for overwrite in (False, True):
        refuse(tmp_path, "4_2.npy is not a view, and ais_bench would read it; move it elsewhere", overwrite=overwrite)
    assert (tmp_path / "4_2.npy" / "precious").is_dir()


def test_a_killed_run_is_resumed_from_its_journal(tmp_path):
    """A kill leaves lock, scratch folder and journal; a copy of the folder stands for it."""
    folder = folder_of(tmp_path / "out")
    with folder.open(MADE_FROM, VIDEOS, False) as (manifest, writer):
        views = np.zeros((2, 1, *SHAPE), np.float32)
        manifest.record_done(VIDEOS[3], WrittenViews(writer.write(VIDEOS[3], enumerate(views)), SOURCE))
        manifest.record_failed(VIDEOS[1], "empty", "1.mp4")
        (writer.scratch / "1-abc").mkdir()
        shutil.copytree(folder.path, tmp_path / "killed")
    assert (tmp_path / "killed" / ".manifest.journal").exists()
    with folder_of(tmp_path / "killed").open(MADE_FROM, VIDEOS, False) as (manifest, _):
        assert (list(manifest.done()), list(manifest.failed())) == ([3], [1])
    assert names(tmp_path / "killed") == {"manifest.json", "6_0.npy", "7_0.npy"}


def test_videos_whose_file_changed_are_forgotten_and_reported(tmp_path, caplog):
    videos = []
    for video in VIDEOS:
        (tmp_path / video.listed).write_text(f"video {video.index}")
        videos.append(dataclasses.replace(video, path=str(tmp_path / video.listed)))
    out, views = tmp_path / "out", np.zeros((2, 1, *SHAPE), np.float32)
    with folder_of(out).open(MADE_FROM, videos, False) as (manifest, writer):
        for video in videos:
            written = writer.write(video, enumerate(views))
            manifest.record_done(video, WrittenViews(written, read_source(video.path)))
        manifest.save()
    (tmp_path / "0.mp4").write_text("longer video")
    (tmp_path / "1.mp4").write_text("VIDEO 1")
    (tmp_path / "2.mp4").write_text("video 2")
    os.utime(tmp_path / "1.mp4", ns=(1, 1))
    os.utime(tmp_path / "2.mp4", ns=(1, 1))
    (tmp_path / "3.mp4").unlink()
    with folder_of(out).open(MADE_FROM, videos, False) as (manifest, _):
        assert list(manifest.done()) == [2, 3, 4]
    assert names(out) == {"4_2.npy", "5_2.npy", "6_0.npy", "7_0.npy", "8_1.npy", "9_1.npy", "manifest.json"}
    changed = f"2 videos changed since the last run, processed again: {tmp_path}/0.mp4, {tmp_path}/1.mp4"
    missing = f"1 video not readable any more, results stay in use: {tmp_path}/3.mp4"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [changed, missing]


def test_another_provenance_is_rejected_unless_overwritten(tmp_path):
    fill(tmp_path)
    match = (
        r"manifest.json has another provenance: config: DATA.NUM_FRAMES was 1, is 2. Give another "
        r"X3D_PREPROCESS.DATA_OUTPUT_PATH, or set X3D_PREPROCESS.OVERWRITE True to start anew"
    )
    refuse(tmp_path, match, made_from=OTHER)
    assert reopen(tmp_path, made_from=OTHER, overwrite=True) == []
    assert names(tmp_path) == {"manifest.json"}
    assert Manifest.load(tmp_path / "manifest.json").provenance == OTHER


def test_a_folder_of_an_earlier_version_is_rejected(tmp_path):
    (tmp_path / "manifest.json").write_text('{"facts": {}, "videos": {}}')
    (tmp_path / "0_0.npy").touch()
    for overwrite in (False, True):
        match = "earlier version of this suite .* give another folder, or remove this one"
        refuse(tmp_path, match, overwrite=overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("content", ["{}", '{"name": "an extension", "version": "1"}', "text", None])
def test_the_manifest_of_another_program_and_what_lies_beside_it_stay(content, overwrite, tmp_path):
    if content is None:
        Manifest(tmp_path / "manifest.json", MADE_FROM | {"score_format": 2}).save()
    else:
        (tmp_path / "manifest.json").write_text(content)
    (tmp_path / "3_4.npy").write_bytes(b"precious")
    refuse(tmp_path, r"manifest.json is .*manifest of ", overwrite=overwrite)


def test_views_that_are_removed_are_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    fill(tmp_path, videos=VIDEOS[:2])
    (tmp_path / "4_2.npy").touch()
    assert reopen(tmp_path) == [0, 1]
    assert reopen(tmp_path, overwrite=True) == []
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        f"1 view of {tmp_path} removed: of videos not recorded as done",
        f"4 views of {tmp_path} removed: X3D_PREPROCESS.OVERWRITE is True",
    ]


def test_what_a_killed_save_left_is_removed(tmp_path):
    fill(tmp_path)
    (tmp_path / f".manifest.json.{7:016x}").touch()
    reopen(tmp_path)
    assert names(tmp_path) == ALL | {"manifest.json"}


@pytest.mark.parametrize("name", ["x.npy", "1_2_3.bin", "notes.NPY"])
def test_a_file_that_ais_bench_would_read_is_rejected(name, tmp_path):
    (tmp_path / name).touch()
    refuse(tmp_path, f"{name} is not a view, and ais_bench would read it; move it elsewhere")
    refuse(tmp_path, "is not a view", overwrite=True)


def test_views_without_a_manifest_are_rejected_and_stay(tmp_path):
    for name in ("7_3.npy", "6_3.npy"):
        (tmp_path / name).touch()
    match = r"holds views without manifest.json \(2, such as 6_3.npy\); give another .*, or remove them"
    refuse(tmp_path, match)
    refuse(tmp_path, match, overwrite=True)
    assert names(tmp_path) == {"6_3.npy", "7_3.npy"}


def test_a_shard_of_another_provenance_that_started_meanwhile_is_noticed(tmp_path, monkeypatch):
    check, shard = ViewFolder._check_or_merge_shards, Shard(1, 2)

    def meanwhile(self, *given):
        check(self, *given)
        monkeypatch.undo()
        Manifest(tmp_path / "manifest-0of2.json", MADE_FROM | {"view_format": 77}).save()

    monkeypatch.setattr(ViewFolder, "_check_or_merge_shards", meanwhile)
    with pytest.raises(ValueError, match=r"manifest-0of2.json has another provenance: view_format was 77"):
        reopen(tmp_path, shard)
    assert names(tmp_path) == {"manifest-0of2.json"}


def test_a_path_that_is_a_file_is_rejected(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"X3D_PREPROCESS.DATA_OUTPUT_PATH .*file: "):
        reopen(tmp_path / "file")


def test_shards_share_a_folder(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    assert names(tmp_path) == ALL | {"manifest-0of2.json", "manifest-1of2.json"}
    assert reopen(tmp_path, Shard(0, 2)) == [0, 2, 4]
    assert reopen(tmp_path, Shard(1, 2)) == [1, 3]
    assert names(tmp_path) >= ALL


def test_overwriting_a_shard_leaves_the_other(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    assert reopen(tmp_path, Shard(1, 2), overwrite=True) == []
    assert reopen(tmp_path, Shard(0, 2)) == [0, 2, 4]
    assert names(tmp_path) >= {"0_0.npy", "4_2.npy", "9_1.npy"}
    assert not (tmp_path / "2_1.npy").exists()


def test_two_shards_may_be_open_at_once(tmp_path):
    with folder_of(tmp_path, Shard(0, 2)).open(MADE_FROM, VIDEOS[::2], False):
        assert reopen(tmp_path, Shard(1, 2)) == []


def test_finished_shards_merge_when_the_whole_is_opened(tmp_path):
    for i in range(3):
        fill(tmp_path, Shard(i, 3))
    assert reopen(tmp_path) == [0, 1, 2, 3, 4]
    assert names(tmp_path) == ALL | {"manifest.json"}


def test_shards_of_another_provenance_are_rejected_and_not_merged(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    refuse(tmp_path, r"manifest-0of2.json has another provenance: .* or remove it and its views", made_from=OTHER)
    refuse(tmp_path, r"manifest-0of2.json has another provenance", Shard(1, 2), made_from=OTHER)


def test_a_shard_of_another_count_is_rejected(tmp_path):
    fill(tmp_path, Shard(0, 2))
    match = (
        r"manifest-0of2.json is of a run with 2 shards, --num_shards is {}; finish or remove that one, or give another"
    )
    refuse(tmp_path, match.format(3), Shard(1, 3))
    refuse(tmp_path, match.format(1), overwrite=True)


def test_a_missing_shard_is_not_merged(tmp_path):
    fill(tmp_path, Shard(0, 2))
    refuse(tmp_path, "manifest-1of2.json does not exist; all 2 shards are needed")


def test_a_shard_that_runs_is_not_merged(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    with folder_of(tmp_path, Shard(1, 2)).open(MADE_FROM, VIDEOS[1::2], False):
        refuse(tmp_path, r"manifest-1of2.lock is in use by another run")
    assert reopen(tmp_path) == [0, 1, 2, 3, 4]


def test_the_scratch_of_a_killed_shard_is_removed_when_it_merges(tmp_path):
    for i in range(2):
        fill(tmp_path, Shard(i, 2))
    (tmp_path / ".scratch-abcdefgh").mkdir()
    (tmp_path / ".manifest-1of2.lock").write_text(".scratch-abcdefgh")
    assert reopen(tmp_path) == [0, 1, 2, 3, 4]
    assert names(tmp_path) == ALL | {"manifest.json"}


def test_a_shard_of_a_whole_folder_is_rejected(tmp_path):
    fill(tmp_path)
    refuse(
        tmp_path, r"manifest.json is of a run without shards, --num_shards is 3; finish or remove that one", Shard(1, 3)
    )


def test_scratch_files_that_cannot_be_removed_do_not_matter(tmp_path, monkeypatch):
    """As on NFS, where a file that another process has open stays in its folder."""

    def fail(path: str, **settings: object) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", fail)
        fill(tmp_path)
    assert reopen(tmp_path) == [0, 1, 2, 3, 4]


def test_an_error_of_the_disk_names_the_file(tmp_path, monkeypatch):
    fill(tmp_path, videos=VIDEOS[:1])
    (tmp_path / "2_1.npy").touch()

    def fail(path: object, **settings: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(ValueError, match=r"^X3D_PREPROCESS.DATA_OUTPUT_PATH .*2_1.npy: Input/output error$"):
        reopen(tmp_path)
