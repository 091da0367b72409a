import dataclasses
import platform
import re

import av
import cv2
import numpy as np
import pytest

import x3d
from test.helpers import ROOT
from x3d.config.loading import load_cfg, view_config
from x3d.dataset.annotations import Video
from x3d.network.engine import EngineInfo
from x3d.storage.provenance import (
    digest,
    evaluation_provenance,
    provenance_differences,
    versions,
    view_dtype,
    view_provenance,
)
from x3d.video import VIEW_FORMAT
from x3d.video.container import ffmpeg_version

VIDEOS = [Video(0, "a.mp4", "val/a.mp4", 3), Video(1, "b.mp4", "val/b.mp4", 0)]
ENGINE = EngineInfo("openvino", {"openvino": "2026.4.1"}, "CPU", "f32", None, (3, 4, 40, 40), 9)


def config(**changed):
    """Select the keys of X3D-S that decide views, after changes such as DATA={"NUM_FRAMES": 4}."""
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"))
    for section, values in changed.items():
        cfg[section].update(values)
    return view_config(cfg)


def evaluation(**changed):
    known = {"config": {"DATA.NUM_FRAMES": 13}, "videos": VIDEOS, "views_per_video": 30, "ensemble_method": "sum"}
    known |= {"engine": ENGINE, "model_digest": "0123", "batch_size": 8}
    return evaluation_provenance(**(known | changed))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATA.NUM_FRAMES", 14),
        ("DATA.SAMPLING_RATE", 5),
        ("DATA.TARGET_FPS", 25),
        ("DATA.USE_OFFSET_SAMPLING", True),
        ("DATA.MEAN", [0.1, 0.2, 0.3]),
        ("DATA.STD", [0.1, 0.2, 0.3]),
        ("DATA.TRAIN_JITTER_SCALES", [182, 182]),
        ("DATA.TEST_CROP_SIZE", 160),
        ("DATA.REVERSE_INPUT_CHANNEL", True),
        ("TEST.NUM_ENSEMBLE_VIEWS", 7),
        ("TEST.NUM_SPATIAL_CROPS", 1),
        ("X3D_PREPROCESS.FORMAT", "bin"),
        ("X3D_PREPROCESS.DTYPE", "float16"),
        ("X3D_PREPROCESS.BACKEND", "slowfast"),
    ],
)
def test_every_key_that_decides_views_changes_the_provenance(key, value):
    section, name = key.split(".")
    before, after = config(), config(**{section: {name: value}})
    assert provenance_differences(view_provenance(before, VIDEOS, 30), view_provenance(after, VIDEOS, 30)) == [
        f"config: {key} was {before[key]!r}, is {value!r}"
    ]


def test_views_of_a_manifest_without_a_type_are_float32():
    old = view_provenance({key: value for key, value in config().items() if "DTYPE" not in key}, VIDEOS, 30)
    assert provenance_differences(old, view_provenance(config(), VIDEOS, 30)) == []
    halves = view_provenance(config(X3D_PREPROCESS={"DTYPE": "float16"}), VIDEOS, 30)
    difference = "config: X3D_PREPROCESS.DTYPE was 'float32', is 'float16'"
    assert provenance_differences(old, halves) == [difference]
    assert [view_dtype(found) for found in (old, halves, {}, {"config": 3})] == [
        *("float32", "float16", "float32", "float32")
    ]


def test_a_key_that_does_not_decide_views_does_not_change_it():
    other = config(TEST={"BATCH_SIZE": 3}, DATA={"ENSEMBLE_METHOD": "max"}, MODEL={"NUM_CLASSES": 9})
    assert provenance_differences(view_provenance(config(), VIDEOS, 30), view_provenance(other, VIDEOS, 30)) == []


@pytest.mark.parametrize(
    "videos",
    [VIDEOS[:1], VIDEOS[::-1], [VIDEOS[0], Video(1, "c.mp4", "val/b.mp4", 0)], [VIDEOS[0], Video(1, "b.mp4", "x", 1)]],
)
def test_another_list_changes_it(videos):
    differences = provenance_differences(view_provenance({}, VIDEOS, 30), view_provenance({}, videos, 30))
    assert any(text.startswith("list_digest was") for text in differences)


def test_another_path_prefix_does_not_change_it():
    moved = [Video(0, "a.mp4", "/data/a.mp4", 3), Video(1, "b.mp4", "/data/b.mp4", 0)]
    assert provenance_differences(view_provenance({}, VIDEOS, 30), view_provenance({}, moved, 30)) == []


def test_the_provenance_of_views_is_complete():
    found = view_provenance({"DATA.NUM_FRAMES": 13}, VIDEOS, 30)
    assert found.pop("config_digest") == digest({"DATA.NUM_FRAMES": 13})
    assert found.pop("list_digest") == digest([["a.mp4", 3], ["b.mp4", 0]])
    assert found == {
        "config": {"DATA.NUM_FRAMES": 13},
        "num_videos": 2,
        "views_per_video": 30,
        "view_format": VIEW_FORMAT,
        "versions": {**versions({"av": "av", "opencv": "cv2"}), "ffmpeg": ffmpeg_version()},
    }


def test_a_digest_is_the_same_on_every_machine_in_every_release():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) == "ae8a9a5052464275"


def test_this_release_writes_views_of_format_2():
    assert view_provenance({}, VIDEOS, 30)["view_format"] == 2


def test_versions_come_from_the_modules(monkeypatch):
    assert versions({"av": "av", "opencv": "cv2"}) == {
        "x3d": x3d.__version__,
        "machine": platform.machine(),
        "av": av.__version__,
        "opencv": cv2.__version__,
    }
    monkeypatch.setattr(cv2, "__version__", "0.0")
    assert versions({"opencv": "cv2"})["opencv"] == "0.0"
    with pytest.raises(ImportError, match="no_such_module"):
        versions({"x": "no_such_module"})


def test_another_ffmpeg_is_named(monkeypatch):
    before = view_provenance({}, VIDEOS, 30)
    assert re.fullmatch(r"libavcodec [\d.]+, libavformat [\d.]+, libswscale [\d.]+", before["versions"]["ffmpeg"])
    libraries = {"libavcodec": (1, 2, 3), "libavformat": (4, 5, 6), "libswscale": (7, 8, 9), "libavutil": (0, 0, 0)}
    monkeypatch.setattr(av, "library_versions", libraries)
    [difference] = provenance_differences(before, view_provenance({}, VIDEOS, 30))
    assert difference.endswith("is 'libavcodec 1.2.3, libavformat 4.5.6, libswscale 7.8.9'")


def test_packages_without_a_module_that_knows_are_looked_up_or_unknown():
    found = versions({"pytest": "", "no-such-package": ""})
    assert (found["pytest"], found["no-such-package"]) == (pytest.__version__, "unknown")


def test_more_packages_may_decide_the_views():
    assert view_provenance({}, VIDEOS, 30, {"numpy": "numpy"})["versions"]["numpy"] == np.__version__


def test_a_new_release_of_the_same_format_is_compatible(monkeypatch):
    before = view_provenance({}, VIDEOS, 30)
    monkeypatch.setattr("x3d.storage.provenance.__version__", "9.9")
    after = view_provenance({}, VIDEOS, 30)
    assert after["versions"]["x3d"] == "9.9"
    assert provenance_differences(before, after) == []


def test_another_format_is_not_compatible(monkeypatch):
    before, evaluated = view_provenance({}, VIDEOS, 30), evaluation()
    monkeypatch.setattr("x3d.storage.provenance.VIEW_FORMAT", 99)
    expected = [f"view_format was {VIEW_FORMAT}, is 99 (views of another format cannot be combined)"]
    assert provenance_differences(before, view_provenance({}, VIDEOS, 30)) == expected
    assert provenance_differences(evaluated, evaluation()) == expected


def test_another_package_or_machine_is_named(monkeypatch):
    before = view_provenance({}, VIDEOS, 30)
    monkeypatch.setattr(av, "__version__", "0.0")
    monkeypatch.setattr(platform, "machine", lambda: "other")
    assert provenance_differences(before, view_provenance({}, VIDEOS, 30)) == [
        "versions: av was " + repr(before["versions"]["av"]) + ", is '0.0'",
        "versions: machine was " + repr(before["versions"]["machine"]) + ", is 'other'",
    ]


def test_a_key_of_one_side_only_is_a_difference():
    assert provenance_differences({"a": 1}, {"b": {}}) == ["a was 1, is None", "b was None, is {}"]


def test_an_evaluation_writes_no_views_so_their_files_do_not_count():
    found = evaluation(config=config())
    assert not [key for key in found["config"] if key.startswith("X3D_PREPROCESS")]
    halves = evaluation(config=config(X3D_PREPROCESS={"DTYPE": "float16"}))
    assert halves == found
    assert found["config"]["DATA.NUM_FRAMES"] == 13
    assert found["versions"]["openvino"] == "2026.4.1"
    assert found["versions"]["av"]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"config": {"DATA.NUM_FRAMES": 4}}, "config: DATA.NUM_FRAMES was 13, is 4"),
        ({"ensemble_method": "max"}, "config: DATA.ENSEMBLE_METHOD was 'sum', is 'max'"),
        ({"views_per_video": 10}, "views_per_video was 30, is 10"),
        ({"batch_size": 1}, "batch_size was 8, is 1"),
        ({"engine": dataclasses.replace(ENGINE, device="GPU")}, "device was 'CPU', is 'GPU'"),
        ({"engine": dataclasses.replace(ENGINE, precision="bf16")}, "precision was 'f32', is 'bf16'"),
        ({"engine": dataclasses.replace(ENGINE, name="x")}, "engine was 'openvino', is 'x'"),
        ({"engine": dataclasses.replace(ENGINE, num_classes=8)}, "num_classes was 9, is 8"),
    ],
)
def test_what_decides_the_scores_changes_the_provenance_of_an_evaluation(changed, difference):
    assert provenance_differences(evaluation(), evaluation(**changed)) == [difference]


def test_another_model_changes_the_provenance_of_an_evaluation():
    differences = provenance_differences(evaluation(), evaluation(model_digest="4567"))
    assert differences == ["model_digest was '0123', is '4567'"]
