"""From a list to a folder of views, as a value; videos are decoded in this process."""

import dataclasses
import json
import os
import types
from pathlib import Path

import numpy as np
import pytest
import xxhash

from test.helpers import ROOT, Dataset, content, preprocess_keys, states
from test.local_runner import LocalRunner
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.dataset.naming import Shard
from x3d.errors import RunError
from x3d.execution.runner import RunnerSettings
from x3d.pipeline import preprocess as module
from x3d.pipeline.preprocess import PreprocessSettings, preprocess
from x3d.storage import journal, view_writer
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.view_writer import ViewWriter
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.source import Source
from x3d.video.transform import Transform

SIX_VIEWS = ["TEST.NUM_ENSEMBLE_VIEWS", "2", "TEST.NUM_SPATIAL_CROPS", "3"]
NAMES = ["a.mp4", "no.mp4", "b.mp4"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three listed videos, of which the second does not exist."""
    made = Dataset(tmp_path_factory.mktemp("data")).write_videos(
        {"a.mp4": {"num_frames": 40}, "b.mp4": {"num_frames": 50}}
    )
    return made.write_list(NAMES)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> LocalRunner:
    return LocalRunner().use_in("preprocess", monkeypatch)


def written(rotation: int = 0, corrupt_frames: int = 0) -> WrittenViews:
    return WrittenViews(["0" * 16] * 6, Source(1, 2, 3), rotation, corrupt_frames)


def load(data: Dataset, out: Path, *more: str):
    return load_cfg(str(ROOT / "configs/X3D_S.yaml"), preprocess_keys(data, out, *SIX_VIEWS, *more))


def settings(data: Dataset, out: Path, *more: str) -> PreprocessSettings:
    return PreprocessSettings.from_cfg(load(data, out, *more))


def test_settings_are_read_from_their_keys(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load(data, Path("out"))
    found = PreprocessSettings.from_cfg(cfg)
    assert [(video.index, video.listed, video.label) for video in found.videos] == list(
        zip(range(3), NAMES, range(3), strict=True)
    )
    assert (found.path_prefix, found.output_path, found.suffix) == (str(data.val), "out", ".npy")
    assert found.dtype == "float32"
    assert (found.view_shape, found.num_views) == ((3, 4, 40, 40), 6)
    assert (found.sampling, found.transform) == (Sampling.from_cfg(cfg), Transform.from_cfg(cfg))
    assert (found.overwrite, found.stop_at_first_failure, found.slowfast_cfg) == (False, False, None)
    assert found.runner == RunnerSettings.from_cfg(cfg)
    assert found.view_config["TEST.NUM_ENSEMBLE_VIEWS"] == 2

    more = "X3D_PREPROCESS.FORMAT bin X3D_PREPROCESS.OVERWRITE True X3D_PREPROCESS.BACKEND slowfast".split()
    more += ["X3D_PREPROCESS.DTYPE", "float16"]
    cfg = load(data, Path("out"), *more, "X3D_WORKERS.ON_ERROR", "raise", "X3D_WORKERS.RAY_ADDRESS", "auto")
    found = PreprocessSettings.from_cfg(cfg)
    assert (found.suffix, found.overwrite, found.stop_at_first_failure) == (".bin", True, True)
    assert found.slowfast_cfg is cfg
    assert found.dtype == "float16"
    assert found.output_path == str(tmp_path / "out"), "every node of a cluster needs the same path"


def test_an_empty_output_path_is_refused(data):
    with pytest.raises(ValueError, match=r"X3D_PREPROCESS\.DATA_OUTPUT_PATH is empty; give the folder for the views"):
        PreprocessSettings.from_cfg(load_cfg(str(ROOT / "configs/X3D_S.yaml"), data.keys))


def test_done_and_failed_videos_are_recorded_and_summed_up(data, runner, tmp_path):
    out = tmp_path / "out"
    summary = preprocess(settings(data, out))
    assert (summary.num_videos, summary.num_done, summary.num_rotated) == (3, 2, 0)
    assert (summary.num_not_reached, summary.complete) == (0, False)
    assert summary.manifest == out / "manifest.json"
    found = states(out)
    assert list(summary.failed) == [found["1"]]
    assert {key: found["1"][key] for key in ("path", "label", "state", "reason")} == {
        "path": "no.mp4",
        "label": 1,
        "state": "failed",
        "reason": "missing",
    }
    assert str(data.val / "no.mp4") in found["1"]["text"]
    for index, name in ((0, "a.mp4"), (2, "b.mp4")):
        entry = found[str(index)]
        values = [np.load(out / f"{6 * index + view}_{index}.npy") for view in range(6)]
        assert entry == {
            "path": name,
            "label": index,
            "state": "done",
            "view_hashes": [xxhash.xxh3_64_hexdigest(view.tobytes()) for view in values],
            "source": {
                "size": (data.val / name).stat().st_size,
                "mtime_ns": (data.val / name).stat().st_mtime_ns,
                "hash": xxhash.xxh3_64_hexdigest((data.val / name).read_bytes()),
            },
            "rotation": 0,
            "corrupt_frames": 0,
        }
    assert set(content(out)) == {f"{view}_{view // 6}.npy" for view in [*range(6), *range(12, 18)]}
    assert not any(path.is_dir() for path in out.iterdir()), "scratch folders are removed"
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["provenance"]["num_videos"], manifest["provenance"]["views_per_video"]) == (3, 6)


def test_the_nodes_of_a_cluster_must_see_videos_and_scratch_folder(data, runner, tmp_path):
    chosen = settings(data, tmp_path / "out")
    preprocess(chosen)
    given, requirements, resources = runner.opened_with
    assert (given, resources) == (chosen.runner, None)
    *paths, scratch = requirements().paths
    assert paths == [str(data.val)]
    assert str(data.val / "a.mp4") in dict(requirements().sources)
    assert scratch == str(runner.function.keywords["writer"].scratch)
    assert Path(scratch).parent == tmp_path / "out"


def test_a_second_run_does_what_is_missing_and_overwrite_does_all(data, runner, tmp_path):
    chosen = settings(data, tmp_path / "out")
    first = preprocess(chosen)
    assert preprocess(chosen) == first
    os.remove(tmp_path / "out" / "3_0.npy")
    preprocess(chosen)
    preprocess(dataclasses.replace(chosen, overwrite=True))
    assert runner.seen == [[0, 1, 2], [1], [0, 1], [0, 1, 2]]


def test_a_shard_does_its_own_videos(data, runner, tmp_path):
    chosen = settings(data, tmp_path / "out")
    found = [preprocess(chosen, Shard(shard_id, 2)) for shard_id in range(2)]
    assert runner.seen == [[0, 2], [1]]
    assert [(summary.num_videos, summary.num_done, len(summary.failed)) for summary in found] == [(2, 2, 0), (1, 0, 1)]
    assert [summary.manifest.name for summary in found] == ["manifest-0of2.json", "manifest-1of2.json"]


def test_the_first_failure_stops_where_wanted(data, runner, tmp_path):
    summary = preprocess(settings(data, tmp_path / "out", "X3D_WORKERS.ON_ERROR", "raise"))
    assert (summary.num_done, len(summary.failed), summary.num_not_reached) == (1, 1, 1)


def test_a_folder_that_cannot_be_written_ends_the_run_and_keeps_what_is_done(data, tmp_path, monkeypatch):
    def fill_the_disk(video: Video) -> WrittenViews:
        if video.index == 1:
            raise OSError(28, "No space left on device", str(tmp_path / "out/6_1.npy"))
        return written(rotation=90)

    LocalRunner(fill_the_disk).use_in("preprocess", monkeypatch)
    match = f"^{tmp_path}/out/6_1.npy cannot be written: No space left on device; run the same command to resume$"
    with pytest.raises(RunError, match=match):
        preprocess(settings(data, tmp_path / "out"))
    assert states(tmp_path / "out")["0"]["rotation"] == 90


def test_videos_with_rotation_and_with_corrupt_frames_are_counted(data, tmp_path, monkeypatch):
    counts = [(0, 5), (90, 0), (-90, 0)]
    LocalRunner(lambda video: written(*counts[video.index])).use_in("preprocess", monkeypatch)
    summary = preprocess(settings(data, tmp_path / "out"))
    assert (summary.num_rotated, summary.num_corrupt) == (2, 1)


def test_corrupt_frames_are_recorded_as_the_reader_counts_them(data, tmp_path, monkeypatch):
    class CorruptReader(VideoReader):
        num_corrupt_frames = property(lambda reader: 7, lambda reader, number: None)

    monkeypatch.setattr(module, "VideoReader", CorruptReader)
    LocalRunner().use_in("preprocess", monkeypatch)
    assert preprocess(settings(data, tmp_path / "out")).num_corrupt == 2
    assert states(tmp_path / "out")["0"]["corrupt_frames"] == 7


def test_a_video_is_recorded_when_its_views_are_on_the_disk(data, tmp_path, monkeypatch):
    """In the order: views synced, renamed, names synced, recorded."""
    calls = []

    def traced(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def call(*given: object) -> object:
            calls.append(name)
            return original(*given)

        monkeypatch.setattr(owner, name, call)

    LocalRunner().use_in("preprocess", monkeypatch)
    traced(view_writer.os, "replace")
    traced(view_writer, "sync_file_system")
    traced(view_writer, "sync_folder")
    traced(journal.Journal, "append")
    preprocess(settings(data, tmp_path / "out"))
    of_video = ["sync_file_system", *6 * ["replace"], "sync_folder", "append"]
    assert calls == ["replace", *of_video, "append", *of_video, "replace"], (
        "first and last the whole manifest is written"
    )


@pytest.mark.parametrize(("dtype", "bytes_per_value"), [("float32", 4), ("float16", 2)])
def test_views_that_do_not_fit_the_disk_are_refused_before_anything_is_decoded(
    dtype, bytes_per_value, data, runner, tmp_path, monkeypatch
):
    bytes_of_all = 3 * 6 * (128 + bytes_per_value * 3 * 4 * 40 * 40)
    chosen = settings(data, tmp_path / "out", "X3D_PREPROCESS.DTYPE", dtype)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=bytes_of_all - 1))
    with pytest.raises(ValueError, match=r"out has 0\.00 GB too little space for 18 views"):
        preprocess(chosen)
    assert runner.seen == []
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=bytes_of_all))
    assert preprocess(chosen).num_done == 2


def test_float16_views_are_the_float32_ones_rounded(data, runner, tmp_path):
    for dtype in ("float32", "float16"):
        assert preprocess(settings(data, tmp_path / dtype, "X3D_PREPROCESS.DTYPE", dtype)).num_done == 2
    paths = sorted((tmp_path / "float32").glob("*.npy"))
    assert len(paths) == 12
    for path in paths:
        view, half = np.load(path), np.load(tmp_path / "float16" / path.name)
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half, view.astype(np.float16))
        assert np.abs(half.astype(np.float32) - view).max() <= 2**-10
        assert path.stat().st_size - 128 == 2 * ((tmp_path / "float16" / path.name).stat().st_size - 128)
    entries = Manifest.load(tmp_path / "float16" / "manifest.json").done()
    first = np.load(tmp_path / "float16" / "0_0.npy")
    assert entries[0]["view_hashes"][0] == xxhash.xxh3_64_hexdigest(first.tobytes())


def test_the_space_is_in_gigabytes(monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=11.75e9))
    folder = types.SimpleNamespace(views_per_video=6, view_bytes=10**9, path="out")
    space = module._Space.of(folder, 2)
    assert str(space) == "12 views, 12.00 GB of 11.75 GB free"
    with pytest.raises(ValueError, match=r"out has 0\.25 GB too little space for 12 views"):
        space.check()


def test_pyslowfast_is_looked_for_before_anything_else(data, runner, tmp_path, monkeypatch):
    checked = []

    def check(cfg: object) -> None:
        checked.append(cfg)
        raise ValueError("no PySlowFast")

    monkeypatch.setattr("x3d.slowfast.check_reference", check)
    chosen = settings(data, tmp_path / "out", "X3D_PREPROCESS.BACKEND", "slowfast")
    with pytest.raises(ValueError, match="no PySlowFast"):
        preprocess(chosen)
    assert checked == [chosen.slowfast_cfg]
    assert not (tmp_path / "out").exists()


def test_pyslowfast_decodes_where_wanted(data, tmp_path, monkeypatch):
    given = []

    def write(video: Video, cfg: object, writer: ViewWriter) -> WrittenViews:
        given.append((video.index, cfg, writer.names(video)[0], writer.dtype))
        return written()

    monkeypatch.setattr("x3d.slowfast.check_reference", lambda cfg: None)
    monkeypatch.setattr("x3d.slowfast.write_reference_views", write)
    monkeypatch.setattr("x3d.slowfast.datasets_digest", lambda: "0123")
    runner = LocalRunner().use_in("preprocess", monkeypatch)
    keys = ["X3D_PREPROCESS.BACKEND", "slowfast", "X3D_PREPROCESS.DTYPE", "float16"]
    chosen = settings(data, tmp_path / "out", *keys)
    assert preprocess(chosen).num_done == 3
    recorded = Manifest.load(tmp_path / "out" / "manifest.json").provenance["versions"]
    assert recorded["slowfast"] == dict(runner.opened_with[1]().versions)["slowfast"] == "0123"
    names = [f"{6 * index}_{index}.npy" for index in range(3)]
    assert given == [(index, chosen.slowfast_cfg, name, "float16") for index, name in enumerate(names)]


VIDEOS = [Video(index, f"{index}.mp4", f"{index}.mp4", 0) for index in range(4)]


def test_a_summary_of_an_empty_manifest_has_nothing_done(tmp_path):
    summary = module._summarise(VIDEOS, Manifest(tmp_path / "manifest.json", {}))
    assert (summary.num_videos, summary.num_done, summary.failed, summary.num_not_reached) == (4, 0, [], 4)


def test_a_summary_counts_the_videos_of_the_run_only(tmp_path):
    manifest = Manifest(tmp_path / "manifest.json", {})
    manifest.record_done(VIDEOS[0], written())
    manifest.record_failed(VIDEOS[1], "empty", "1.mp4")
    manifest.record_done(Video(90, "", "", 0), written())
    manifest.record_failed(Video(91, "", "", 0), "empty", "")
    summary = module._summarise(VIDEOS, manifest)
    assert (summary.num_done, len(summary.failed), summary.num_not_reached) == (1, 1, 2)
