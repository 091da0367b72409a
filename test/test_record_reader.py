"""How the results of a folder were made: summaries of ais_bench and x3d_infer.py, intact, damaged, of other forms."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from test import npu_texts
from test.helpers import ROOT
from x3d.dataset.annotations import Video
from x3d.scoring.table import UNKNOWN_SOURCE, Failure
from x3d.storage.ais_bench_summary import Summary
from x3d.storage.entries import WrittenViews
from x3d.storage.expected_list import ExpectedList
from x3d.storage.manifest import Manifest
from x3d.storage.record_reader import read_record, read_summary
from x3d.storage.result_folder import find_results
from x3d.storage.result_record import ResultRecord
from x3d.video.source import Source

VIEWS = {
    "config": {"TEST.NUM_ENSEMBLE_VIEWS": 2, "TEST.NUM_SPATIAL_CROPS": 1},
    "num_videos": 3,
    "views_per_video": 2,
    "list_digest": "abc",
}

EMPTY, MISSING = Failure("empty", "2.mp4: the file has no bytes"), Failure("missing", "1.mp4: no such file")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A summary of x3d_infer.py."""
    summary = Summary(4)
    summary.add_file(0, "views/0_7.npy", "res/0_7_0.bin", "0123456789abcdef")
    summary.add_file(1, "views/1_7.npy", "res/1_7_0.bin", "fedcba9876543210")
    summary.provenance = {"views": VIEWS, "num_classes": 9}
    summary.missing_videos = {2: EMPTY}
    (tmp_path / "res").mkdir()
    summary.save(tmp_path / "res_summary.json", ["x3d_infer.py"])
    return tmp_path / "res_summary.json"


def test_a_summary_of_x3d_infer_is_read_back(saved, tmp_path):
    record = read_record(str(tmp_path / "res"))
    assert record == ResultRecord(
        source=str(saved),
        labels={0: 7, 1: 7},
        names={"0_7_0.bin", "1_7_0.bin"},
        digests={"0_7_0.bin": "0123456789abcdef", "1_7_0.bin": "fedcba9876543210"},
        provenance={"views": VIEWS, "num_classes": 9},
        input_folder="views",
        views=VIEWS,
        views_source=str(saved),
        missing_videos={2: EMPTY},
    )
    assert record.num_videos == 3


@pytest.mark.parametrize("num_videos", [3, 4])
def test_paths_and_hashes_of_the_videos_are_those_of_the_same_views(num_videos, saved, tmp_path):
    write_manifest(tmp_path / "views", {**VIEWS, "num_videos": num_videos})
    record = read_record(str(tmp_path / "res"))
    assert list(record.listed_paths) == (["0.mp4", "1.mp4", ""] if num_videos == 3 else [])
    assert record.sources == ({0: 3} if num_videos == 3 else {})


def test_any_flipped_bit_of_a_summary_is_noticed(saved):
    content = saved.read_bytes()
    read_summary(saved)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        saved.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"res_summary\.json"):
            read_summary(saved)


def test_a_summary_cut_or_continued_is_noticed(saved):
    content = saved.read_bytes()
    for damaged in (content[:-1], content[:-31] + b"}", content + b" {}", content[:100]):
        saved.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"res_summary.json is [^;]*; infer again$"):
            read_summary(saved)


OTHER = {
    "empty": "",
    "list": "[]",
    "object": "{}",
    "number": '{"filesinfo": 3}',
    "list of samples": '{"filesinfo": []}',
    "sample": '{"filesinfo": {"0": 3}}',
    "no output": '{"filesinfo": {"0": {}}}',
    "outputs": '{"filesinfo": {"0": {"outfiles": 1}}}',
    "text as outputs": '{"filesinfo": {"0": {"outfiles": "0_7_0.bin"}}}',
    "output": '{"filesinfo": {"0": {"outfiles": [3]}}}',
    "inputs": '{"filesinfo": {"0": {"outfiles": [], "infiles": 3}}}',
    "input": '{"filesinfo": {"0": {"outfiles": [], "infiles": [3]}}}',
    "provenance": '{"filesinfo": {}, "provenance": [3]}',
    "views": '{"filesinfo": {}, "provenance": {"views": 3}}',
    "missing": '{"filesinfo": {}, "videos_without_views": [3]}',
    "deep": 100_000 * "[",
    "deep samples": '{"filesinfo": ' + 100_000 * '{"a":',
    "nan": '{"filesinfo": NaN}',
}


@pytest.mark.parametrize("kind", OTHER)
def test_a_file_of_another_form_is_rejected_and_named(kind, tmp_path):
    (tmp_path / "s.json").write_text(OTHER[kind])
    is_ais_benchs = "filesinfo" in OTHER[kind] and kind not in ("provenance", "views", "missing")
    remedy = r"remove it and set DATA\.PATH_TO_DATA_DIR, or infer again" if is_ais_benchs else "infer again"
    match = rf"s.json is (not a summary of ais_bench: [^;]*|damaged: [^;]*); {remedy}$"
    with pytest.raises(ValueError, match=match):
        read_summary(tmp_path / "s.json")


def test_a_summary_that_cannot_be_read_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name in ("none.json", "pipe.json", "bytes.json"):
        with pytest.raises(ValueError, match=name):
            read_summary(tmp_path / name)


def write_summary(path: Path, *names: str, inputs: str = "") -> None:
    """Write a summary as ais_bench does."""
    samples = {str(i): {"infiles": [f"{inputs}/{name}"], "outfiles": [name]} for i, name in enumerate(names)}
    path.write_text(json.dumps({"filesinfo": samples}))


def test_digests_without_a_provenance_do_not_count(tmp_path):
    sample = {"infiles": [], "outfiles": ["0_7_0.bin"], "digest": "0123456789abcdef"}
    (tmp_path / "s.json").write_text(json.dumps({"filesinfo": {"0": sample}}))
    assert read_summary(tmp_path / "s.json").digests == {}


def labels(folder: Path | str) -> dict[int, int] | None:
    record = read_record(str(folder))
    return dict(record.labels) if record else None


def test_the_summary_beside_a_folder_is_read(tmp_path, monkeypatch):
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "res/1_7_0.bin", "res/0_7_0.bin", "res/0_7_1.bin")
    assert labels(tmp_path / "res") == {0: 7, 1: 7}
    monkeypatch.chdir(tmp_path)
    assert labels("res/") == {0: 7, 1: 7}
    monkeypatch.chdir(tmp_path / "res")
    assert labels(".") == {0: 7, 1: 7}


def test_the_summary_is_beside_the_folder_that_a_link_leads_to(saved, tmp_path):
    folder = saved.with_name(saved.name.removesuffix("_summary.json"))
    folder.mkdir(exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "latest").symlink_to(folder)
    record = read_record(str(tmp_path / "elsewhere" / "latest"))
    assert record is not None
    assert record.source == str(saved)


@pytest.fixture
def of_devices(tmp_path) -> Path:
    """The results of two devices, as ais_bench lays them out."""
    folder = tmp_path / "result"
    for number, content in enumerate(npu_texts.AIS_BENCH_DEVICE_SUMMARIES):
        (folder / f"device{number}").mkdir(parents=True)
        (folder / f"device{number}_summary.json").write_text(content)
        for sample in json.loads(content)["filesinfo"].values():
            (folder.parent / sample["outfiles"][0]).write_bytes(bytes(36))
    return folder


def test_what_ais_bench_wrote_of_two_devices_is_read(of_devices):
    assert labels(of_devices) == {0: 7, 1: 7, 2: 5, 3: 5}
    results, problems = find_results(str(of_devices))
    assert [(result.view, result.label) for result in results] == [(0, 7), (1, 7), (2, 5), (3, 5)]
    assert problems == []


@pytest.mark.parametrize("device", ["0,1", "1,0", "0,1,12"])
@pytest.mark.parametrize("words", [["--device", "{}"], ["--device={}"], ["-d", "{}"]])
def test_a_device_without_a_summary_is_noticed(device, words, of_devices):
    path = of_devices / "device0_summary.json"
    content = json.loads(path.read_text())
    content["args"] = ["a", *(word.format(device) for word in words)]
    path.write_text(json.dumps(content))
    (of_devices / "device1_summary.json").unlink()
    missing = "device1, device12" if device == "0,1,12" else "device1"
    with pytest.raises(ValueError, match=f"result holds no summary of {missing}, where ais_bench failed; infer again"):
        read_record(str(of_devices))


def test_devices_with_their_position_in_the_name_are_read(of_devices):
    for number in range(2):
        for suffix in ("", "_summary.json"):
            (of_devices / f"device{number}{suffix}").rename(of_devices / f"device{number}_{number}{suffix}")
    assert labels(of_devices) == {0: 7, 1: 7, 2: 5, 3: 5}
    assert len(find_results(str(of_devices))[0]) == 4
    (of_devices / "device1_1_summary.json").unlink()
    with pytest.raises(ValueError, match="holds no summary of device1, where ais_bench failed"):
        read_record(str(of_devices))


def test_the_manifest_beside_the_views_shows_what_it_was_to_run(of_devices):
    (of_devices / "device1_summary.json").unlink()
    write_manifest(of_devices.parent / "prep_data")
    record = read_record(str(of_devices))
    assert record is not None
    assert (record.labels, record.num_videos) == ({0: 7, 1: 7}, 3)


def test_the_summaries_of_several_devices_are_read(tmp_path):
    write_summary(tmp_path / "device0_summary.json", "0_7_0.bin", "2_5_0.bin")
    write_summary(tmp_path / "device1_summary.json", "1_7_0.bin")
    write_summary(tmp_path / "other_summary.json", "9_7_0.bin")
    assert labels(tmp_path) == {0: 7, 1: 7, 2: 5}


def test_a_summary_beside_and_those_of_devices_are_of_two_runs(tmp_path):
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "0_7_0.bin")
    write_summary(tmp_path / "res" / "device0_summary.json", "1_7_0.bin")
    with pytest.raises(
        ValueError, match=r"res_summary.json and .*device0_summary.json both describe .*; remove the one"
    ):
        read_record(str(tmp_path / "res"))


def save_device(folder: Path, device: int, provenance: dict, missing: dict[int, Failure] | None = None) -> None:
    """Write a device's summary with the provenance of x3d_infer.py, of one view."""
    summary = Summary(1)
    summary.add_file(0, f"views{device}/{device}_7.npy", f"res/{device}_7_0.bin", f"{device:016x}")
    summary.provenance, summary.missing_videos = provenance, missing or {}
    summary.save(folder / f"device{device}_summary.json", [])


def test_digests_and_missing_videos_of_all_devices_count(tmp_path):
    save_device(tmp_path, 0, {"views": VIEWS}, {2: EMPTY})
    save_device(tmp_path, 1, {"views": VIEWS}, {1: MISSING})
    record = read_record(str(tmp_path))
    assert record.digests == {"0_7_0.bin": f"{0:016x}", "1_7_0.bin": f"{1:016x}"}
    assert record.names == {"0_7_0.bin", "1_7_0.bin"}
    assert record.missing_videos == {1: MISSING, 2: EMPTY}


def test_devices_with_another_provenance_are_rejected(tmp_path):
    save_device(tmp_path, 0, {"views": VIEWS, "model_digest": "a"})
    save_device(tmp_path, 1, {"views": VIEWS, "model_digest": "b"})
    match = r"device1_summary.json is of another run than .*device0_summary.json: model_digest was 'a', is 'b'; infer"
    with pytest.raises(ValueError, match=match):
        read_record(str(tmp_path))


def test_devices_that_read_other_views_are_rejected(tmp_path):
    (tmp_path / "res").mkdir()
    for device, source in enumerate(("prep", "other")):
        write_manifest(tmp_path / source, {**VIEWS, "list_digest": source})
        write_summary(tmp_path / "res" / f"device{device}_summary.json", f"{device}_7_0.bin", inputs=source)
    with pytest.raises(ValueError, match=r"device1_summary.json is of another run than .*list_digest was 'prep'"):
        read_record(str(tmp_path / "res"))


def test_a_view_that_is_named_twice_is_rejected(tmp_path):
    for device in range(2):
        write_summary(tmp_path / f"device{device}_summary.json", "4_7_0.bin")
    with pytest.raises(ValueError, match=r"device1_summary.json and .*device0_summary.json both name view 4; infer"):
        read_record(str(tmp_path))
    write_summary(tmp_path / "device1_summary.json", "5_7_0.bin", "5_7_0.npy")
    with pytest.raises(ValueError, match=r"device1_summary.json names view 5 twice"):
        read_record(str(tmp_path))


def test_without_a_summary_nothing_is_known(tmp_path):
    assert read_record(str(tmp_path)) is None


def test_a_summary_that_names_no_view_is_of_another_run(tmp_path):
    write_summary(tmp_path / "device0_summary.json", "notes.txt")
    with pytest.raises(ValueError, match=r"device0_summary.json names no result of a view; remove it and set DATA"):
        read_record(str(tmp_path))
    write_summary(tmp_path / "device1_summary.json", "0_7_0.bin")
    assert labels(tmp_path) == {0: 7}, "a device may have had nothing to do"


def test_a_summary_of_files_in_the_current_folder_takes_the_manifest_there(tmp_path):
    write_manifest(tmp_path / "run", name="manifest-0of1.json")
    (tmp_path / "run" / "res").mkdir()
    samples = {"0": {"infiles": ["0_7.npy"], "outfiles": ["res/0_7_0.bin"]}}
    (tmp_path / "run" / "res_summary.json").write_text(json.dumps({"filesinfo": samples}))
    record = read_record(str(tmp_path / "run" / "res"))
    assert (record.input_folder, record.views) == (".", VIEWS)
    assert record.views_source == str(tmp_path / "run" / "manifest-0of1.json")


def test_without_inputs_no_manifest_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "none")
    samples = {"0": {"infiles": [], "outfiles": ["res/0_7_0.bin"]}}
    (tmp_path / "res_summary.json").write_text(json.dumps({"filesinfo": samples}))
    record = read_record(str(tmp_path / "res"))
    assert (record.input_folder, record.views) == (None, {})


def write_manifest(folder: Path, provenance: dict = VIEWS, name: str = "manifest.json") -> None:
    """Write a manifest of views: video 0 is done, 1 failed, 2 was not reached."""
    folder.mkdir()
    manifest = Manifest(folder / name, provenance)
    manifest.record_done(Video(0, "0.mp4", "", 7), WrittenViews(["0" * 16, "1" * 16], Source(1, 2, 3)))
    manifest.record_failed(Video(1, "1.mp4", "", 7), "empty", "1.mp4: the file has no bytes")
    manifest.save()


@pytest.mark.parametrize("inputs", ["absolute", "./prep_data", "prep_data"])
def test_ais_benchs_results_take_the_provenance_beside_their_inputs(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    write_manifest(tmp_path / "prep_data")
    (tmp_path / "res").mkdir()
    source = str(tmp_path / "prep_data") if inputs == "absolute" else inputs
    write_summary(tmp_path / "res_summary.json", "0_7_0.bin", inputs=source)
    record = read_record(str(tmp_path / "res"))
    assert record.views == VIEWS
    assert record.views_source == str(tmp_path / "prep_data" / "manifest.json")
    empty, unknown = Failure("empty", "1.mp4: the file has no bytes"), Failure("", "not preprocessed")
    assert record.missing_videos == {1: empty, 2: unknown}
    assert record.listed_paths == ["0.mp4", "1.mp4", ""]
    assert record.sources_of(np.array([1, 0, 2])).tolist() == [UNKNOWN_SOURCE, 3, UNKNOWN_SOURCE]
    assert (record.provenance, record.digests) == ({}, {})


def test_views_that_no_longer_exist_leave_what_the_summary_names(tmp_path):
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "0_7_0.bin", inputs="prep_data")
    record = read_record(str(tmp_path / "res"))
    assert (record.views, record.num_videos) == ({}, None)


def test_a_damaged_manifest_beside_the_inputs_is_named(tmp_path):
    write_manifest(tmp_path / "prep_data")
    (tmp_path / "prep_data" / "manifest.json").write_text("{}")
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "0_7_0.bin", inputs="prep_data")
    with pytest.raises(ValueError, match=r"prep_data/manifest.json is not a manifest of this suite"):
        read_record(str(tmp_path / "res"))


RECORD = ResultRecord("res_summary.json", {}, provenance={"num_classes": 9}, views=VIEWS, views_source="m.json")
KEYS = {"TEST.NUM_ENSEMBLE_VIEWS": 2, "TEST.NUM_SPATIAL_CROPS": 1, "MODEL.NUM_CLASSES": 9}


def test_keys_that_agree_or_are_not_recorded_are_accepted():
    RECORD.check_keys(KEYS)
    ResultRecord("s", {}).check_keys(KEYS)
    ResultRecord("s", {}, views={"config": 3}).check_keys(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_keys_that_contradict_the_record_are_rejected_with_those_to_set(key):
    expected = (
        "^m.json records other keys for these results: set TEST.NUM_ENSEMBLE_VIEWS 2 TEST.NUM_SPATIAL_CROPS 1 MODEL"
    )
    with pytest.raises(ValueError, match=expected):
        RECORD.check_keys({**KEYS, key: 5})


def test_another_list_is_rejected():
    RECORD.check_list(ExpectedList([7], ["0.mp4"], "test.csv", "abc"))
    ResultRecord("s", {}).check_list(ExpectedList([7], ["0.mp4"], "test.csv", "abc"))
    match = r"^test\.csv is not the list that the views were made from, as m\.json records; set DATA\.PATH_TO_DATA_DIR"
    with pytest.raises(ValueError, match=match):
        RECORD.check_list(ExpectedList([7], ["0.mp4"], "test.csv", "other"))
