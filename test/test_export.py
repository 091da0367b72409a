"""The exported file: its graph, the number of its format, and what makes an export fail."""

import hashlib
import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import x3d_pth2onnx
from test.helpers import GOLDEN, SMALL
from x3d.network import EXPORT_FORMAT
from x3d.network.export import check_parity, export_onnx, fold_batch_norm
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import ModelFile
from x3d.video.transform import view_shape

VIEW = (3, 4, 40, 40)


def graph_digest(path):
    """Compute the SHA-256 of a graph without its values: operators, their attributes, edges and shapes of weights."""
    graph = onnx.load(path).graph
    shapes = [(tensor.name, list(tensor.dims)) for tensor in graph.initializer]
    nodes = [
        (node.op_type, list(node.input), list(node.output), [_attribute(given) for given in node.attribute])
        for node in graph.node
    ]
    return hashlib.sha256(json.dumps([nodes, shapes]).encode()).hexdigest()


def _attribute(given):
    value = onnx.helper.get_attribute_value(given)
    if isinstance(value, onnx.TensorProto):
        return [given.name, list(value.dims), onnx.numpy_helper.to_array(value).tolist()]
    return [given.name, value.decode() if isinstance(value, bytes) else list(value) if given.ints else value]


@pytest.mark.parametrize("batch_size", [0, 3])
def test_a_graph_that_changes_needs_a_new_export_format(batch_size, small_checkpoint, tmp_path, caplog):
    path = tmp_path / "x.onnx"
    keys = ["TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]
    assert x3d_pth2onnx.main([*SMALL, *keys, "X3D_PTH2ONNX.BATCH_SIZE", str(batch_size)]) == 0
    batch = f"batch size {batch_size}" if batch_size else "dynamic batch size"
    assert f"{path}: format {EXPORT_FORMAT}, opset 11, {batch}, input (N, 3, 4, 40, 40)" in caplog.text
    exported = onnx.load(path)
    assert [entry.key for entry in exported.metadata_props] == ["export_format", "export_digest"]
    assert exported.metadata_props[0].value == str(EXPORT_FORMAT)
    assert [entry.version for entry in exported.opset_import] == [11]
    golden = json.loads((GOLDEN / "export_digests.json").read_text())
    found = {"format": EXPORT_FORMAT, "digest": graph_digest(path)}
    assert found == golden[str(batch_size)], "raise EXPORT_FORMAT with every change of the graph, and store both here"


def test_the_converters_own_checkpoint_comes_first(small_checkpoint, tmp_path):
    keys = ["TEST.CHECKPOINT_FILE_PATH", "no.pyth", "X3D_PTH2ONNX.CHECKPOINT_FILE_PATH", str(small_checkpoint)]
    path = tmp_path / "x.onnx"
    assert x3d_pth2onnx.main([*SMALL, *keys, "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]) == 0
    assert path.exists()


def test_an_operator_that_atc_does_not_know_is_named():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.erf(x).mean(dim=(2, 3, 4))

    with pytest.raises(ValueError, match="needs operators that ATC is not known to take: Erf"):
        export_onnx(Odd().eval(), VIEW, 11, 0)


class Mean(nn.Module):
    """The means of the three colours, exported in no time."""

    def forward(self, x):
        return x.mean(dim=(2, 3, 4))


def test_equal_tensors_need_no_operator_of_their_own(small_cfg):
    """As in a network whose training has not begun: torch exports one of them, and an Identity for each other."""
    network = X3D(Architecture.from_cfg(small_cfg)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.01)
    fold_batch_norm(network)
    shape = view_shape(small_cfg)
    exported = export_onnx(network, shape, 11, 0)
    onnx.checker.check_model(onnx.load_model_from_string(exported), full_check=True)
    differences = list(check_parity(network, ModelFile("x.onnx", exported, b"", ""), shape, 0))
    assert max(difference.largest for difference in differences) < 1e-6


@pytest.mark.parametrize(("opset", "batch_size"), [(11, 0), (13, 4)])
def test_a_file_has_the_names_axes_opset_and_format_asked_for(opset, batch_size, monkeypatch):
    checked = []
    check = onnx.checker.check_model
    monkeypatch.setattr(onnx.checker, "check_model", lambda model, **more: checked.append(more) or check(model, **more))
    exported = onnx.load_model_from_string(export_onnx(Mean().eval(), VIEW, opset, batch_size))
    assert checked[-1] == {"full_check": True}
    assert [entry.version for entry in exported.opset_import] == [opset]
    assert exported.metadata_props[0].key == "export_format"
    for value, name, shape in ((exported.graph.input[0], "image", VIEW), (exported.graph.output[0], "class", (3,))):
        first, *others = value.type.tensor_type.shape.dim
        assert value.name == name
        assert (first.dim_value, first.dim_param) == ((batch_size, "") if batch_size else (0, "batch"))
        assert [axis.dim_value for axis in others] == list(shape)


def test_batch_norm_is_folded_into_the_convolution_before_it():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 2, 1), nn.BatchNorm3d(2)
    ).eval()
    for norm in (model[1], model[4]):
        nn.init.uniform_(norm.weight, 1, 2)
        nn.init.uniform_(norm.running_mean)
    x = torch.randn(1, 3, 2, 4, 4)
    with torch.inference_mode():
        expected = model(x)
        fold_batch_norm(model)
        torch.testing.assert_close(model(x), expected)
    assert [type(child) for child in model] == [nn.Conv3d, nn.Identity, nn.ReLU, nn.Conv3d, nn.Identity]


@pytest.mark.parametrize(("batch_size", "sizes"), [(0, [1, 3]), (2, [2, 2])])
def test_parity_is_of_the_largest_difference_on_seeded_batches(batch_size, sizes):
    exported = ModelFile("x.onnx", export_onnx(Mean().eval(), VIEW, 11, batch_size), b"", "")
    seen = []

    class Shifted(nn.Module):
        def forward(self, x):
            seen.append(x.numpy().copy())
            return Mean()(x) + torch.tensor([0, -0.25, 0.125])

    found = list(check_parity(Shifted(), exported, VIEW, batch_size))
    assert [(d.engine, d.batch_size) for d in found] == [(e, s) for e in ("openvino", "onnxruntime") for s in sizes]
    assert all(abs(d.largest - 0.25) < 1e-5 for d in found)
    for number, batch in enumerate(seen):
        random = np.random.RandomState(number % 2)
        np.testing.assert_array_equal(batch, random.standard_normal(batch.shape).astype(np.float32))
