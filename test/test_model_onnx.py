"""Networks and their ONNX files compute what PySlowFast's networks do; the slow half of test_model.py."""

import numpy as np
import onnx
import pytest
import torch

from demo.synthetic import synthetic_state
from test.helpers import ROOT, SMALL, with_keys
from test.networks import CASES, case_id, golden_batch, golden_cfg, golden_model
from x3d.config.loading import load_cfg
from x3d.network.engine import open_engine
from x3d.network.export import ATC_OPERATORS, export_onnx, fold_batch_norm
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import read_model
from x3d.video.transform import view_shape

S = str(ROOT / "configs/X3D_S.yaml")


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_network_and_onnx_are_pyslowfasts(case, tmp_path):
    cfg = golden_cfg(case)
    model, batch, expected = golden_model(cfg), golden_batch(cfg), np.array(case["output"])
    with torch.inference_mode():
        assert np.abs(model(torch.from_numpy(batch)).numpy() - expected).max() < 1e-6
    fold_batch_norm(model)
    path = tmp_path / "x.onnx"
    path.write_bytes(export_onnx(model, view_shape(cfg), opset=11, batch_size=0))
    for engine in ("openvino", "onnxruntime"):
        assert np.abs(open_engine(read_model(str(path)), engine).infer(batch) - expected).max() < 1e-5


@pytest.mark.parametrize(
    "opts",
    [["X3D.BN_LIN5", "True"], ["X3D.CHANNELWISE_3x3x3", "False"], ["MODEL.HEAD_ACT", "sigmoid"], []],
    ids=lambda opts: " ".join(opts) or "as is",
)
@pytest.mark.parametrize(("opset", "batch_size"), [(11, 0), (13, 0), (11, 3)])
def test_every_variant_exports_with_operators_atc_takes(opts, opset, batch_size, tmp_path):
    cfg = load_cfg(S, with_keys(SMALL, *opts))
    model = X3D(Architecture.from_cfg(cfg)).eval()
    model.load_state_dict(synthetic_state(model, 0))
    batch = torch.randn(3, *view_shape(cfg), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(batch).numpy()
    fold_batch_norm(model)
    path = tmp_path / "x.onnx"
    path.write_bytes(export_onnx(model, view_shape(cfg), opset, batch_size))
    graph = onnx.load(path).graph
    assert {node.op_type for node in graph.node} <= ATC_OPERATORS
    assert [graph.input[0].name, graph.output[0].name] == ["image", "class"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_value == batch_size
    assert np.abs(open_engine(read_model(str(path)), "onnxruntime").infer(batch.numpy()) - expected).max() < 1e-5
