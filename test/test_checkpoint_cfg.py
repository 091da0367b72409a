"""The configuration that a checkpoint carries is compared in the keys that decide the network."""

from types import SimpleNamespace

import pytest
import torch
import yaml

import x3d_pth2onnx
from demo.synthetic import synthetic_state
from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.network.checkpoint_cfg import NETWORK_KEYS, check_trained_cfg, compared_config
from x3d.network.model import X3D, Architecture


def cfg(name: str, *opts: str):
    return load_cfg(str(ROOT / f"configs/{name}.yaml"), opts)


def text(name: str, **sections) -> str:
    """The configuration as PySlowFast writes it: many keys, some of them unknown here."""
    content = yaml.safe_load(cfg(name).dump())
    for section, values in sections.items():
        content.setdefault(section, {}).update(values)
    return yaml.safe_dump(content | {"TRAIN": {"BATCH_SIZE": 3}, "NEW": [1, {"a": None}]})


def test_every_key_that_the_network_reads_is_compared():
    read = set()

    class Section:
        def __init__(self, name):
            self._name = name

        def __getattr__(self, key):
            read.add(f"{self._name}.{key}")
            return 1

    Architecture.from_cfg(SimpleNamespace(**{name: Section(name) for name in ("DATA", "MODEL", "RESNET", "X3D")}))
    assert read <= set(NETWORK_KEYS)


@pytest.mark.parametrize("name", ["X3D_XS", "X3D_S", "X3D_M", "X3D_L"])
def test_the_same_configuration_passes_whatever_else_it_holds(name, caplog):
    check_trained_cfg(
        "x.pyth", text(name, TEST={"NUM_ENSEMBLE_VIEWS": 1}, DATA={"TEST_CROP_SIZE": 7}), compared_config(cfg(name))
    )
    assert caplog.text == ""


def test_another_configuration_of_the_same_tensors_is_rejected_with_the_one_to_give():
    with pytest.raises(ValueError, match=r"^checkpoint x\.pyth was trained with") as raised:
        check_trained_cfg("x.pyth", text("X3D_S"), compared_config(cfg("X3D_M")))
    found = str(raised.value)
    assert "DATA.NUM_FRAMES 13 (--cfg has 16)" in found
    assert "DATA.TRAIN_CROP_SIZE 160 (--cfg has 224)" in found
    assert found.endswith("; give --cfg configs/X3D_S.yaml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("MODEL", "ARCH", "slowfast"),
        ("MODEL", "HEAD_ACT", "sigmoid"),
        ("X3D", "DEPTH_FACTOR", 5.0),
        ("X3D", "BN_LIN5", True),
        ("RESNET", "NUM_GROUPS", 32),
        ("DATA", "NUM_FRAMES", 4.5),
    ],
)
def test_one_key_suffices(section, key, value):
    with pytest.raises(ValueError, match=rf"with {section}\.{key} {value!r} \(--cfg has .*; give the --cfg of"):
        check_trained_cfg("x.pyth", text("X3D_S", **{section: {key: value}}), compared_config(cfg("X3D_S")))


def test_pytorchvideos_network_within_pyslowfast_is_the_same(caplog):
    check_trained_cfg("x.pyth", text("X3D_S", MODEL={"MODEL_NAME": "PTVX3D"}), compared_config(cfg("X3D_S")))
    assert caplog.text == ""


def test_other_views_are_a_warning(caplog):
    check_trained_cfg("x.pyth", text("X3D_S", DATA={"SAMPLING_RATE": 2}), compared_config(cfg("X3D_S")))
    assert "x.pyth was trained with DATA.SAMPLING_RATE 2 (--cfg has 6); score it on such views" in caplog.text


def test_sizes_that_multigrid_training_varies_are_not_compared():
    varied = text("X3D_S", DATA={"NUM_FRAMES": 6, "TRAIN_CROP_SIZE": 112}, MULTIGRID={"LONG_CYCLE": True})
    check_trained_cfg("x.pyth", varied, compared_config(cfg("X3D_S")))


@pytest.mark.parametrize("entry", [None, "", b"", {}, "MODEL:\n", "DATA: 3\nX3D: [1]\n", "{}"])
def test_an_entry_without_the_keys_is_nothing_to_compare(entry, caplog):
    check_trained_cfg("x.pyth", entry, compared_config(cfg("X3D_S")))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("path", "given", "fitting"),
    [
        ("zoo/X3D_M.pyth", "X3D_S", "X3D_M"),
        ("x3d_s_facebook_13x6x1_kinetics400_rgb_20201027-623825a0.pth", "X3D_XS", "X3D_S"),
        ("x3d_xs.pyth", "X3D_S", "X3D_XS"),
        ("X3D_M.pyth", "X3D_M", ""),
        ("x3d_m/mine.pyth", "X3D_S", ""),
        ("x3d_small.pyth", "X3D_XS", ""),
    ],
)
def test_a_name_of_another_network_with_the_same_tensors_is_a_warning(path, given, fitting, caplog):
    check_trained_cfg(path, None, compared_config(cfg(given)))
    assert caplog.text.endswith(f"if it is one, give --cfg configs/{fitting}.yaml\n" if fitting else caplog.text)
    assert bool(caplog.messages) == bool(fitting)
    caplog.clear()
    check_trained_cfg(path, text(given), compared_config(cfg(given)))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "entry", ["a: [", "text", "- 1", "a: !!python/object:os.system {}", "[" * 2000, 7, "a: 2020-99-99"]
)
def test_an_entry_that_cannot_be_read_is_a_warning(entry, caplog):
    check_trained_cfg("x.pyth", entry, compared_config(cfg("X3D_S")))
    assert "the cfg entry of checkpoint x.pyth is not compared: " in caplog.text


def test_the_script_rejects_the_configuration_of_another_network(tmp_path, caplog):
    small = ["MODEL.NUM_CLASSES", "3", "X3D.DIM_C5", "16"]
    trained = cfg("X3D_S", *small)
    state = synthetic_state(X3D(Architecture.from_cfg(trained)), 0)
    torch.save({"model_state": state, "cfg": trained.dump()}, tmp_path / "x.pyth")
    paths = ["TEST.CHECKPOINT_FILE_PATH", f"{tmp_path}/x.pyth", "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", f"{tmp_path}/x.onnx"]
    assert x3d_pth2onnx.main(["--cfg", str(ROOT / "configs/X3D_M.yaml"), *small, *paths]) == 2
    assert not (tmp_path / "x.onnx").exists()
    assert "was trained with DATA.NUM_FRAMES 13 (--cfg has 16)" in caplog.text
