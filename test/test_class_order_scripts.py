"""A list in another class order is recognised by scoring, and status and line stay what they are."""

import json
from pathlib import Path

import numpy as np
import pytest

import x3d_postprocess
from test.results import write_results
from x3d.dataset.class_names import kinetics400_names
from x3d.scoring.class_order import known_orders

CLASSES = np.random.default_rng(0).permutation(400)[:120]
ORDER = "names sorted with the quotes of a csv file"


def write(folder: Path, order: np.ndarray) -> None:
    """Write the results of one view per video, whose file names have the labels of an order."""
    write_results(folder, CLASSES.tolist(), num_views=1, num_classes=400)
    for path in list(folder.iterdir()):
        view, label, _ = path.name.split("_")
        path.rename(folder / f"new{view}_{order[int(label)]}_0.bin")
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.removeprefix("new"))


def score(folder: Path) -> int:
    one_view = ["TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160"]
    return x3d_postprocess.main(["X3D_POSTPROCESS.OM_OUTPUT_PATH", str(folder), *one_view])


def test_a_list_in_another_order_is_named(tmp_path, capsys, caplog):
    write(tmp_path / "res", known_orders(kinetics400_names())[ORDER])
    assert score(tmp_path / "res") == 0
    line = json.loads(capsys.readouterr().out)
    assert line.keys() == {"split", "top1_acc", "top5_acc"}
    assert float(line["top1_acc"]) < 5
    [warning] = json.loads((tmp_path / "res_accuracy.json").read_text())["warnings"]
    assert f"in the order of {ORDER}; with the right order top-1 would be 99.2 % instead of " in warning
    assert warning in caplog.text


@pytest.mark.parametrize("names", ["Kinetics-400", "unknown"])
def test_a_right_list_raises_no_warning(names, tmp_path, caplog, monkeypatch):
    if names == "unknown":
        monkeypatch.setattr("x3d.dataset.class_names.kinetics400_names", lambda: None)
    write(tmp_path / "res", np.arange(400))
    assert score(tmp_path / "res") == 0
    assert json.loads((tmp_path / "res_accuracy.json").read_text())["warnings"] == []
    assert "order" not in caplog.text
