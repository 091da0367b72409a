"""The exported file: its graph, the number of its format, and what makes an export fail."""

import hashlib
import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import x3d_pth2onnx
from demo.synthetic import synthetic_state
from test.helpers import GOLDEN, SMALL
from x3d.network import EXPORT_FORMAT
from x3d.network.export import check_parity, write_onnx
from x3d.network.model import X3D, Architecture

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
    assert f"{path}: format {EXPORT_FORMAT}, opset 11, batch {batch_size or 'dynamic'}, input (N, 3, 4, 40, 40)" in (
        caplog.text
    )
    exported = onnx.load(path)
    assert {entry.key: entry.value for entry in exported.metadata_props} == {"export_format": str(EXPORT_FORMAT)}
    assert [entry.version for entry in exported.opset_import] == [11]
    golden = json.loads((GOLDEN / "export_digests.json").read_text())
    found = {"format": EXPORT_FORMAT, "digest": graph_digest(path)}
    assert found == golden[str(batch_size)], "raise EXPORT_FORMAT with every change of the graph, and store both here"


def test_the_converters_own_checkpoint_comes_first(small_checkpoint, tmp_path):
    keys = ["TEST.CHECKPOINT_FILE_PATH", "no.pyth", "X3D_PTH2ONNX.CHECKPOINT_FILE_PATH", str(small_checkpoint)]
    path = tmp_path / "x.onnx"
    assert x3d_pth2onnx.main([*SMALL, *keys, "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]) == 0
    assert path.exists()


def test_an_operator_that_atc_does_not_know_is_named(tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return torch.erf(x).mean(dim=(2, 3, 4))

    with pytest.raises(ValueError, match=r"x\.onnx holds operators that ATC is not known to take: Erf"):
        write_onnx(Odd().eval(), str(tmp_path / "x.onnx"), VIEW, 11, 0)


@pytest.mark.parametrize(("batch_size", "sizes"), [(0, [1, 3]), (2, [2, 2])])
def test_parity_is_of_the_largest_difference_on_seeded_batches(batch_size, sizes, small_cfg, tmp_path):
    model = X3D(Architecture.from_cfg(small_cfg)).eval()
    model.load_state_dict(synthetic_state(model, 3))
    path = str(tmp_path / "x.onnx")
    write_onnx(model, path, VIEW, 11, batch_size)
    seen = []

    class Shifted(nn.Module):
        def forward(self, x):
            seen.append(x.numpy().copy())
            return model(x) + torch.tensor([0, -0.25] + 7 * [0.125])

    found = list(check_parity(Shifted(), path, VIEW, batch_size))
    assert [(d.engine, d.batch_size) for d in found] == [(e, s) for e in ("openvino", "onnxruntime") for s in sizes]
    assert all(abs(d.largest - 0.25) < 1e-5 for d in found)
    assert not np.array_equal(seen[0][:1], seen[1][:1])
    np.testing.assert_array_equal(seen[0], seen[2])
