"""An export as a value, and what it leaves on disk; the writing and the comparison have stand-ins."""

import errno
import math
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from test.checkpoint_layouts import OTHERS, layout_state
from test.helpers import ROOT, SMALL, with_keys
from x3d.config.loading import load_cfg
from x3d.errors import InputError, RunError
from x3d.network.checkpoint_cfg import compared_config
from x3d.network.engine import open_engine
from x3d.network.export import ATC_OPERATORS, Difference
from x3d.network.model import Architecture
from x3d.network.model_file import read_model
from x3d.pipeline import export as module
from x3d.pipeline.export import ExportResult, ExportSettings, export_checkpoint

S = str(ROOT / "configs/X3D_S.yaml")
VIEW = (3, 4, 40, 40)
EARLIER = b"\x08\x06\x12\x07pytorch\x1a\x052.0.0:\xd9\x01\x0a\xd6\x01\x0a\x05image"
"""The start of an earlier export; the rest of the file is lost."""


class Network(nn.Module):
    """3 * 2 weights, 4 of BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 2, 1, bias=False)
        self.bn = nn.BatchNorm3d(2)


def settings(path: Path | str, *more: str) -> ExportSettings:
    keys = ["TEST.CHECKPOINT_FILE_PATH", "x.pyth", "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]
    return ExportSettings.from_cfg(load_cfg(S, with_keys([*SMALL, *keys], *more)))


class Exporter:
    """Stand-ins for what export_checkpoint calls, and what they were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, differences: list[float], folder: Path | str = ".") -> None:
        self.network = Network().eval()
        self.differences, self.folder = differences, Path(folder)
        self.written: list[tuple[object, ...]] = []
        self.compared: list[tuple[object, ...]] = []
        self.before: set[str] = set()
        for name in ("export_onnx", "check_parity", "load_model"):
            monkeypatch.setattr(module, "_load_model" if name == "load_model" else name, getattr(self, name))

    def load_model(self, chosen: ExportSettings) -> nn.Module:
        return self.network

    def export_onnx(self, model, view_shape, opset, batch_size):
        self.before = {path.name for path in self.folder.iterdir()}
        self.written.append((type(model.bn), view_shape, opset, batch_size))
        return b"new"

    def check_parity(self, model, exported, view_shape, batch_size):
        assert exported.content == b"new"
        self.compared.append((type(model.bn), exported.path, view_shape, batch_size))
        for number, largest in enumerate(self.differences):
            yield Difference("openvino", number + 1, largest)


def test_settings_are_read_from_their_keys():
    found = settings("x.onnx")
    cfg = load_cfg(S, SMALL)
    architecture, compared = Architecture.from_cfg(cfg), compared_config(cfg)
    assert found == ExportSettings("x.pyth", "x.onnx", architecture, VIEW, 11, 0, 1e-5, None, compared)
    more = "X3D_PTH2ONNX.OPSET 13 X3D_PTH2ONNX.BATCH_SIZE 4 X3D_PTH2ONNX.TOLERANCE 0.5".split()
    found = settings("x.onnx", *more, "X3D_PTH2ONNX.CHECKPOINT_FILE_PATH", "own.pyth")
    assert (found.checkpoint, found.opset, found.batch_size, found.tolerance) == ("own.pyth", 13, 4, 0.5)
    found = settings("x.onnx", "X3D_PTH2ONNX.LAYOUT", "mmaction2", "X3D_PTH2ONNX.WEIGHTS", "ema_state")
    assert (found.layout, found.weights) == ("mmaction2", "ema_state")
    cfg = load_cfg(S, [*SMALL, "X3D_PTH2ONNX.BACKEND", "slowfast"])
    assert ExportSettings.from_cfg(cfg).slowfast_cfg is cfg


def test_the_defaults_are_atcs_opset_and_a_dynamic_batch():
    found = ExportSettings("x.pyth", "x.onnx", Architecture.from_cfg(load_cfg(S, SMALL)), VIEW)
    assert (found.opset, found.batch_size, found.tolerance, found.slowfast_cfg) == (11, 0, 1e-5, None)
    assert (found.layout, found.weights) == ("auto", "")


@pytest.mark.parametrize(
    ("differences", "passed"),
    [([0.0, 0.5], True), ([0.0, 0.51], False), ([0.51, 0.0], False), ([0.0, math.nan], False), ([math.inf], False)],
)
def test_an_export_passes_within_the_tolerance_and_nan_is_not_within(differences, passed):
    found = [Difference("openvino", 1, largest) for largest in differences]
    assert ExportResult("x.onnx", 10, found, 0.5).passed == passed


def test_a_file_that_passes_gets_its_name_and_the_result_lists_every_difference(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    exporter = Exporter(monkeypatch, [1e-7, 2e-6], tmp_path)
    path = tmp_path / "x.onnx"
    path.write_bytes(EARLIER)
    result = export_checkpoint(settings(path, "X3D_PTH2ONNX.OPSET", "13", "X3D_PTH2ONNX.BATCH_SIZE", "4"))
    assert exporter.before == set(), "the earlier file is removed before anything is written"
    assert exporter.written == [(nn.Identity, VIEW, 13, 4)], "BatchNorm is folded"
    assert exporter.compared == [(nn.BatchNorm3d, str(path), VIEW, 4)], "the checkpoint's own network is compared"
    assert result == ExportResult(
        str(path), 10, [Difference("openvino", 1, 1e-7), Difference("openvino", 2, 2e-6)], 1e-5
    )
    assert result.passed
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"x.onnx": "new"}
    assert "openvino, batch size 2: largest difference 2.00e-06" in caplog.text
    assert "x.pyth fits, 0.000 M parameters" in caplog.text


def test_the_number_of_parameters_is_logged_in_millions(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    exporter = Exporter(monkeypatch, [0.0])
    exporter.network.register_parameter("more", nn.Parameter(torch.zeros(1_234_000)))
    assert export_checkpoint(settings(tmp_path / "x.onnx")).num_parameters == 1_234_010
    assert "x.pyth fits, 1.234 M parameters" in caplog.text


def test_a_file_that_does_not_pass_is_removed_and_the_earlier_one_too(tmp_path, monkeypatch):
    Exporter(monkeypatch, [0.0, 0.1])
    path = tmp_path / "x.onnx"
    path.write_bytes(EARLIER)
    result = export_checkpoint(settings(path))
    assert (result.passed, len(result.differences)) == (False, 2)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_no_file(tmp_path, monkeypatch):
    Exporter(monkeypatch, [])

    def fail(*given):
        raise InputError("an operator that ATC does not know")

    monkeypatch.setattr(module, "export_onnx", fail)
    (tmp_path / "x.onnx").write_bytes(EARLIER)
    with pytest.raises(RunError, match=r"x\.onnx is not written: an operator"):
        export_checkpoint(settings(tmp_path / "x.onnx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [InputError("x.pyth is damaged"), ImportError("no slowfast"), OSError("disk")])
def test_a_checkpoint_that_cannot_be_loaded_leaves_no_earlier_export(error, tmp_path, monkeypatch):
    def fail(chosen: ExportSettings) -> nn.Module:
        raise error

    Exporter(monkeypatch, [])
    monkeypatch.setattr(module, "_load_model", fail)
    (tmp_path / "x.onnx").write_bytes(EARLIER)
    with pytest.raises(type(error), match=str(error)):
        export_checkpoint(settings(tmp_path / "x.onnx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"an earlier one", b"PK\x03\x04", EARLIER[:-5] + b"video", EARLIER[2:3] * 600])
def test_a_file_that_is_no_export_is_not_replaced(content, tmp_path, monkeypatch):
    exporter = Exporter(monkeypatch, [0.0])
    monkeypatch.setattr(module, "_load_model", lambda chosen: pytest.fail("read"))
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.onnx is no file that x3d_pth2onnx\.py wrote; remove it, or give another"):
        export_checkpoint(settings(path))
    assert path.read_bytes() == content
    assert exporter.written == []


def test_an_empty_file_and_a_real_export_are_replaced(small_onnx, tmp_path, monkeypatch):
    Exporter(monkeypatch, [0.0])
    path = tmp_path / "x.onnx"
    for content in (b"", small_onnx.read_bytes(), small_onnx.read_bytes()[:600]):
        path.write_bytes(content)
        assert export_checkpoint(settings(path)).passed
        assert path.read_text() == "new"


def test_a_pipe_is_not_replaced(tmp_path, monkeypatch):
    Exporter(monkeypatch, [0.0])
    os.mkfifo(tmp_path / "x.onnx")
    with pytest.raises(InputError, match="is no file that"):
        export_checkpoint(settings(tmp_path / "x.onnx"))


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def fill(descriptor, data):
        os.write(descriptor, data[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Exporter(monkeypatch, [0.0])
    monkeypatch.setattr(module, "write_all", fill)
    with pytest.raises(OSError, match=r"No space left on device.*x\.onnx"):
        export_checkpoint(settings(tmp_path / "x.onnx"))
    assert list(tmp_path.iterdir()) == []


def test_no_name_is_predictable_while_the_file_is_written(tmp_path, monkeypatch):
    Exporter(monkeypatch, [0.0])
    (tmp_path / "victim").write_text("precious")
    for name in ("x.onnx.partial.onnx", "x.onnx.partial", ".x.onnx", "x.onnx"):
        (tmp_path / name).symlink_to("victim")
    export_checkpoint(settings(tmp_path / "x.onnx"))
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "x.onnx").read_text() == "new"
    assert not (tmp_path / "x.onnx").is_symlink()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("", r"ONNX_OUTPUT_PATH is ''; give the \.onnx file to write"),
        ("x.pth", r"x\.pth'; give the \.onnx file to write"),
        ("folder.onnx", r"folder\.onnx cannot be written; give another file"),
        ("no/x.onnx", r"no/x\.onnx: the folder .*no does not exist; create it first"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_checkpoint_is_read(name, advice, tmp_path, monkeypatch):
    exporter = Exporter(monkeypatch, [])
    (tmp_path / "folder.onnx").mkdir()
    monkeypatch.setattr(exporter, "load_model", lambda chosen: pytest.fail("read"))
    with pytest.raises(ValueError, match=advice):
        export_checkpoint(settings(tmp_path / name if name else ""))
    assert exporter.written == []


def test_a_path_without_a_folder_is_of_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Exporter(monkeypatch, [0.0])
    assert export_checkpoint(settings("x.onnx")).path == "x.onnx"
    assert (tmp_path / "x.onnx").exists()


def test_the_checkpoint_is_loaded_into_the_network_in_eval_mode(small_checkpoint):
    model = module._load_model(settings("x.onnx", "TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint)))
    assert not any(part.training for part in model.modules())
    expected = torch.load(small_checkpoint)["model_state"]["head.projection.bias"]
    assert torch.equal(model.state_dict()["head.projection.bias"], expected)


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_another_library_is_exported_with_its_head(name, small_cfg, tmp_path):
    torch.save({"state_dict": layout_state(small_cfg, name)}, tmp_path / "x.pyth")
    result = export_checkpoint(settings(tmp_path / "x.onnx", "TEST.CHECKPOINT_FILE_PATH", str(tmp_path / "x.pyth")))
    assert result.passed
    operators = [node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node]
    assert set(operators) <= ATC_OPERATORS
    assert operators.count("AveragePool") == (name == "pytorchvideo")
    batch = np.random.RandomState(0).standard_normal((2, *VIEW)).astype(np.float32)
    found = open_engine(read_model(str(tmp_path / "x.onnx")), "onnxruntime").infer(batch)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_layout_and_entry_reach_the_checkpoint(small_cfg, tmp_path):
    torch.save({"net": layout_state(small_cfg, "mmaction2")}, tmp_path / "x.pyth")
    keys = ["TEST.CHECKPOINT_FILE_PATH", f"{tmp_path}/x.pyth", "X3D_PTH2ONNX.WEIGHTS", "net"]
    assert module._load_model(settings("x.onnx", *keys)).head.avg_pool.output_size == 1
    with pytest.raises(InputError, match=r"its names are those of mmaction2; set X3D_PTH2ONNX\.LAYOUT auto"):
        module._load_model(settings("x.onnx", *keys, "X3D_PTH2ONNX.LAYOUT", "pytorchvideo"))


def test_pyslowfast_builds_the_network_where_wanted(monkeypatch):
    given = []
    monkeypatch.setattr("x3d.slowfast.load_reference_model", lambda *more: given.append(more) or "theirs")
    chosen = settings("x.onnx", "X3D_PTH2ONNX.BACKEND", "slowfast")
    assert module._load_model(chosen) == "theirs"
    assert given == [(chosen.slowfast_cfg, "x.pyth")]


@pytest.mark.parametrize(
    "keys",
    [
        ["RESNET.NUM_GROUPS", "7", "X3D.CHANNELWISE_3x3x3", "False"],
        ["X3D.DIM_C1", "2147483647", "X3D.WIDTH_FACTOR", "2147483647"],
    ],
)
def test_a_network_that_cannot_be_built_is_a_matter_of_its_keys(keys, small_checkpoint, tmp_path):
    advice = "the configured network cannot be built: .*; check the keys of MODEL, X3D and RESNET$"
    with pytest.raises(InputError, match=advice):
        export_checkpoint(settings(tmp_path / "x.onnx", *keys, "TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint)))
